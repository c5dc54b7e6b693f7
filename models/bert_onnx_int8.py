"""The `bert` model with int8 linear layers in ONNX Runtime, on CPUs: trained, then converted.

Dynamic quantisation (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html)
rounds weights once, per output channel, and activations on each call, per tensor. So a score depends
a little (up to 0.02) on the other comments of its batch. Pooler and head stay fp32. Scoring needs
only ONNX Runtime and tokenizers, so torch takes no memory.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worthit.datasets.errors import DeviceError
from worthit.models.contract import Probabilities
from worthit.models.hardware import processor
from worthit.models.transformer import batches, bert_runtimes
from worthit.models.transformer.bert_runtimes import RuntimeBert

if TYPE_CHECKING:
    from worthit.models.bert import Bert

_LINEAR = ("MatMul", "Attention")  # Attention has the products for queries, keys and values
_HEAD = ("pooler", "classifier")
_REDUCED = "reduce_range"  # metadata: "True" if weights have 7 bits, for processors without VNNI


class BertOnnxInt8(RuntimeBert):
    name = "bert-onnx-int8"
    dtype_note = "int8 linear layers"
    libraries = ("onnxruntime", "onnx", "tokenizers", "numpy")
    file = "model.onnx"
    converters = ("onnx", "onnxruntime")
    runtimes = ("onnxruntime",)
    extra = "int8"

    def prepare(self) -> None:
        self.require_support()  # onnx only converts, so it is not imported and takes no memory
        import onnxruntime  # noqa: F401
        import tokenizers  # noqa: F401

    def _convert(self, trained: "Bert") -> None:
        with tempfile.TemporaryDirectory() as folder:
            content = quantize(export(trained, Path(folder)))
        self._open(content, bert_runtimes.tokenizer_of(trained))

    def _open(self, network: bytes | Path, tokenizer: str) -> None:
        self._model, self._session = network, _session(network)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if processor.int8_products_saturate() and metadata.get(_REDUCED) != "True":
            raise DeviceError(
                f"this {self.name} model was converted for processors with VNNI, and its sums would "
                f"overflow on this one; convert it here (pytest bench/ --models {self.name})"
            )
        self._describe(metadata, tokenizer)

    def _logits(self, inputs: batches.Inputs) -> Probabilities:
        return _logits(self._session, inputs)

    def _save_network(self, folder: Path) -> None:
        model = self._model
        (folder / self.file).write_bytes(model if isinstance(model, bytes) else model.read_bytes())


def _session(model: bytes | Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processor.allowed_cores()
    options.enable_mem_pattern = False  # it plans memory for each batch shape, and there are many
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model),
        options,
        providers=["CPUExecutionProvider"],
    )


def _logits(session: Any, inputs: batches.Inputs) -> Probabilities:
    (logits,) = session.run(["logits"], inputs)
    return np.asarray(logits)


def export(trained: "Bert", folder: Path) -> Path:
    """Write the trained model as an fp32 graph, with BERT's steps fused into ONNX Runtime's own.

    Raises:
        CheckpointError: the architecture cannot be converted, or scores differently.
    """
    import onnx
    from onnxruntime.transformers import optimizer

    from worthit.models.transformer import onnx_export
    from worthit.models.weights import checkpoints

    file = folder / "fp32.onnx"
    trained._model = trained.full_precision_network().cpu()
    with checkpoints.one_line_errors(trained.settings.checkpoint):
        onnx_export.export(trained._model, file)
    shape = trained._model.config
    fused = optimizer.optimize_model(
        str(file),
        model_type="bert",
        num_heads=shape.num_attention_heads,
        hidden_size=shape.hidden_size,
        opt_level=0,  # loading fuses the rest
    )
    metadata = bert_runtimes.metadata_of(trained) | {
        _REDUCED: str(processor.int8_products_saturate()),
        "onnx.quant.pre_process": "onnxruntime.quant",  # else quantising warns that this is missing
    }
    onnx.helper.set_model_props(fused.model, metadata)
    fused.save_model_to_file(str(file))
    session = _session(file)
    bert_runtimes.require_same_logits(
        trained, lambda inputs: _logits(session, inputs), BertOnnxInt8.name, "ONNX"
    )
    return file


def quantize(file: Path) -> bytes:
    """The graph from `export` with int8 weights and products."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = [node.name for node in onnx.load(file).graph.node]
    head = [name for name in names if any(part in name for part in _HEAD)]
    target = file.with_name(BertOnnxInt8.file)
    quantize_dynamic(
        file,
        target,
        op_types_to_quantize=list(_LINEAR),
        per_channel=True,
        reduce_range=processor.int8_products_saturate(),
        weight_type=QuantType.QInt8,
        # A Gemm is renamed to a MatMul before names are compared.
        nodes_to_exclude=[*head, *(f"{name}_MatMul" for name in head)],
        # The output type of ONNX Runtime's own operators, which ONNX does not know.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    return target.read_bytes()
