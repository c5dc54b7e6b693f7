"""A Llama-family causal LM that answers a question about the comment, tuned with LoRA.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models". The prompt ends in "Answer:".
The probability of each class is the softmax over the logits of the answers' first tokens
(`prompts`), so a model that would rather say something else is still scored.

Nothing is computed that does not change the answer. The output head is applied to the answer's
position only, and only its rows for the answers. The question, which begins every prompt, is read
once per batch in training and once in total in scoring. There is no padding (`packing`).
Accelerators read the question with each comment and pad, because that costs them less (`padded`).

With several labels, one question for each follows the comment, in a sequence of its own. So training and
scoring read a comment as often as there are labels.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import peft
import torch
import transformers
from peft.utils import SAFETENSORS_WEIGHTS_NAME

from worthit.datasets.errors import CheckpointError, RunError
from worthit.models.contract import Labels, Probabilities, Progress, Size
from worthit.models.hardware import devices
from worthit.models.transformer import adapters, batches, packing, padded
from worthit.models.transformer.classifiers import TokenClassifier
from worthit.models.transformer.layers import lora_linear
from worthit.models.transformer.prompting import prompts
from worthit.models.weights import checkpoints

_ENDLESS = 10**6  # tokens, for a network without positions


@dataclass(frozen=True)
class LlamaSettings:
    checkpoint: str = "SmolLM2-135M-Instruct"  # packaged name, folder, .gguf file or hub id
    max_length: int | None = 128  # tokens per comment; None: as many as the context has room for
    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: tuple[str, ...] = ("all-linear",)
    adapted_share: float = 0.5  # of the layers, from the top; backward passes stop there
    learning_rate: float | None = None  # None: 1e-3 below 300 M parameters, else 2e-4
    batch_size: int = 8
    micro_batch_size: int | None = None  # computed at once, on accelerators; None: what fits
    epochs: int | None = None  # None: more for few comments (`epochs`)
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    precision: str = "auto"  # auto: bf16 where it is faster; or fp32, bf16
    scoring_batch_size: int = 128  # at most, on CPUs; fewer for long comments


class Llama(TokenClassifier[LlamaSettings]):
    name = "llama"
    takes_weights = True
    Settings: ClassVar[type[Any]] = LlamaSettings
    libraries: ClassVar[tuple[str, ...]] = (*TokenClassifier.libraries, "peft")
    network_class = transformers.AutoModelForCausalLM
    #: the question's keys and values; None while adapters change them
    _question: packing.KeysAndValues | None = None
    _cue = prompts.CUE
    #: tokens of a comment for which the context has room beside the prompt; None: it has no end
    _room: int | None = None

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {
            "learning_rate": (None, 2e-4, 5e-4, 1e-3, 2e-3),
            "epochs": (None, 1, 2, 4),
            "adapted_share": (0.5, 1.0),
            "r": (8, 16, 32),
        }

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(self.seed)
        self._open_checkpoint()
        self._require_known_logits()
        self._tune(self._tokens(texts), labels, progress)

    def _tune(
        self,
        tokens: list[list[int]],
        labels: Labels,
        progress: Progress,
        *others: torch.nn.Parameter,
    ) -> None:
        """Train new adapters, and other parameters together with them."""
        settings = self.settings
        lora = adapters.config(self._model, settings)
        self._model = peft.get_peft_model(self._model, lora, autocast_adapter_dtype=False)
        self._model.train()
        if self._is_padded:
            lora_linear.fuse(self._model)
        if settings.learning_rate is None:
            small = self._parameters < 300e6
            self.settings = settings = replace(settings, learning_rate=1e-3 if small else 2e-4)
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        trained += others
        self._finetune(trained, tokens, labels, progress)
        self._merge_adapters()
        self._model.eval()
        self._read_question()
        self._trained_parameters = sum(parameter.numel() for parameter in trained)

    def _open(self, folder: Path) -> None:
        super()._open(folder)
        base, self._question = self._model, None
        base.set_attn_implementation(self._attention)
        devices.fuse_norms(base)
        placed = {parameter.device.type for parameter in base.parameters()}
        if placed != {self.device}:
            raise CheckpointError(
                f"{self.settings.checkpoint} loaded on {', '.join(sorted(placed))}, not {self.device}"
            )
        self._parameters = int(base.num_parameters())
        self._ask(self._make_prompt())
        self._require_room()

    def _require_room(self) -> None:
        """Raise CheckpointError if the list of classes leaves a comment less than half of the positions."""
        question, positions = len(self._question_tokens()), self._longest_text()
        if question > positions // 2:
            raise CheckpointError(
                f"{self.settings.checkpoint} reads {positions:,} tokens, and the question with "
                f"{len(self.classes)} classes takes {question:,}, more than half; use llama-head, which reads no "
                "list of classes, another checkpoint, or --positive-label CLASS"
            )

    def _longest_text(self) -> int:
        """Tokens that the checkpoint has positions for."""
        return int(self._decoder().config.max_position_embeddings)

    def _ask(self, prompt: prompts.Prompt) -> None:
        """Score the answers to this prompt from now on."""
        self._prompt, self._cue = prompt, prompt.cue
        self._head = self._answer_rows(self._model.get_output_embeddings())
        positions = getattr(self._decoder().config, "max_position_embeddings", None)
        if positions is not None:
            asked = len(self._question_tokens()) + max(map(len, self._cue_tokens()))
            self._room = max(int(positions) - asked, 0)

    def _make_prompt(self) -> prompts.Prompt:
        if self.multilabel:
            return self._prompt_without_question()
        return prompts.prompt(self.classes, self._first_tokens, self.settings.checkpoint)

    def _prompt_without_question(self) -> prompts.Prompt:
        return prompts.Prompt("Comment:", tuple(self._first_tokens([" False", " True"])))

    @property
    def _cues(self) -> tuple[str, ...]:
        """What follows the comment in each of its sequences."""
        return prompts.label_cues(self.classes) if self.multilabel else (self._cue,)

    @property
    def _sequences(self) -> int:
        return len(self._cues)

    @property
    def _outputs(self) -> int:
        return len(self.classes) if len(self._cues) == 1 else 2

    @property
    def _scores_labels(self) -> bool:
        return False

    @property
    def _attention(self) -> str:
        return padded.ATTENTION if self._is_padded else packing.ATTENTION

    def _network(self, folder: Path) -> Any:
        return checkpoints.network(self.network_class, folder, dtype=self._dtype).to(self.device)

    def _answer_rows(self, head: Any) -> torch.Tensor:
        """Shape (k, width), or (k, width + 1) with the bias of a head that has one, such as Phi's."""
        rows = list(self._prompt.tokens)
        weight: torch.Tensor = head.weight.detach()[rows]
        bias = getattr(head, "bias", None)
        return weight if bias is None else torch.cat([weight, bias.detach()[rows, None]], dim=1)

    def _first_tokens(self, answers: Sequence[str]) -> list[int]:
        tokens = self._tokenizer(list(answers), add_special_tokens=False)["input_ids"]
        return [first for first, *_ in tokens]

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The comment, cut to its limit, with each cue in turn; if padded, the question before it."""
        cues, limit = self._cue_tokens(), self._comment_limit()
        before = self._question_tokens() if self._is_padded else []
        return [
            before + tokens[:limit] + cue for tokens in self._comment_tokens(texts) for cue in cues
        ]

    def _cue_tokens(self) -> list[list[int]]:
        return batches.encode(self._tokenizer, self._cues, special=False)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        each = self._sequences
        scores = super()._score_batches(texts, batch_size and batch_size * each)
        return scores if each == 1 else scores[:, 1].reshape(len(texts), each)

    def _comment_limit(self) -> int | None:
        limits = [each for each in (self.settings.max_length, self._room) if each is not None]
        return min(limits, default=None)

    def _longest(self) -> int:
        limit = self._comment_limit()
        if limit is None:
            limit = _ENDLESS
        before = self._question_tokens() if self._is_padded else []
        return len(before) + limit + max(map(len, self._cue_tokens()))

    def _comment_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        # A word's token includes the space before it, so the comment begins with a space.
        spaced = [f" {text}" for text in texts]
        return batches.encode(self._tokenizer, spaced, special=False)

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        states, pack = self._states(tokens)
        return self._answer_logits(states[pack.last], self._decoder().config)

    def _states(self, tokens: Sequence[batches.Tokens]) -> tuple[torch.Tensor, packing.Pack]:
        """The last layer's states of a batch in one row, and where its sequences are."""
        lengths = [len(sequence) for sequence in tokens]
        if self._question is None:
            question = self._question_tokens()
            pack = packing.Pack(lengths, self.device, head=len(question))
            tokens = [question, *tokens]
        else:
            pack = packing.Pack(lengths, self.device, known=self._question)
        return self._hidden(tokens, pack), pack

    def _hidden(self, tokens: Sequence[batches.Tokens], pack: packing.Pack) -> torch.Tensor:
        """The last layer's states of a row, shape (tokens, width)."""
        states: torch.Tensor = self._decoder()(
            input_ids=batches.row(tokens, self.device, pack.filler),
            position_ids=pack.positions[None],
            packed=pack,
            use_cache=False,
        ).last_hidden_state
        return states[0]

    def _answer_logits(self, hidden: torch.Tensor, config: Any) -> torch.Tensor:
        """Shape (batch, k), fp32, from the last layer's states, shape (batch, width)."""
        # So few rows cost nothing in fp32; bf16 would round logits to steps of an eighth.
        head = self._head.float()
        one = torch.nn.functional.pad(hidden.float(), (0, head.shape[1] - hidden.shape[1]), value=1)
        logits = one @ head.T / getattr(config, "logits_scaling", 1.0)  # Granite's
        cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2's
        return cap * torch.tanh(logits / cap) if cap else logits

    @torch.no_grad()
    def _require_known_logits(self) -> None:
        """Compare our logits with those of the model's own attention and whole head.

        Called once, before training, because the whole head needs memory that scoring never needs.

        Raises:
            CheckpointError: the model has layers without attention, such as LFM2's convolutions, or
                a head that computes more than `_answer_logits`, such as Cohere's.
        """
        given, question = self.settings.checkpoint, self._question_tokens()
        comments = self._tokens(["yes", "no, not at all"])[:: self._sequences]
        self._model.set_attn_implementation("eager")
        prefix = [] if self._is_padded else question
        rows = [torch.tensor([prefix + comment], device=self.device) for comment in comments]
        expected = torch.cat([self._model(input_ids=row).logits[:, -1] for row in rows])
        self._model.set_attn_implementation(self._attention)
        logits = (
            self._our_padded_logits(comments)
            if self._is_padded
            else self._our_packed_logits(question, comments)
        )
        # In bf16, logits of one comment differ by 0.3 between two kinds of attention.
        off = 0.02 if self._dtype == torch.float32 else 0.05
        if not torch.allclose(logits, expected[:, list(self._prompt.tokens)].float(), off, off):
            raise CheckpointError(
                f"{given} computes logits from its last layer in an unknown way, so its answers "
                "would be scored wrongly; use another checkpoint, such as one of the Llama family"
            )

    def _our_packed_logits(
        self, question: list[int], comments: Sequence[batches.Tokens]
    ) -> torch.Tensor:
        lengths = [len(comment) for comment in comments]
        pack = packing.Pack(lengths, self.device, head=len(question), keep=True)
        hidden = self._hidden([question, *comments], pack)[pack.last]
        if len(pack.seen) < self._decoder().config.num_hidden_layers:
            raise CheckpointError(
                f"{self.settings.checkpoint} has layers without keys and values, so the question "
                "cannot be read once for all comments; use a checkpoint with attention in each "
                "layer, such as Llama's"
            )
        return self._answer_logits(hidden, self._decoder().config)

    def _our_padded_logits(self, sequences: Sequence[batches.Tokens]) -> torch.Tensor:
        shape = padded.Shape(padded.width(max(map(len, sequences))), len(sequences))
        batch = padded.DeviceBatches([(shape, sequences)], self._fill_token, self.device)[0]
        with padded.kernels():
            return self._padded_logits(batch["ids"], batch["lengths"])

    def _padded_logits(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        states = padded.last_states(self._padded_states(ids), lengths)
        return self._answer_logits(states, self._decoder().config)

    def _padded_states(self, ids: torch.Tensor) -> torch.Tensor:
        """The last layer's states of a padded batch, shape (rows, width, size)."""
        states: torch.Tensor = self._decoder()(
            input_ids=ids,
            position_ids=torch.arange(ids.shape[1], device=ids.device)[None],
            padding=padded.Padding(),
            use_cache=False,
        ).last_hidden_state
        return states

    @torch.no_grad()
    def _read_question(self) -> None:
        """Compute the fitted model's keys and values of the question, for all scoring."""
        if self._is_padded:
            return
        question = self._question_tokens()
        pack = packing.Pack([len(question)], self.device, keep=True)
        self._hidden([question], pack)
        self._question = pack.seen

    def _question_tokens(self) -> list[int]:
        """With the beginning-of-text token, if any."""
        prompt = self._prompt
        tokens: list[int] = self._tokenizer(prompt.question, add_special_tokens=prompt.special)[
            "input_ids"
        ]
        return tokens

    def _decoder(self) -> Any:
        """The model below its output head, adapters included."""
        adapted = isinstance(self._model, peft.PeftModel)
        return (self._model.get_base_model() if adapted else self._model).base_model

    def truncated_share(self, texts: Sequence[str]) -> float:
        limit = self._comment_limit()
        if limit is None:
            return 0.0
        return float(np.mean([len(tokens) > limit for tokens in self._comment_tokens(texts)]))

    def _save(self, folder: Path) -> None:
        """Save the adapters only."""
        if isinstance(self._model, peft.PeftModel):
            self._model.save_pretrained(folder)
        else:  # loaded: the adapters are merged, but their files are where they were
            for file in self._folder.glob("adapter_*"):
                shutil.copy(file, folder)

    def _load(self, folder: Path) -> None:
        self._open_checkpoint()
        self._trained_parameters = self._load_adapters(folder)
        self._read_question()
        self._prepare_single()

    def _load_adapters(self, folder: Path) -> int:
        """Merge saved adapters into the opened model. Returns the number of their parameters."""
        if not (folder / SAFETENSORS_WEIGHTS_NAME).is_file():  # peft would unpickle other files
            raise RunError(
                f"{folder} holds no {SAFETENSORS_WEIGHTS_NAME}; copy the whole folder again"
            )
        self._folder = folder
        adapted = peft.PeftModel.from_pretrained(
            self._scoring_base(), folder, autocast_adapter_dtype=False
        )
        count: int = sum(
            parameter.numel() for name, parameter in adapted.named_parameters() if "lora_" in name
        )
        self._model = adapted.merge_and_unload().eval()
        return count

    def _merge_adapters(self) -> None:
        """Add the adapters to the weights in place, but keep them for saving."""
        self._model.merge_adapter()

    def _scoring_base(self) -> Any:
        """The base model that saved adapters are merged into."""
        return self._model

    def size(self) -> Size:
        return Size(self._parameters, self._trained_parameters)
