"""The `llama` model tuned on a 4-bit base: NF4 by bitsandbytes, adapters in higher precision.

Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs". For scoring, the base is
dequantised and the adapters are merged into it, as QLoRA models are usually deployed. Merging into
the 4-bit weights would round the adapters away: on SmolLM2-135M accuracy fell from 90 % to 46 %.
"""

from pathlib import Path
from typing import Any

import bitsandbytes
import transformers

from worthit.models.llama import Llama
from worthit.models.weights import checkpoints


class LlamaQLoRA(Llama):
    name = "llama-qlora"
    dtype_note = "trained on an NF4 base"
    libraries = (*Llama.libraries, "bitsandbytes")

    def _network(self, folder: Path) -> Any:
        quantized = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=self._dtype
        )
        base = checkpoints.network(
            self.network_class,
            folder,
            dtype=self._dtype,
            quantization_config=quantized,
            device_map={"": self.device},
        )
        for module in base.modules():
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                # On CPUs with AVX-512 bf16, the first scored batch would repack the weights for a
                # kernel without gradient that is 5 times slower than dequantising at batch 32.
                module.support_avx512bf16_for_cpu = False
        return base

    def _merge_adapters(self) -> None:
        """Keep the adapters separate: they mostly add less than half a step of 4 bits."""

    def _scoring_base(self) -> Any:
        return self._model.dequantize()
