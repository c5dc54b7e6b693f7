"""Seconds, memory and disk of one model, from sizes, operations and rates. Pure functions.

Transformers: a comment takes the time of its products of matrices (2 operations per token and weight and
pass, as in `worthit.bench.speed.workload`) at this machine's rate, and of everything else, which moves
memory: in proportion to tokens × width × layers. The two constants fit all-MiniLM-L6-v2 and
SmolLM2-135M-Instruct on two cores of a Xeon with AMX, though these differ six times in width × layers.
Other models: seconds per character of text, from the same machine.
"""

import math
from dataclasses import dataclass

from worthit.bench.cell import Effort
from worthit.bench.forecast.networks import Network

_TRAIN_MOVE_S = 110e-9  # per token, unit of width and layer, forward and backward, on two cores
_SCORE_MOVE_S = 12e-9
_CALIBRATED_CORES = 2
#: operations per second; on accelerators, the rest scales with the products
_CALIBRATED_GEMM = 1.65e12

#: sizes of batches in the sweep of throughput → their rate, as a share of the best
_BATCHES = {1: 0.3, 8: 0.65, 32: 0.9, 128: 1.0, 512: 1.0, 2048: 1.0}
_SINGLE_CALLS = 5_000  # until more calls change the percentiles little
_LEAST_LATENCY_S = 1.5
_BATCH_TIMES_S = 4.0  # timing of calls that answer several requests
_ALL_CORES_S = 3.0  # one process per core, for models that use one
_METER_S = 0.5
#: start of a process with its libraries
_START_S = {"classical": 1.8, "encoder": 6.0, "llm": 8.5}
#: MB of a process with its libraries
_LIBRARIES_MB = {"classical": 225.0, "encoder": 500.0, "llm": 510.0}
#: bytes per token of a batch, unit of width and layer: what training keeps for the backward pass
_KEPT_BYTES = {"encoder": 600.0, "llm": 190.0}
_BATCH = {"encoder": 16, "llm": 8}  # comments per training step
#: prompts that are tried on a few comments; two go on to all
_WORDINGS, _SCREENED = 10, 100
_SCORED_MB = {"encoder": 150.0, "llm": 250.0}


@dataclass(frozen=True)
class Work:
    """The comments of a run."""

    train: int
    validation: int
    scored: int  # distinct ones, for quality
    characters: float  # mean of a training comment, with at most CHARACTERS_READ
    classes: int
    labels: int = 0  # of multi-label comments, else 0
    curve: bool = False  # also train on halves
    tune_s: float = 0.0


#: of a comment; about what transformers read
CHARACTERS_READ = 600


@dataclass(frozen=True)
class Rates:
    """What one model takes on this machine."""

    kind: str
    train_s: float  # the whole training
    choose_s: float
    score_s: float  # per comment, in large batches
    training_mb: float
    scoring_mb: float
    disk_mb: float
    run: str = ""  # that measured them; empty: estimated
    processes: int = 1  # that share the training


@dataclass(frozen=True)
class Classical:
    """Seconds per character, and MB; training reads the comments once."""

    train_s: float = 3e-6
    score_s: float = 0.3e-6
    work_mb: float = 90.0
    disk_mb: float = 5.0
    fixed_s: float = 0.0  # whatever the size


#: measured with 1,000 comments; models that are not here get the defaults
CLASSICAL = {
    "majority": Classical(1e-9, 1e-9, 5.0, 0.01),
    "word-list": Classical(1e-7, 1e-7, 5.0, 0.01, fixed_s=0.5),
    "lsa": Classical(2.2e-6, 0.07e-6, 95.0, 13.0),
    "word2vec": Classical(0.1e-6, 0.06e-6, 55.0, 3.2, fixed_s=4.7),  # reads 1.5 million words
    "fasttext": Classical(0.5e-6, 0.1e-6, 150.0, 10.0, fixed_s=3.0),
    "tfidf": Classical(2.9e-6, 0.3e-6, 85.0, 0.9),
}


def of_classical(name: str, work: Work) -> Rates:
    known = CLASSICAL.get(name, Classical())
    characters = work.train * work.characters
    return Rates(
        "classical",
        train_s=known.fixed_s + known.train_s * characters,
        choose_s=0.0,
        score_s=known.score_s * work.characters,
        training_mb=_LIBRARIES_MB["classical"] + known.work_mb,
        scoring_mb=_LIBRARIES_MB["classical"] + known.work_mb / 3,
        disk_mb=known.disk_mb,
    )


@dataclass(frozen=True)
class Training:
    """How a transformer learns."""

    passes: float  # over the training comments; 0: it does not
    all_weights: bool = False  # False: adapters, or nothing
    frozen: bool = False  # no backward pass: only the encoder's outputs are learned from
    chooses: bool = False  # a prompt, on the validation comments
    four_bits: bool = False  # the base while it trains


def of_transformer(
    network: Network,
    training: Training,
    work: Work,
    tokens: float,
    gemm: float,
    *,
    cores: int | None,
    bytes_per_weight: int,
    sequences: int = 1,
) -> Rates:
    """Rates of a transformer.

    Args:
        tokens: of a sequence, mean.
        sequences: of a comment.
        gemm: operations per second of products of matrices of this width.
        cores: that compute; None: an accelerator.
        bytes_per_weight: 2 in bf16, 4 in fp32.
    """
    kind = "llm" if network.is_llm else "encoder"
    # Moving takes longer than its share of the cores: they share caches and memory.
    slower = (_CALIBRATED_CORES / cores) ** 0.5 if cores else _CALIBRATED_GEMM / gemm
    moved = sequences * tokens * network.width * network.layers * slower
    product_s = 2.0 * network.layer_weights * sequences * tokens / gemm
    score_s = product_s + _SCORE_MOVE_S * moved
    weights_mb = network.parameters * bytes_per_weight / 1e6
    scoring_mb = _LIBRARIES_MB[kind] + weights_mb + _SCORED_MB[kind]
    if training.frozen or not training.passes:
        train_s, kept_mb = score_s * work.train * training.frozen, 0.0
        disk_mb = 0.01
    else:
        directions = 3 if training.all_weights else 2
        each_s = directions * product_s + _TRAIN_MOVE_S * moved * (1.1 if training.four_bits else 1)
        train_s = each_s * work.train * training.passes
        # fp32 weights, gradients and two moments of those that change
        states_mb = network.parameters * 16e-6 if training.all_weights else 0.0
        kept = _KEPT_BYTES[kind] * _BATCH[kind] * tokens * network.width * network.layers
        kept_mb = states_mb + kept / 1e6
        disk_mb = network.parameters * (4e-6 if training.all_weights else 0.04e-6)
    return Rates(
        kind,
        train_s=train_s,
        choose_s=score_s * asked(work.validation) * training.chooses,
        score_s=score_s,
        training_mb=scoring_mb + kept_mb,
        scoring_mb=scoring_mb,
        disk_mb=disk_mb,
    )


def asked(validation: int) -> int:
    """How many comments are read to choose a prompt; see `models.transformer.prompting.prompt_choice`."""
    return _WORDINGS * min(validation, _SCREENED) + 2 * max(validation - _SCREENED, 0)


def training_s(rates: Rates, work: Work) -> float:
    """Start of a process, choosing settings, and training; with learning curves and a search."""
    curve_s = rates.train_s + 5 * work.scored / 4 * rates.score_s if work.curve else 0.0
    search_s = work.tune_s + _START_S[rates.kind] if work.tune_s else 0.0
    return _START_S[rates.kind] + _METER_S + rates.choose_s + rates.train_s + curve_s + search_s


def scoring_s(rates: Rates, work: Work) -> float:
    """What a later seed measures: a process that scores all comments."""
    return _START_S[rates.kind] + work.scored * rates.score_s


def measuring_s(rates: Rates, work: Work, effort: Effort) -> float:
    """All measurements of a first seed."""
    single_s = max(rates.score_s / _BATCHES[1], 2e-4)
    latency_s = min(max(_SINGLE_CALLS * single_s, _LEAST_LATENCY_S), effort.latency_limit_s)
    sweep_s = sum(
        max(effort.throughput_s, effort.largest_batch * rates.score_s / share)
        for size, share in _BATCHES.items()
        if size <= effort.largest_batch
    )
    if rates.kind == "classical":
        sweep_s += _ALL_CORES_S * effort.throughput_s
    few_s = effort.memory_comments * rates.score_s
    energy_s = max(effort.energy_window_s, few_s) + 2 * effort.idle_window_s
    memory_s = _START_S[rates.kind] + few_s
    batches_s = _BATCH_TIMES_S / (2 if rates.kind == "classical" else 1)
    parts = (latency_s, batches_s, sweep_s, energy_s, memory_s, scoring_s(rates, work))
    return math.fsum(parts)
