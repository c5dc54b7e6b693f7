"""A search for better settings within a time budget, judged on validation comments.

Successive halving of random settings: many are trained on a small part of the training comments, the
better half of them on twice as many, and so on (Jamieson and Talwalkar 2016, "Non-stochastic Best Arm
Identification"; random settings: Bergstra and Bengio 2012). Only the last part decides. The given
settings are trained on every part, and stay unless others have a lower loss there and are no worse by the measure.

Not optuna: its budget ends between trials only, so a slow model would overrun it, and with the 5 to 50
trials of a minute its samplers have little to learn from. Not scikit-learn's HalvingRandomSearchCV: it
counts trainings, not seconds.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from worthit.datasets.errors import WorthitError

Settings = Mapping[str, Any]

NOTHING_TO_TUNE = "it has nothing to tune"
_PARTS = 3  # at most: a quarter, a half, and the whole of the largest part
_LEAST_SHARE = 4  # the part that decides is at least a quarter: good settings depend on the size
_LAST_SHARE = 2 / 3  # of the budget, for the first two trainings on the largest part
_LESS = 0.75  # of the time of the next part, at most
_MOST_SETTINGS = 1_000


class OutOfTimeError(Exception):
    """A trial would take longer than what is left of the budget."""


class Score(NamedTuple):
    """How good settings are. They are ranked by the loss, which depends less on chance than the measure."""

    negative_loss: float
    value: float  # of the measure that reports show, higher is better


@dataclass(frozen=True)
class Trial:
    """One training on a part of the training comments, scored on the validation comments."""

    score: Score
    training_s: float
    scoring_s: float
    epochs: float = 1.0  # passes over the comments


#: called with settings that differ from the given ones, a number of training comments, and the seconds
#: left; raises OutOfTimeError when they are over
TryOut = Callable[[Settings, int, float], Trial]


@dataclass(frozen=True)
class Outcome:
    """The result of a search."""

    chosen: dict[str, Any]  # that differ from the given settings; empty: these stay
    trials: int  # finished trainings
    tried: int  # different settings among them, the given ones included
    comments: int  # that the trainings which decided had; 0: none did
    given: float | None = None  # validation score of the given settings
    best: float | None = None  # of the chosen ones
    reason: str = ""  # why the given settings stay


def search(
    try_out: TryOut,
    space: Mapping[str, Sequence[Any]],
    given: Settings,
    sizes: Sequence[int],
    budget_s: float,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    epochs_of: Callable[[int], float] = lambda comments: 1.0,
) -> Outcome:
    """Search for settings that are better than the given ones.

    Args:
        space: name of a setting → its values to try.
        given: all settings of the model.
        sizes: numbers of training comments, growing; each is a part of the next.
        budget_s: no trial is started that would end later, as far as earlier ones tell.
        seed: decides which settings are tried, and in which order.
        epochs_of: epochs of the given settings on a number of comments.
    """
    rivals = list(_candidates(space, given, seed))
    if not rivals:
        return Outcome({}, 0, 0, 0, reason=NOTHING_TO_TUNE)
    return _Search(try_out, sizes, budget_s, clock, epochs_of).run(rivals)


def _candidates(
    space: Mapping[str, Sequence[Any]], given: Settings, seed: int
) -> Iterator[dict[str, Any]]:
    """Different combinations in random order, as what differs from the given settings."""
    sizes = [len(values) for values in space.values()]
    total = math.prod(sizes) if sizes else 0
    rng = np.random.default_rng(seed)
    for place in rng.permutation(total)[:_MOST_SETTINGS].tolist():
        combination = {}
        for name, values in space.items():
            place, number = divmod(place, len(values))
            combination[name] = values[number]
        differing = {name: value for name, value in combination.items() if value != given[name]}
        if differing:
            yield differing


@dataclass
class _Search:
    try_out: TryOut
    sizes: Sequence[int]
    budget_s: float
    clock: Callable[[], float]
    epochs_of: Callable[[int], float]
    #: (key of the settings, comments) → the finished trial
    done: dict[tuple[str, int], Trial] = field(default_factory=dict)

    def run(self, rivals: list[dict[str, Any]]) -> Outcome:
        self._end_s = self.clock() + self.budget_s
        probe = self._finish({}, self.sizes[0])
        if probe is None:
            return self._outcome(f"a training on {self.sizes[0]:,} comments does not fit")
        parts = self._parts()
        if not parts:
            least = next(filter(self._decides, self.sizes))
            both_s = 2 * self._estimate_s({}, least)
            return self._outcome(
                f"two trainings on {least:,} comments take about {both_s:.3g} s, too long for the budget"
            )
        entrants, decided, on = [{}, *rivals], list[tuple[Settings, Trial]](), 0
        while parts:
            until_s = self.clock() + self._left_s() / len(parts)
            comments = parts.pop(0)
            finished = self._compare(entrants, comments, until_s)
            if len(finished) < 2 or finished[0][0]:
                break
            if self._decides(comments):
                decided, on = finished, comments
            best_first = sorted(finished[1:], key=lambda entry: entry[1].score, reverse=True)
            entrants = [{}, *(dict(entry[0]) for entry in best_first[: -(-len(best_first) // 2)])]
            parts = parts or self._able(self._left_s(), above=comments)[:1]
        if not decided:
            return self._outcome("no second training fits")
        (_, given), *others = decided
        better = [
            (settings, trial)
            for settings, trial in others
            if trial.score > given.score and trial.score.value >= given.score.value
        ]
        if not better:
            return self._outcome("no other settings are better", on, given)
        settings, best = max(better, key=lambda entry: entry[1].score)
        return self._outcome("", on, given, settings, best)

    def _outcome(
        self,
        reason: str,
        comments: int = 0,
        given: Trial | None = None,
        chosen: Settings | None = None,
        best: Trial | None = None,
    ) -> Outcome:
        before, after = (
            None if trial is None else trial.score.value for trial in (given, best or given)
        )
        return Outcome(
            dict(chosen or {}),
            len(self.done),
            len({key for key, _ in self.done}),
            comments,
            before,
            after,
            reason,
        )

    def _parts(self) -> list[int]:
        """The sizes to compare settings on, growing; none if the model is too slow.

        The last one is large rather than that many settings are tried. A smaller one is worth it if it
        takes less time: scoring takes the same.
        """
        able = self._able(self._left_s() * _LAST_SHARE)
        if not able or not self._decides(able[-1]):
            return []
        parts = able[-1:]
        for comments in reversed(able[:-1]):
            if self._estimate_s({}, comments) <= _LESS * self._estimate_s({}, parts[0]):
                parts.insert(0, comments)
        return parts[-_PARTS:]

    def _decides(self, comments: int) -> bool:
        return comments * _LEAST_SHARE >= self.sizes[-1]

    def _able(self, seconds: float, above: int = 0) -> list[int]:
        """The sizes on which two trainings take at most so long."""
        return [
            comments
            for comments in self.sizes
            if comments > above and 2 * self._estimate_s({}, comments) <= seconds
        ]

    def _compare(
        self, entrants: Sequence[Settings], comments: int, until_s: float
    ) -> list[tuple[Settings, Trial]]:
        """The trials that finish in time; the given settings and one other may use the whole budget."""
        finished: list[tuple[Settings, Trial]] = []
        for settings in entrants:
            if len(finished) > 1 and self.clock() + self._estimate_s(settings, comments) > until_s:
                continue
            trial = self._finish(settings, comments)
            if trial is not None:
                finished.append((settings, trial))
        return finished

    def _finish(self, settings: Settings, comments: int) -> Trial | None:
        """A trial; None if it fails, or does not fit into the budget.

        Raises:
            WorthitError: the given settings fail.
        """
        key = repr(sorted(settings.items())), comments
        if key in self.done:
            return self.done[key]
        if self.done and self._estimate_s(settings, comments) > self._left_s():
            return None
        try:
            self.done[key] = self.try_out(settings, comments, self._left_s())
        except OutOfTimeError:
            return None
        except WorthitError:
            if not settings:
                raise
            return None
        return self.done[key]

    def _left_s(self) -> float:
        return max(self._end_s - self.clock(), 0.0)

    def _estimate_s(self, settings: Settings, comments: int) -> float:
        """How long a trial takes, from the largest parts that these settings, or else any, had."""
        name = repr(sorted(settings.items()))
        own = {key: trial for key, trial in self.done.items() if key[0] == name} or self.done
        largest = max(size for _, size in own)
        rate_s = max(
            trial.training_s / (size * trial.epochs)
            for (_, size), trial in own.items()
            if size == largest
        )
        epochs = settings.get("epochs") or self.epochs_of(comments)
        scoring_s = max(trial.scoring_s for trial in self.done.values())
        return scoring_s + rate_s * comments * epochs
