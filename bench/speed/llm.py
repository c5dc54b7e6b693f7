"""Other implementations of fine-tuning a causal LM with LoRA, and of scoring with it.

All read the same tokens as our model: question, comment cut to its limit, cue.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers

from worthit.bench.speed.implementations import Task, score_by_length
from worthit.datasets.classes import TOXIC
from worthit.models.contract import Labels, Probabilities, Progress
from worthit.models.hardware import devices
from worthit.models.transformer.prompting.prompts import CUE, Prompt, prompt
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
        self._dtype = devices.dtype_for(task.precision, task.device)

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

    def _open_base(self) -> None:
        self._open(checkpoints.resolve(self._task.checkpoint).folder)

    def _adapt(self, **lora: Any) -> None:
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
        self._open_base()
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

    Training uses our learning rate, batch size and rank, and adapts the same layers as our model.
    Scoring reads the question once and repeats its keys and values in each batch (see
    https://huggingface.co/docs/transformers/kv_cache).
    """

    def load(self) -> None:
        super().load()
        self._read_question()

    def fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        settings = self._task.settings
        transformers.set_seed(0)
        self._open_base()
        self._adapt(
            r=settings["r"],
            lora_alpha=settings["alpha"],
            lora_dropout=settings["dropout"],
            target_modules=linear_layers(self._model),
            layers_to_transform=upper_layers(self._model, settings["adapted_share"]),
        )
        collator = transformers.DataCollatorForSeq2Seq(
            self._tokenizer, padding=True, label_pad_token_id=_IGNORED
        )
        train_with_trainer(
            self._model, self._examples(texts, labels), collator, self._task, progress
        )
        self._model = self._model.merge_and_unload().eval()
        self._read_question()

    @torch.no_grad()
    def _read_question(self) -> None:
        prompt = our_prompt(self._tokenizer, self._task.checkpoint)
        question = self._tokenizer(prompt.question, return_tensors="pt").to(self._task.device)
        self._question_ids = question["input_ids"]
        self._question = self._model(**question, use_cache=True).past_key_values

    def score(self, texts: Sequence[str]) -> Probabilities:
        return score_by_length(self._prompts(texts), self._score_batch)

    def _score_batch(self, prompts: Sequence[list[int]]) -> Probabilities:
        known = self._question_ids.shape[1]
        batch = self._tokenizer.pad(
            {"input_ids": [tokens[known:] for tokens in prompts]}, return_tensors="pt"
        ).to(self._task.device)
        question = self._question_ids.repeat(len(prompts), 1)
        cache = copy.deepcopy(self._question)
        cache.batch_repeat_interleave(len(prompts))
        answer = self._model.generate(
            input_ids=torch.cat([question, batch["input_ids"]], dim=1),
            attention_mask=torch.cat([torch.ones_like(question), batch["attention_mask"]], dim=1),
            cache=cache,
            max_new_tokens=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        return np.asarray(self._toxic(answer.logits[0]))


def linear_layers(model: Any) -> list[str]:
    """The names of the linear maps within a layer, such as q_proj."""
    return sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and ".layers." in name
        }
    )


def upper_layers(model: Any, share: float) -> list[int]:
    """The numbers of the layers that our model adapts: a share of them, from the top."""
    layers = model.config.num_hidden_layers
    return list(range(layers - round(layers * share), layers))


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
    dtype = devices.dtype_for(task.precision, task.device)
    base = checkpoints.network(transformers.AutoModelForCausalLM, folder, dtype=dtype)
    adapted = peft.PeftModel.from_pretrained(base, adapter, autocast_adapter_dtype=False)
    adapted.merge_and_unload().save_pretrained(target)
    checkpoints.tokenizer(folder).save_pretrained(target)
