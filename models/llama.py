"""A Llama-family causal LM that answers a question about the comment, tuned with LoRA.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models". The model reads a prompt that
ends in "Answer:"; the probability of each class is the softmax over the logits of the answers'
tokens (`prompts`), so that a model which would rather say something else is still scored.

What does not change the answer is not computed: only the answer's position is multiplied by the
output head, and by the answers' rows alone; the question, with which all prompts begin, is read
once a batch in training and once for all in scoring; and there is no padding (`packing`).
"""

import re
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
from worthit.models.contract import Base, Classifier, Labels, Probabilities, Progress, Size
from worthit.models.hardware import devices
from worthit.models.transformer import batches, packing, prompts
from worthit.models.transformer.finetuning import Recipe, finetune
from worthit.models.weights import checkpoints

_LAYER = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True)
class LlamaSettings:
    checkpoint: str = "SmolLM2-135M-Instruct"  # packaged name, folder, .gguf file or hub id
    max_length: int | None = 128  # tokens of the comment; None: no limit
    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: tuple[str, ...] = ("all-linear",)
    adapted_share: float = 0.5  # of the layers, from the top; backward passes end below them
    learning_rate: float | None = None  # None: 1e-3 below 300 M parameters, else 2e-4
    batch_size: int = 8
    epochs: int = 1
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    precision: str = "auto"  # auto: bf16 where it pays; or fp32, bf16
    scoring_batch_size: int = 128  # at most; fewer if they are long


class Llama(Classifier[LlamaSettings]):
    name = "llama"
    Settings: ClassVar[type[Any]] = LlamaSettings
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers", "peft")

    def prepare(self) -> None:
        checkpoints.import_architecture(self.settings.checkpoint, transformers.AutoModelForCausalLM)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(self.seed)
        base, chosen = self._open(), self.settings
        self._model = base
        self._require_own_logits()
        self._model = peft.get_peft_model(
            base, self._adapter_config(base), autocast_adapter_dtype=False
        )
        self._model.train()
        if chosen.learning_rate is None:
            small = self._parameters < 300e6
            self.settings = chosen = replace(chosen, learning_rate=1e-3 if small else 2e-4)
        recipe = Recipe.of(chosen)
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        finetune(self._logits, trained, self._tokens(texts), labels, recipe, self.seed, progress)
        self._fold_in()
        self._model.eval()
        self._read_question()
        self._trained_parameters = sum(parameter.numel() for parameter in trained)

    def _adapter_config(self, base: Any) -> peft.LoraConfig:
        chosen = self.settings
        return peft.LoraConfig(
            task_type="CAUSAL_LM",
            r=chosen.r,
            lora_alpha=chosen.alpha,
            lora_dropout=chosen.dropout,
            target_modules=self._targets(base),
        )

    def _targets(self, base: Any) -> list[str]:
        """The linear layers to adapt: those named by the settings, in the upper layers."""
        layers = base.config.num_hidden_layers
        first = layers - round(layers * self.settings.adapted_share)
        wanted = self.settings.target_modules
        targets = [
            name
            for name, module in base.named_modules()
            if isinstance(module, torch.nn.Linear)
            and (place := _LAYER.search(name))
            and int(place[1]) >= first
            and (wanted == ("all-linear",) or name.rpartition(".")[2] in wanted)
        ]
        if not targets:
            raise CheckpointError(
                f"{self.settings.checkpoint} has no linear layers {', '.join(wanted)} in its upper "
                "layers to adapt; use a Llama-family checkpoint"
            )
        return targets

    def _open(self) -> Any:
        """Load base model and tokenizer to the device and find the answers' tokens."""
        devices.use(self.device)
        given = self.settings.checkpoint
        folder = checkpoints.resolve(given).folder
        with checkpoints.refused_in_one_line(given):
            self._tokenizer = checkpoints.tokenizer(folder)
            base = self._load_base(folder)
        base.set_attn_implementation(packing.ATTENTION)
        devices.fuse_norms(base)
        self._question: packing.KeysAndValues | None = None
        found = {parameter.device.type for parameter in base.parameters()}
        if found != {self.device}:
            raise CheckpointError(
                f"{given} was to load on {self.device} but went to {', '.join(sorted(found))}"
            )
        self._parameters = int(base.num_parameters())
        self._prompt = prompts.prompt(self.classes, self._first_tokens, given)
        self._head = self._answers_rows(base.get_output_embeddings())
        return base

    def _answers_rows(self, head: Any) -> torch.Tensor:
        """Shape (k, width), or (k, width + 1) with the bias of a head that has one, as Phi's."""
        rows = list(self._prompt.tokens)
        weight: torch.Tensor = head.weight.detach()[rows]
        bias = getattr(head, "bias", None)
        return weight if bias is None else torch.cat([weight, bias.detach()[rows, None]], dim=1)

    def _load_base(self, folder: Path) -> Any:
        dtype = devices.chosen_dtype(self.settings.precision, self.device)
        kind = transformers.AutoModelForCausalLM
        return checkpoints.network(kind, folder, dtype=dtype).to(self.device)

    def _first_tokens(self, answers: Sequence[str]) -> list[int]:
        tokens = self._tokenizer(list(answers), add_special_tokens=False)["input_ids"]
        return [first for first, *_ in tokens]

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """What follows the question: head of the comment, cue. The comment alone is cut."""
        cue = self._tokenizer(prompts.CUE, add_special_tokens=False)["input_ids"]
        limit = self.settings.max_length
        return [tokens[:limit] + cue for tokens in self._comment_tokens(texts)]

    def _comment_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        # Tokens of words begin with the space before them: so does the comment.
        spaced = [f" {text}" for text in texts]
        tokens: list[list[int]] = self._tokenizer(spaced, add_special_tokens=False)["input_ids"]
        return tokens

    def _logits(self, tokens: Sequence[batches.Tokens]) -> torch.Tensor:
        lengths = [len(sequence) for sequence in tokens]
        if self._question is None:
            # While adapters change, so do the question's keys and values, and gradients flow through them.
            question = self._question_tokens()
            pack = packing.Pack(lengths, self.device, head=len(question))
            tokens = [question, *tokens]
        else:
            pack = packing.Pack(lengths, self.device, known=self._question)
        hidden = self._hidden(tokens, pack)[pack.last]
        return self._answers_logits(hidden, self._decoder().config)

    def _hidden(self, tokens: Sequence[batches.Tokens], pack: packing.Pack) -> torch.Tensor:
        """The last layer's states, shape (tokens, width), of a row."""
        states: torch.Tensor = self._decoder()(
            input_ids=batches.row(tokens, self.device),
            position_ids=pack.positions[None],
            packed=pack,
            use_cache=False,
        ).last_hidden_state
        return states[0]

    def _answers_logits(self, hidden: torch.Tensor, config: Any) -> torch.Tensor:
        """Shape (batch, k), fp32, of the last layer's states of shape (batch, width)."""
        # So few rows cost nothing in fp32, while bf16 would round logits to steps of an eighth.
        head = self._head.float()
        one = torch.nn.functional.pad(hidden.float(), (0, head.shape[1] - hidden.shape[1]), value=1)
        logits = one @ head.T / getattr(config, "logits_scaling", 1.0)  # Granite's
        cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2's
        return cap * torch.tanh(logits / cap) if cap else logits

    @torch.no_grad()
    def _require_own_logits(self) -> None:
        """Compare with what the model itself computes, by its own attention and its whole head.

        Once, before training: the whole head is memory that scoring never touches.

        Raises:
            CheckpointError: it has layers without attention, as the convolutions of LFM2, or computes
                more than is known here, as Cohere's head.
        """
        given, question = self.settings.checkpoint, self._question_tokens()
        comments = self._tokens(["yes", "no, not at all"])
        self._model.set_attn_implementation("eager")
        rows = [torch.tensor([question + comment], device=self.device) for comment in comments]
        own = torch.cat([self._model(input_ids=row).logits[:, -1] for row in rows])
        self._model.set_attn_implementation(packing.ATTENTION)
        lengths = [len(comment) for comment in comments]
        pack = packing.Pack(lengths, self.device, head=len(question), keep=True)
        hidden = self._hidden([question, *comments], pack)[pack.last]
        if len(pack.seen) < self._decoder().config.num_hidden_layers:
            raise CheckpointError(
                f"{given} has layers that keep no keys and values of what they have read, so the "
                "question cannot be read once for all; use one with attention in each layer, as the "
                "Llama family has"
            )
        ours = self._answers_logits(hidden, self._decoder().config)
        if not torch.allclose(ours, own[:, list(self._prompt.tokens)].float(), 0.02, 0.02):
            raise CheckpointError(
                f"{given} makes logits of its last layer in a way of its own, so its answers would be "
                "scored wrongly; use another checkpoint, as of the Llama family"
            )

    @torch.no_grad()
    def _read_question(self) -> None:
        """Keep what the fitted model makes of the question, for all that it will score."""
        question = self._question_tokens()
        pack = packing.Pack([len(question)], self.device, keep=True)
        self._hidden([question], pack)
        self._question = pack.seen

    def _question_tokens(self) -> list[int]:
        """With the beginning-of-text token, if any."""
        tokens: list[int] = self._tokenizer(self._prompt.question)["input_ids"]
        return tokens

    def _decoder(self) -> Any:
        """The model below its output head, adapters included."""
        adapted = isinstance(self._model, peft.PeftModel)
        return (self._model.get_base_model() if adapted else self._model).base_model

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._score_batches(texts, None)

    def _score_batches(self, texts: Sequence[str], batch_size: int | None) -> Probabilities:
        # All at once, so that like lengths meet in a batch.
        size = batch_size or self.settings.scoring_batch_size
        return batches.scored(self._logits, self._tokens(texts), size, self.device, packed=True)

    def truncated_share(self, texts: Sequence[str]) -> float:
        limit = self.settings.max_length
        if limit is None:
            return 0.0
        return float(np.mean([len(tokens) > limit for tokens in self._comment_tokens(texts)]))

    def base(self) -> Base | None:
        """Adapters alone are saved, not what they adapt."""
        found = checkpoints.resolve(self.settings.checkpoint)
        return Base(found.given, found.origin, found.identity)

    def _save(self, folder: Path) -> None:
        if isinstance(self._model, peft.PeftModel):
            self._model.save_pretrained(folder)
        else:  # loaded: the adapters have become one with the weights, but are where they were
            for file in self._saved_in.glob("adapter_*"):
                shutil.copy(file, folder)

    def _load(self, folder: Path) -> None:
        if not (folder / SAFETENSORS_WEIGHTS_NAME).is_file():  # peft would unpickle others
            raise RunError(f"{folder} holds no {SAFETENSORS_WEIGHTS_NAME}; copy it again whole")
        self._saved_in = folder
        base = self._scoring_base()
        adapted = peft.PeftModel.from_pretrained(base, folder, autocast_adapter_dtype=False)
        self._trained_parameters = sum(
            parameter.numel() for name, parameter in adapted.named_parameters() if "lora_" in name
        )
        self._model = adapted.merge_and_unload().eval()
        self._read_question()

    def _fold_in(self) -> None:
        """Add the adapters to the weights in place; the adapters themselves stay, to be saved."""
        self._model.merge_adapter()

    def _scoring_base(self) -> Any:
        """The base model that saved adapters are folded into."""
        return self._open()

    def size(self) -> Size:
        return Size(self._parameters, self._trained_parameters)
