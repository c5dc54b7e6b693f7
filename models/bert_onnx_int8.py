"""The `bert` model with int8 linear layers: trained as it is, then converted to ONNX, on CPUs.

Dynamic quantisation (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html):
weights are rounded once, per output channel; activations as they come, per tensor, so that a score
depends a little (up to 0.02) on the others of its batch. Pooler and head stay fp32. Scoring takes
ONNX Runtime and tokenizers alone, so that no memory goes to torch.
"""

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from worthit.datasets.errors import CheckpointError, DeviceError, ModelError
from worthit.models.contract import Labels, Probabilities, Progress, Size, Variant
from worthit.models.hardware import processor
from worthit.models.transformer import batches
from worthit.models.transformer.bert_settings import BertSettings

if TYPE_CHECKING:
    from worthit.models.bert import Bert

_MODEL, _TOKENIZER = "model.onnx", "tokenizer.json"
_LINEAR = ("MatMul", "Attention")  # the latter holds the products for queries, keys and values
_HEAD = ("pooler", "classifier")
_REDUCED = (
    "reduce_range"  # whether weights have 7 bits, for processors on which those of 8 overflow
)
# Logits of the graph and of the network may differ by so much, in fp32 both.
_ALIKE = 1e-2


class BertOnnxInt8(Variant[BertSettings]):
    name = "bert-onnx-int8"
    Settings = BertSettings
    dtype_note = "int8 linear layers"
    libraries = ("onnxruntime", "onnx", "tokenizers", "numpy")

    def prepare(self) -> None:
        _require("onnx", "onnxruntime")  # onnx is for converting only, and would count as memory
        import onnxruntime  # noqa: F401
        import tokenizers  # noqa: F401

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        _require("onnx", "onnxruntime")
        from worthit.models.bert import Bert

        trained = Bert(self.settings, device=self.device, seed=self.seed, classes=self.classes)
        self._convert(trained.fit(texts, labels, progress))

    def convert(self, folder: Path) -> Self:
        _require("onnx", "onnxruntime")
        from worthit.models.bert import Bert

        self._convert(Bert.load(folder, self.device))
        return self

    def _convert(self, trained: "Bert") -> None:
        self.settings, self.seed, self.classes = trained.settings, trained.seed, trained.classes
        with tempfile.TemporaryDirectory() as scratch:
            content = _quantized(_exported(trained, Path(scratch)))
        self._open(content, trained._tokenizer.backend_tokenizer.to_str())

    def _open(self, model: bytes | Path, tokenizer: str) -> None:
        """Have a model ready, from memory or from a file; a file is not kept in memory twice."""
        from tokenizers import Tokenizer

        self._model, self._tokenizer_json = model, tokenizer
        self._session = _session(model)
        told = self._session.get_modelmeta().custom_metadata_map
        if processor.int8_products_saturate() and told.get(_REDUCED) != "True":
            raise DeviceError(
                f"this {self.name} model was converted for processors with VNNI; on this one its sums "
                f"would overflow: convert it here (pytest bench/ --models {self.name})"
            )
        self._limit, self._pad = int(told["longest"]), int(told["pad"])
        self._parameters = int(told["parameters"])
        self._tokenizer = Tokenizer.from_str(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._limit)

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._score_batches(texts, None)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        # All at once, so that like lengths meet in a batch.
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        lengths = np.array([len(sequence) for sequence in tokens])
        scores = np.empty((len(tokens), len(self.classes)))
        size = batch_size or self.settings.scoring_batch_size
        for rows in batches.for_scoring(lengths, size, batches.MOST_TOKENS["cpu"]):
            logits = _logits(self._session, [tokens[row] for row in rows], self._pad)
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            scores[rows] = powers / powers.sum(axis=1, keepdims=True)
        return scores

    def truncated_share(self, texts: Sequence[str]) -> float:
        # What the limit cuts off is kept beside.
        encodings = self._tokenizer.encode_batch(list(texts))
        return float(np.mean([bool(encoding.overflowing) for encoding in encodings]))

    def _save(self, folder: Path) -> None:
        model = self._model
        (folder / _MODEL).write_bytes(model if isinstance(model, bytes) else model.read_bytes())
        (folder / _TOKENIZER).write_text(self._tokenizer_json, "utf-8")

    def _load(self, folder: Path) -> None:
        _require("onnxruntime")
        tokenizer = (folder / _TOKENIZER).read_text("utf-8")
        try:
            self._open(folder / _MODEL, tokenizer)
        except DeviceError:
            raise
        except Exception as error:  # neither library raises anything narrower
            raise RuntimeError(str(error)) from error

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
    options.enable_mem_pattern = False  # it plans for each shape of batch, and there are many
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model),
        options,
        providers=["CPUExecutionProvider"],
    )


def _logits(session: Any, tokens: Sequence[batches.Tokens], pad: int) -> Probabilities:
    """Shape (batch, k), of one batch."""
    lengths = np.array([len(sequence) for sequence in tokens])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad)
    ids[mask] = np.concatenate(tokens)
    given = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
    (logits,) = session.run(["logits"], given)
    return np.asarray(logits, dtype=np.float64)


def _exported(trained: "Bert", folder: Path) -> Path:
    """The file of the trained model as an fp32 graph, BERT's steps fused into ONNX Runtime's own.

    Raises:
        CheckpointError: the architecture cannot be converted, or would score otherwise.
    """
    import onnx
    from onnxruntime.transformers import optimizer

    from worthit.models.transformer import onnx_export
    from worthit.models.weights import checkpoints

    file = folder / "fp32.onnx"
    trained._model = trained.unrounded().cpu()
    with checkpoints.refused_in_one_line(trained.settings.checkpoint):
        onnx_export.export(trained._model, file)
    shape = trained._model.config
    fused = optimizer.optimize_model(
        str(file),
        model_type="bert",
        num_heads=shape.num_attention_heads,
        hidden_size=shape.hidden_size,
        opt_level=0,  # what else there is to fuse is fused when it is loaded
    )
    told = {
        "longest": str(trained._limit()),
        "pad": str(trained._tokenizer.pad_token_id or 0),
        "parameters": str(trained.size().parameters),
        _REDUCED: str(processor.int8_products_saturate()),
        "onnx.quant.pre_process": "onnxruntime.quant",  # else quantising asks for what is done by now
    }
    onnx.helper.set_model_props(fused.model, told)
    fused.save_model_to_file(str(file))
    _require_the_same(trained, file)
    return file


def _require_the_same(trained: "Bert", file: Path) -> None:
    """Tracing records what one sample met; another batch tells whether that is all there is."""
    import torch

    tokens = trained._tokens(["this comment is longer " * 5, "this one is not", ""])
    with torch.inference_mode():
        expected = trained._logits(tokens).numpy()
    pad = trained._tokenizer.pad_token_id or 0
    if not np.abs(_logits(_session(file), tokens, pad) - expected).max() <= _ALIKE:
        raise CheckpointError(
            f"the checkpoint {trained.settings.checkpoint} is another model once it is converted to "
            f"ONNX; {BertOnnxInt8.name} takes encoders such as BERT; leave it away, or give another one "
            "with --checkpoint bert=ID_OR_PATH"
        )


def _quantized(file: Path) -> bytes:
    """The graph of `_exported` with int8 weights and products."""
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
        # A Gemm becomes a MatMul of another name before names are looked at.
        nodes_to_exclude=[*head, *(f"{name}_MatMul" for name in head)],
        # Of what ONNX Runtime's own operators put out, which ONNX knows no type of.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    return target.read_bytes()
