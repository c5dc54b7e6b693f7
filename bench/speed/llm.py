"""Other ways to tune a causal LM with LoRA and to have it answer, for the yardstick to compare.

All see the very tokens that our model sees: question, comment cut to its limit, cue.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers

from worthit.bench.speed.implementations import SCORED_TOGETHER, Task
from worthit.models.contract import TOXIC, Labels, Probabilities, Progress
from worthit.models.hardware import devices
from worthit.models.transformer.prompts import CUE, Prompt, prompt
from worthit.models.weights import checkpoints

_IGNORED = -100  # of labels, by cross-entropy's default
# The reference experiment's.
_REFERENCE_LORA = {
    "r": 64,
    "lora_alpha": 32,
    "lora_dropout": 0.1,
    "target_modules": ["q_proj", "v_proj"],
}
_REFERENCE_RATE = 2e-5


def asked(tokenizer: Any, checkpoint: str) -> Prompt:
    """The question and the answers' tokens that our model has."""

    def first_tokens(answers: Sequence[str]) -> list[int]:
        found = tokenizer(list(answers), add_special_tokens=False)["input_ids"]
        return [first for first, *_ in found]

    return prompt(TOXIC, first_tokens, checkpoint)


def prompts(
    tokenizer: Any, texts: Sequence[str], checkpoint: str, max_length: int | None
) -> list[list[int]]:
    """What our model reads, one list of tokens a comment."""
    question = tokenizer(asked(tokenizer, checkpoint).question)["input_ids"]
    cue = tokenizer(CUE, add_special_tokens=False)["input_ids"]
    comments = tokenizer([f" {text}" for text in texts], add_special_tokens=False)["input_ids"]
    return [question + comment[:max_length] + cue for comment in comments]


class _Llm:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._dtype = devices.dtype_for(task.precision, task.device)

    def load(self) -> None:
        self._open(Path(self._task.fitted) / "merged")
        self._model.eval()

    def _open(self, folder: Path) -> None:
        self._tokenizer = checkpoints.tokenizer(folder, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model: Any = checkpoints.network(
            transformers.AutoModelForCausalLM, folder, dtype=self._dtype
        ).to(self._task.device)
        self._answers = asked(self._tokenizer, self._task.checkpoint).tokens

    def _adapt(self, **lora: Any) -> None:
        self._open(checkpoints.resolve(self._task.checkpoint).folder)
        config = peft.LoraConfig(task_type="CAUSAL_LM", **lora)
        self._model = peft.get_peft_model(self._model, config)

    def _prompts(self, texts: Sequence[str]) -> list[list[int]]:
        task = self._task
        return prompts(self._tokenizer, texts, task.checkpoint, task.settings["max_length"])

    def _examples(self, texts: Sequence[str], labels: Labels) -> list[dict[str, list[int]]]:
        """Prompt and answer, of which the answer alone counts."""
        return [
            {
                "input_ids": [*tokens, self._answers[label]],
                "attention_mask": [1] * (len(tokens) + 1),
                "labels": [_IGNORED] * len(tokens) + [self._answers[label]],
            }
            for tokens, label in zip(self._prompts(texts), labels, strict=True)
        ]

    def _toxic(self, logits: torch.Tensor) -> Any:
        """Logits over the vocabulary, shape (batch, vocabulary), to probabilities of toxic."""
        both = logits[:, list(self._answers)].double().cpu()
        return torch.softmax(both, dim=1)[:, 1].numpy()


class Reference(_Llm):
    """The reference experiment's: one comment a step, logits for every position of the prompt."""

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        torch.manual_seed(0)
        self._adapt(**_REFERENCE_LORA)
        trained = [p for p in self._model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=_REFERENCE_RATE)
        self._model.train()
        for done, example in enumerate(self._examples(texts, labels), start=1):
            batch = {
                name: torch.tensor([values], device=self._task.device)
                for name, values in example.items()
            }
            self._model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            progress(done, len(texts))
        self._model.eval()

    @torch.no_grad()
    def score(self, texts: Sequence[str]) -> Probabilities:
        scores = []
        for tokens in self._prompts(texts):
            ids = torch.tensor([tokens], device=self._task.device)
            scores.append(self._toxic(self._model(input_ids=ids).logits[:, -1]))
        return np.concatenate(scores)


class HuggingFace(_Llm):
    """What the documentation of transformers and peft shows: `Trainer`, and `generate` of a token.

    Training has our rate, batch and rank, with adapters in all layers as is usual; 32 comments are
    scored together. Comments come in their given order, padded to the longest of the batch.
    """

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        chosen = self._task.settings
        transformers.set_seed(0)
        self._adapt(
            r=chosen["r"],
            lora_alpha=chosen["alpha"],
            lora_dropout=chosen["dropout"],
            target_modules="all-linear",
        )
        collator = transformers.DataCollatorForSeq2Seq(
            self._tokenizer, padding=True, label_pad_token_id=_IGNORED
        )
        trained_by_trainer(
            self._model, self._examples(texts, labels), collator, self._task, progress
        )
        self._model = self._model.merge_and_unload().eval()

    def score(self, texts: Sequence[str]) -> Probabilities:
        found, size = self._prompts(texts), SCORED_TOGETHER
        scores = []
        for start in range(0, len(found), size):
            batch = self._tokenizer.pad(
                {"input_ids": found[start : start + size]}, return_tensors="pt"
            ).to(self._task.device)
            answer = self._model.generate(
                **batch,
                max_new_tokens=1,
                do_sample=False,
                output_logits=True,
                return_dict_in_generate=True,
                pad_token_id=self._tokenizer.pad_token_id,
            )
            scores.append(self._toxic(answer.logits[0]))
        return np.concatenate(scores)


def trained_by_trainer(
    model: Any, examples: Sequence[Any], collator: Any, task: Task, progress: Progress
) -> None:
    """One epoch of transformers' own `Trainer` with our batch, rate, warm-up and decay."""
    chosen = task.settings
    size = chosen["batch_size"]

    class Told(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress(min(state.global_step * size, len(examples)), len(examples))

    arguments = transformers.TrainingArguments(
        output_dir=task.fitted,
        num_train_epochs=1,
        per_device_train_batch_size=size,
        learning_rate=chosen["learning_rate"],
        warmup_steps=chosen["warmup_share"],  # below 1: a share of all steps
        weight_decay=chosen["weight_decay"],
        bf16=task.precision == "bf16",
        use_cpu=task.device == "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=0,
    )
    transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=list(examples),
        data_collator=collator,
        callbacks=[Told()],
    ).train()


def merged(adapter: Path, checkpoint: str, precision: str, device: str, target: Path) -> None:
    """Write the dense model that saved adapters make of their checkpoint, with its tokenizer."""
    folder = checkpoints.resolve(checkpoint).folder
    base = checkpoints.network(
        transformers.AutoModelForCausalLM, folder, dtype=devices.dtype_for(precision, device)
    )
    adapted = peft.PeftModel.from_pretrained(base, adapter, autocast_adapter_dtype=False)
    adapted.merge_and_unload().save_pretrained(target)
    checkpoints.tokenizer(folder).save_pretrained(target)
