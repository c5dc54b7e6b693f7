"""Other implementations of fine-tuning a causal LM with LoRA, and of scoring with it.

All read the same tokens as our model: question, comment cut to its limit, cue.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers

from worthit.bench.speed.implementations import SCORING_BATCH, Task
from worthit.models.contract import TOXIC, Labels, Probabilities, Progress
from worthit.models.hardware import devices
from worthit.models.transformer.prompts import CUE, Prompt, prompt
from worthit.models.weights import checkpoints

_IGNORED = -100  # the label that cross-entropy ignores by default
# Settings of the reference experiment.
_REFERENCE_LORA = {
    "r": 64,
    "lora_alpha": 32,
    "lora_dropout": 0.1,
    "target_modules": ["q_proj", "v_proj"],
}
_REFERENCE_RATE = 2e-5


def our_prompt(tokenizer: Any, checkpoint: str) -> Prompt:
    """The question and the tokens of the answers, as in our model."""

    def first_tokens(answers: Sequence[str]) -> list[int]:
        tokens = tokenizer(list(answers), add_special_tokens=False)["input_ids"]
        return [first for first, *_ in tokens]

    return prompt(TOXIC, first_tokens, checkpoint)


def prompts(
    tokenizer: Any, texts: Sequence[str], checkpoint: str, max_length: int | None
) -> list[list[int]]:
    """The tokens that our model reads, one list per comment."""
    question = tokenizer(our_prompt(tokenizer, checkpoint).question)["input_ids"]
    cue = tokenizer(CUE, add_special_tokens=False)["input_ids"]
    comments = tokenizer([f" {text}" for text in texts], add_special_tokens=False)["input_ids"]
    return [question + comment[:max_length] + cue for comment in comments]


class _Llm:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._dtype = devices.chosen_dtype(task.precision, task.device)

    def load(self) -> None:
        self._open(Path(self._task.weights_folder) / "merged")
        self._model.eval()

    def _open(self, folder: Path) -> None:
        self._tokenizer = checkpoints.tokenizer(folder, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model: Any = checkpoints.network(
            transformers.AutoModelForCausalLM, folder, dtype=self._dtype
        ).to(self._task.device)
        self._answers = our_prompt(self._tokenizer, self._task.checkpoint).tokens

    def _adapt(self, **lora: Any) -> None:
        self._open(checkpoints.resolve(self._task.checkpoint).folder)
        config = peft.LoraConfig(task_type="CAUSAL_LM", **lora)
        self._model = peft.get_peft_model(self._model, config)

    def _prompts(self, texts: Sequence[str]) -> list[list[int]]:
        task = self._task
        return prompts(self._tokenizer, texts, task.checkpoint, task.settings["max_length"])

    def _examples(self, texts: Sequence[str], labels: Labels) -> list[dict[str, list[int]]]:
        """Prompt and answer; only the answer counts towards the loss."""
        return [
            {
                "input_ids": [*tokens, self._answers[label]],
                "attention_mask": [1] * (len(tokens) + 1),
                "labels": [_IGNORED] * len(tokens) + [self._answers[label]],
            }
            for tokens, label in zip(self._prompts(texts), labels, strict=True)
        ]

    def _toxic(self, logits: torch.Tensor) -> Any:
        """Probabilities of toxic from logits of shape (batch, vocabulary)."""
        both = logits[:, list(self._answers)].double().cpu()
        return torch.softmax(both, dim=1)[:, 1].numpy()


class Reference(_Llm):
    """The reference experiment: one comment per step, logits for every position of the prompt."""

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
    """The code in the documentation of transformers and peft: `Trainer`, and `generate` of one token.

    Training uses our learning rate, batch size and rank, with adapters in all layers, as is usual.
    Scoring uses batches of 32, in the given order, padded to the longest comment.
    """

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        settings = self._task.settings
        transformers.set_seed(0)
        self._adapt(
            r=settings["r"],
            lora_alpha=settings["alpha"],
            lora_dropout=settings["dropout"],
            target_modules="all-linear",
        )
        collator = transformers.DataCollatorForSeq2Seq(
            self._tokenizer, padding=True, label_pad_token_id=_IGNORED
        )
        train_with_trainer(
            self._model, self._examples(texts, labels), collator, self._task, progress
        )
        self._model = self._model.merge_and_unload().eval()

    def score(self, texts: Sequence[str]) -> Probabilities:
        prompts, size = self._prompts(texts), SCORING_BATCH
        scores = []
        for start in range(0, len(prompts), size):
            batch = self._tokenizer.pad(
                {"input_ids": prompts[start : start + size]}, return_tensors="pt"
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


def train_with_trainer(
    model: Any, examples: Sequence[Any], collator: Any, task: Task, progress: Progress
) -> None:
    """One epoch of `transformers.Trainer` with our batch size, learning rate, warm-up and weight decay."""
    settings = task.settings
    size = settings["batch_size"]

    class ReportProgress(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress(min(state.global_step * size, len(examples)), len(examples))

    arguments = transformers.TrainingArguments(
        output_dir=task.weights_folder,
        num_train_epochs=1,
        per_device_train_batch_size=size,
        learning_rate=settings["learning_rate"],
        warmup_steps=settings["warmup_share"],  # below 1: as a share of all steps
        weight_decay=settings["weight_decay"],
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
        callbacks=[ReportProgress()],
    ).train()


def save_merged(adapter: Path, task: Task, target: Path) -> None:
    """Merge saved adapters into the task's checkpoint, and save the dense model and its tokenizer."""
    folder = checkpoints.resolve(task.checkpoint).folder
    dtype = devices.chosen_dtype(task.precision, task.device)
    base = checkpoints.network(transformers.AutoModelForCausalLM, folder, dtype=dtype)
    adapted = peft.PeftModel.from_pretrained(base, adapter, autocast_adapter_dtype=False)
    adapted.merge_and_unload().save_pretrained(target)
    checkpoints.tokenizer(folder).save_pretrained(target)
