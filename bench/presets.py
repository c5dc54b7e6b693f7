"""Presets: how much data, which checkpoints and settings, how long to measure."""

from dataclasses import dataclass, field
from typing import Any

from worthit.bench.cell import Effort
from worthit.datasets.errors import UnknownNameError
from worthit.datasets.splits.protocol import AtMost, Size


@dataclass(frozen=True)
class Preset:
    """One value of `--preset`."""

    name: str
    about: str
    train_size: Size
    test_size: Size
    natural_size: Size
    validation_size: AtMost
    cell_limit_s: float  # of the training, and of each measurement
    fast_training_s: float  # a model that trains within it is trained with three seeds
    effort: Effort = field(default_factory=Effort)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    largest_llm: bool = False  # also on a CPU; see `worthit.bench.llm_choice`


_REFERENCE_LORA = {
    "checkpoint": "meta-llama/Llama-3.2-1B-Instruct",
    "max_length": None,
    "r": 64,
    "alpha": 32,
    "dropout": 0.1,
    "target_modules": ["q_proj", "v_proj"],
    "adapted_share": 1.0,
    "learning_rate": 2e-5,
    "batch_size": 1,
    "epochs": 1,
    "precision": "bf16",
}

# llama-head takes its own learning rate, epochs and adapters: the experiment had no such model.
_REFERENCE_LLM = {
    "checkpoint": _REFERENCE_LORA["checkpoint"],
    "max_length": None,
    "precision": "bf16",
}

_LONG = Effort(latency_samples=1_000, latency_limit_s=180, throughput_s=5, memory_comments=512,
               energy_window_s=15, idle_window_s=10)  # fmt: skip

_PRESETS = (
    Preset(
        "quick",
        "1,000 training comments; 15 to 30 minutes on two cores",
        train_size=AtMost(1_000),
        test_size=AtMost(500),
        natural_size=AtMost(1_000),
        validation_size=AtMost(500),
        cell_limit_s=900,
        fast_training_s=45,
        effort=Effort(largest_batch=128, latency_limit_s=16),
    ),
    Preset(
        "standard",
        "the whole balanced corpus, and the largest LLM in the cache that fits; hours on two cores",
        train_size=None,
        test_size=None,
        natural_size=None,
        validation_size=AtMost(1_000),
        cell_limit_s=12 * 3600,
        fast_training_s=1800,
        effort=_LONG,
        largest_llm=True,
    ),
    Preset(
        "reference",
        "checkpoints (from the Hugging Face hub) and settings of the reference experiment's BERT and LLM",
        train_size=AtMost(25_974),
        test_size=AtMost(2_886),
        natural_size=None,
        validation_size=AtMost(0),  # the experiment trained on the whole training side
        cell_limit_s=24 * 3600,
        fast_training_s=3600,
        effort=_LONG,
        settings={
            "bert": {"checkpoint": "bert-base-uncased", "learning_rate": 2e-5, "batch_size": 32, "epochs": 1,
                     "dropout": None, "precision": "fp32"},
            "llama": _REFERENCE_LORA,
            "llama-qlora": _REFERENCE_LORA,
            "llama-zero-shot": _REFERENCE_LLM,
            "llama-few-shot": _REFERENCE_LLM,
            "llama-head": _REFERENCE_LLM,
        },
    ),
)  # fmt: skip
PRESETS = {preset.name: preset for preset in _PRESETS}


def preset(name: str) -> Preset:
    """Raises UnknownNameError, listing the known presets, unless `name` is one of them."""
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]
