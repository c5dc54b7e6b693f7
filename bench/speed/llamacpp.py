"""Our tuned LLM in llama.cpp on a CPU, in the comparison's dtype and in Q8_0.

Like ours it reads the question once, and after it many comments together, without padding. See
https://github.com/ggml-org/llama.cpp/tree/master/examples/batched. The process imports neither torch
nor transformers.
"""

from collections.abc import Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import tokenizers

from worthit.bench.speed.implementations import Task, score_by_length
from worthit.datasets.classes import TOXIC
from worthit.datasets.errors import CellError, DeviceError
from worthit.models.contract import Probabilities
from worthit.models.hardware import processor
from worthit.models.transformer.prompting import prompts

_SEQUENCES = 16  # comments per call
_MOST_TOKENS = 4096  # of a call, question included
_QUESTION = 0  # the sequence of the question


class LlamaCpp:
    """In the comparison's dtype. It only scores."""

    file = "dense.gguf"

    def __init__(self, task: Task) -> None:
        if task.device != "cpu":
            raise DeviceError("compared on CPUs only")
        self._task = task

    def load(self) -> None:
        weights = Path(self._task.weights_folder)
        file = weights / "gguf" / self.file
        if not file.is_file():
            raise CellError("compared with plain Llama models only (gguf_weights.py)")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(weights / "merged" / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        prompt = prompts.prompt(TOXIC, self._first_tokens, self._task.checkpoint)
        self._answers = list(prompt.tokens)
        self._cue = self._tokenizer.encode(prompts.CUE, add_special_tokens=False).ids
        self._open(file)
        self._read_question(self._tokenizer.encode(prompt.question).ids)

    def _first_tokens(self, answers: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch(list(answers), add_special_tokens=False)
        return [encoding.ids[0] for encoding in encodings]

    def _open(self, file: Path) -> None:
        llama_cpp.llama_backend_init()
        options = llama_cpp.llama_model_default_params()
        options.n_gpu_layers = 0
        # The AMX products of 0.3.36 crash (segmentation fault) with Q8_0 weights.
        options.use_extra_bufts = not _has_amx()
        model = llama_cpp.llama_model_load_from_file(str(file).encode(), options)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = _MOST_TOKENS
        settings.n_seq_max = _SEQUENCES + 1
        settings.kv_unified = True  # the comments share the question's keys and values
        settings.n_threads = settings.n_threads_batch = processor.allowed_cores()
        self._context = model and llama_cpp.llama_init_from_model(model, settings)
        if not self._context:
            raise CellError(f"llama.cpp cannot load {file.name}")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(_MOST_TOKENS, 0, 1)

    def _read_question(self, question: list[int]) -> None:
        self._start = 0
        self._decode([question], [_QUESTION])
        self._start = len(question)

    def score(self, texts: Sequence[str]) -> Probabilities:
        spaced = [f" {text}" for text in texts]
        encodings = self._tokenizer.encode_batch(spaced, add_special_tokens=False)
        limit = self._task.settings["max_length"]
        tokens = [encoding.ids[:limit] + self._cue for encoding in encodings]
        return score_by_length(tokens, self._score_batch, _SEQUENCES)

    def _score_batch(self, tokens: Sequence[Sequence[int]]) -> Probabilities:
        sequences = range(1, len(tokens) + 1)
        for sequence in sequences:
            llama_cpp.llama_memory_seq_cp(self._memory, _QUESTION, sequence, -1, -1)
        logits = self._decode(tokens, sequences)
        for sequence in sequences:
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))

    def _decode(self, tokens: Sequence[Sequence[int]], sequences: Sequence[int]) -> Probabilities:
        """Read tokens after what each sequence has. Returns logits of the answers, (batch, 2)."""
        batch, place, last = self._batch, 0, []
        if sum(map(len, tokens)) + self._start > _MOST_TOKENS:
            raise CellError(f"llama.cpp is compared with at most {_MOST_TOKENS} tokens per call")
        for sequence, ids in zip(sequences, tokens, strict=True):
            for offset, token in enumerate(ids):
                batch.token[place] = token
                batch.pos[place] = self._start + offset
                batch.n_seq_id[place] = 1
                batch.seq_id[place][0] = sequence
                batch.logits[place] = offset == len(ids) - 1
                place += 1
            last.append(place - 1)
        batch.n_tokens = place
        if code := llama_cpp.llama_decode(self._context, batch):
            raise CellError(f"llama.cpp cannot decode a batch (llama_decode returned {code})")
        rows = (llama_cpp.llama_get_logits_ith(self._context, position) for position in last)
        return np.array([[row[answer] for answer in self._answers] for row in rows], np.float64)


class LlamaCppQ8(LlamaCpp):
    """Weights in blocks of 32 with 8 bits each."""

    file = "q8_0.gguf"


def _has_amx() -> bool:
    try:
        return "amx_int8" in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:  # not Linux
        return False
