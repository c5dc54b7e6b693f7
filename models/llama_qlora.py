"""The `llama` model tuned on a 4-bit base: NF4 by bitsandbytes, adapters in higher precision.

Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs". For scoring the base is
dequantised and the adapters folded into it, as QLoRA models are usually deployed. Folding them into
the 4-bit weights would round them away: on SmolLM2-135M accuracy fell from 90 % to 46 %.
"""

from pathlib import Path
from typing import Any

import bitsandbytes
import transformers

from worthit.models.hardware import devices
from worthit.models.llama import Llama
from worthit.models.weights import checkpoints


class LlamaQLoRA(Llama):
    name = "llama-qlora"
    dtype_note = "trained on an NF4 base"
    libraries = (*Llama.libraries, "bitsandbytes")

    def _load_base(self, folder: Path) -> Any:
        dtype = devices.chosen_dtype(self.settings.precision, self.device)
        quantized = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
        base = checkpoints.network(
            transformers.AutoModelForCausalLM,
            folder,
            dtype=dtype,
            quantization_config=quantized,
            device_map={"": self.device},
        )
        for module in base.modules():
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                # On CPUs with AVX-512 bf16 the first scored batch would repack the weights for a
                # kernel that has no gradient, and is 5 times slower than dequantising at batch 32.
                module.support_avx512bf16_for_cpu = False
        return base

    def _fold_in(self) -> None:
        """Leave the adapters beside: most of what they add is less than half a step of 4 bits."""

    def _scoring_base(self) -> Any:
        return self._open().dequantize()
