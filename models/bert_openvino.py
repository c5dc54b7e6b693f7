"""The `bert` model in OpenVINO, on CPUs: trained, then converted.

Products are in bf16 where the processor has it (AVX512-BF16, AMX), else in fp32; weights are saved in
fp32. In bf16 a score depends a little on the batch (up to 0.002 for 1,024 comments). Scoring needs only
OpenVINO and tokenizers, so torch takes no memory.
"""

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worthit.models.contract import Probabilities
from worthit.models.transformer import batches, bert_runtimes, openvino_network
from worthit.models.transformer.bert_runtimes import RuntimeBert
from worthit.models.transformer.bert_settings import BertSettings

if TYPE_CHECKING:
    from worthit.models.bert import Bert

_METADATA = "worthit"  # its place in the model's file


class BertOpenVino(RuntimeBert):
    name = "bert-openvino"
    libraries = ("openvino", "tokenizers", "numpy")
    file = "model.xml"
    converters = runtimes = ("openvino",)
    extra = "openvino"
    # On two cores with AMX: 702 comments/s, 623 with 1,024 tokens, 686 with 8,192.
    most_tokens = 4_096

    @property
    def dtype_note(self) -> str:
        return openvino_network.dtype(self.settings.precision)

    def prepare(self) -> None:
        self.require_support()
        openvino_network.library()
        import tokenizers  # noqa: F401

    def _converted_settings(self, trained: BertSettings) -> BertSettings:
        # The original's precision was settled by timing torch, which is not what computes here.
        return dataclasses.replace(trained, precision=self.settings.precision)

    def _convert(self, trained: "Bert") -> None:
        from worthit.models.weights import checkpoints

        trained._model = trained.full_precision_network().cpu()
        with checkpoints.one_line_errors(trained.settings.checkpoint):
            network = openvino_network.convert(trained._model)
        whole = openvino_network.compiled(network, "fp32")
        bert_runtimes.require_same_logits(
            trained, lambda inputs: openvino_network.logits(whole, inputs), self.name, "OpenVINO"
        )
        for name, value in bert_runtimes.metadata_of(trained).items():
            network.set_rt_info(value, [_METADATA, name])
        self._open(network, bert_runtimes.tokenizer_of(trained))

    def _open(self, network: Any, tokenizer: str) -> None:
        self._network = network
        model = openvino_network.read(network) if isinstance(network, Path) else network
        self._compiled = openvino_network.compiled(model, self.settings.precision)
        self._describe(model.get_rt_info([_METADATA]).value, tokenizer)

    def _logits(self, inputs: batches.Inputs) -> Probabilities:
        return np.asarray(openvino_network.logits(self._compiled, inputs))

    def _save_network(self, folder: Path) -> None:
        if not isinstance(self._network, Path):
            openvino_network.save(self._network, folder / self.file)
            return
        for file in (self._network, self._network.with_suffix(".bin")):
            shutil.copy(file, folder)
