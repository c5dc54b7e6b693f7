"""The `bert` model with int8 linear layers in ONNX Runtime, on CPUs: trained, then converted.

Dynamic quantisation (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html)
rounds weights once, per output channel, and activations on each call, per tensor. So a score depends
a little (up to 0.02) on the other comments of its batch. Pooler and head stay fp32. Scoring needs
only ONNX Runtime and tokenizers, so torch takes no memory.
"""

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worthit.datasets.errors import CheckpointError, DeviceError, ModelError
from worthit.models.contract import Probabilities, Size, Variant
from worthit.models.hardware import processor
from worthit.models.transformer import batches
from worthit.models.transformer.bert_settings import BertSettings

if TYPE_CHECKING:
    from worthit.models.bert import Bert

_MODEL, _TOKENIZER = "model.onnx", "tokenizer.json"
_LINEAR = ("MatMul", "Attention")  # Attention has the products for queries, keys and values
_HEAD = ("pooler", "classifier")
_REDUCED = "reduce_range"  # metadata: "True" if weights have 7 bits, for processors without VNNI
_LOGIT_TOLERANCE = 1e-2  # between the fp32 graph and the fp32 network


class BertOnnxInt8(Variant[BertSettings]):
    name = "bert-onnx-int8"
    Settings = BertSettings
    dtype_note = "int8 linear layers"
    libraries = ("onnxruntime", "onnx", "tokenizers", "numpy")

    @classmethod
    def original(cls) -> "type[Bert]":
        from worthit.models.bert import Bert

        return Bert

    def require_support(self) -> None:
        _require("onnx", "onnxruntime")

    def prepare(self) -> None:
        self.require_support()  # onnx only converts, so it is not imported and takes no memory
        import onnxruntime  # noqa: F401
        import tokenizers  # noqa: F401

    def _convert(self, trained: "Bert") -> None:
        with tempfile.TemporaryDirectory() as folder:
            content = quantize(export(trained, Path(folder)))
        self._open(content, trained._tokenizer.backend_tokenizer.to_str())

    def _open(self, model: bytes | Path, tokenizer: str) -> None:
        """Create the session from memory or from a file; a file is not read into memory twice."""
        from tokenizers import Tokenizer

        self._model, self._tokenizer_json = model, tokenizer
        self._session = _session(model)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if processor.int8_products_saturate() and metadata.get(_REDUCED) != "True":
            raise DeviceError(
                f"this {self.name} model was converted for processors with VNNI, and its sums would "
                f"overflow on this one; convert it here (pytest bench/ --models {self.name})"
            )
        self._pad, self._parameters = int(metadata["pad"]), int(metadata["parameters"])
        self._tokenizer = Tokenizer.from_str(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(int(metadata["longest"]))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._score_batches(texts, None)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        # All comments at once, so that those of similar length share a batch.
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        lengths = np.array([len(sequence) for sequence in tokens])
        scores = np.empty((len(tokens), len(self.classes)))
        size = batch_size or self.settings.scoring_batch_size
        for rows in batches.for_scoring(lengths, size, batches.MOST_TOKENS["cpu"]):
            logits = _logits(self._session, [tokens[row] for row in rows], self._pad)
            # scipy.special.softmax would add 0.12 s to the cold start and 20 MB.
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            scores[rows] = powers / powers.sum(axis=1, keepdims=True)
        return scores

    def truncated_share(self, texts: Sequence[str]) -> float:
        encodings = self._tokenizer.encode_batch(list(texts))
        return float(np.mean([bool(encoding.overflowing) for encoding in encodings]))

    def _save(self, folder: Path) -> None:
        model = self._model
        (folder / _MODEL).write_bytes(model if isinstance(model, bytes) else model.read_bytes())
        (folder / _TOKENIZER).write_text(self._tokenizer_json, "utf-8")

    def _load(self, folder: Path) -> None:
        _require("onnxruntime")
        tokenizer = (folder / _TOKENIZER).read_text("utf-8")
        self._open(folder / _MODEL, tokenizer)

    def size(self) -> Size:
        return Size(self._parameters, self._parameters)


def _require(*packages: str) -> None:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ModelError(
            f"{BertOnnxInt8.name} needs {' and '.join(missing)}: pip install 'worthit[int8]'"
        )


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


def _logits(session: Any, tokens: Sequence[batches.Tokens], pad: int) -> Probabilities:
    """Shape (batch, k), for one batch."""
    lengths = np.array([len(sequence) for sequence in tokens])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad)
    ids[mask] = np.concatenate(tokens)
    inputs = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
    (logits,) = session.run(["logits"], inputs)
    return np.asarray(logits, dtype=np.float64)


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
    metadata = {
        "longest": str(trained._token_limit()),
        "pad": str(trained._tokenizer.pad_token_id or 0),
        "parameters": str(trained.size().parameters),
        _REDUCED: str(processor.int8_products_saturate()),
        "onnx.quant.pre_process": "onnxruntime.quant",  # else quantising warns that this is missing
    }
    onnx.helper.set_model_props(fused.model, metadata)
    fused.save_model_to_file(str(file))
    _require_same_logits(trained, file)
    return file


def _require_same_logits(trained: "Bert", file: Path) -> None:
    """Tracing records the operations for one sample; check the graph with another batch."""
    import torch

    tokens = trained._tokens(["this comment is longer " * 5, "this one is not", ""])
    with torch.inference_mode():
        expected = trained._logits(tokens).numpy()
    pad = trained._tokenizer.pad_token_id or 0
    if not np.abs(_logits(_session(file), tokens, pad) - expected).max() <= _LOGIT_TOLERANCE:
        raise CheckpointError(
            f"the checkpoint {trained.settings.checkpoint} scores differently after conversion to "
            f"ONNX; omit {BertOnnxInt8.name}, or give an encoder such as BERT with --checkpoint "
            "bert=ID_OR_PATH"
        )


def quantize(file: Path) -> bytes:
    """The graph from `export` with int8 weights and products."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = [node.name for node in onnx.load(file).graph.node]
    head = [name for name in names if any(part in name for part in _HEAD)]
    target = file.with_name(_MODEL)
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
