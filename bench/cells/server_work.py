"""The operations of a cell whose model is on a server: nothing is trained, and each request may be paid."""

import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from worthit.bench.cells.cell_model import without_paths
from worthit.bench.cells.work import Work
from worthit.bench.instruments.comment_sample import sample_by_length
from worthit.bench.instruments.latency import measure_latency
from worthit.bench.instruments.readings import COMPONENTS
from worthit.bench.instruments.server_requests import measure_concurrency
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.datasets.cache import new_folder

_CLOCK = "perf_counter, network included"


class ServerWork(Work):
    """One cell of an endpoint. Memory and energy are not asked for: they are the server's."""

    def train(self) -> record.Training:
        """Check that the server answers, draw the examples, and save both; of no cost, and never cached."""
        self._model = model = self._cell_model.make()
        comments = self._comments("train")
        watch = self._watch()
        model.fit(comments.texts, comments.labels, self._progress)
        folder = self._artifact_folder(self._cell_model.fingerprint())
        with new_folder(folder, replace=True) as scratch:
            model.save(scratch)
        joules = dict.fromkeys(COMPONENTS, unavailable("J", record.NOT_TUNED))
        nowhere = unavailable("MB", record.ON_SERVER)
        return record.Training(
            train_s=unavailable("s", record.NOT_TUNED),
            memory=record.Memory(nowhere, nowhere, nowhere, nowhere, nowhere, nowhere, nowhere, 1),
            trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
            settings=without_paths(model.get_params()),
            artifact=folder.name,
            disk_mb=nowhere,
            parameters=None,
            trained_parameters=None,
            comments=0,
            truncated_share=model.truncated_share(comments.texts),
            cpu_s=unavailable("s", record.NOT_TUNED),
            cpu_j=joules["CPU"],
            ram_j=joules["RAM"],
            gpu_j=joules["GPU"],
            choosing_s=unavailable("s", record.NOTHING_CHOSEN),
            tried=0,
            weighted=model.is_weighted,
            processes=1,
            disturbance=watch.end(),
        )

    def latency(self, texts: Sequence[str]) -> record.Latency:
        """One fresh request per comment, one after the other."""
        asked: list[Any] = []

        def cold_start() -> Figure:
            if self._has_answered:
                return unavailable("s", "the process had scored comments before")
            self._has_answered = True
            return measured(self._worked_s(), "s", "process start to first answer")

        def send(part: Sequence[str]) -> None:
            asked.extend(self._model.ask(part, 1, fresh=True))

        limit_s = self._cell.effort.latency_limit_s
        latency = measure_latency(
            send, self._synchronize, texts, limit_s, self._load_s, cold_start, once_each=True
        )
        return dataclasses.replace(_with_network(latency), requests=_requests(asked))

    def throughput(self) -> record.Throughput:
        """Comments other than those of `latency` where there are enough: a server may cache prompts."""
        test, asked = self._comments("test").texts, list[Any]()
        timed = {*sample_by_length(test, self._cell.effort.latency_samples)}
        others = [text for text in test if text not in timed] or test

        def send(part: Sequence[str], at_once: int) -> tuple[int, bool]:
            found = self._model.ask(part, at_once, fresh=True)
            asked.extend(found)
            answered = sum(one.scores is not None for one in found)
            return answered, any(one.rate_limited for one in found)

        sweep = measure_concurrency(send, sample_by_length(others, len(others)))
        return dataclasses.replace(sweep, requests=_requests(asked))

    def quality(self) -> record.Quality:
        """Ask about each distinct comment once, unless the cache has its answer."""
        parts = {name: self._comments(name).texts for name in ("test", "natural", "validation")}
        parts["train"] = self._comments("train").texts[: len(parts["test"])]
        others = {name: self._comments("test", key).texts for name, key in self._cell.also}
        texts = list(dict.fromkeys(itertools.chain(*parts.values(), *others.values())))
        start = time.perf_counter()
        asked = self._model.ask(texts, self._model.settings.requests_at_once)
        scoring_s = time.perf_counter() - start
        answer_to = dict(zip(texts, asked, strict=True))

        def probabilities(part: Sequence[str]) -> tuple[float, ...]:
            classes = len(self._model.classes)
            unknown = (1 / classes,) * classes
            found = (answer_to[text].scores for text in part)
            scores = [one.probabilities if one else unknown for one in found]
            return self._probabilities(np.array(scores).reshape(-1, classes))

        return record.Quality(
            **{name: probabilities(part) for name, part in parts.items()},
            scoring_s=scoring_s,
            truncated_share=self._model.truncated_share(parts["test"]),
            out_of_domain=tuple(
                record.OutOfDomainScores(name, probabilities(part)) for name, part in others.items()
            ),
            vocabulary=None,  # the server's is not known
            requests=_requests(asked),
            test_no_answer=sum(answer_to[text].scores is None for text in parts["test"]),
        )


def _with_network(latency: record.Latency) -> record.Latency:
    """The same figures, read from a clock that no device was synchronised for."""
    figures: dict[str, Any] = {
        field.name: dataclasses.replace(figure, instrument=_CLOCK)
        for field in dataclasses.fields(latency)
        if isinstance(figure := getattr(latency, field.name), Figure)
        and figure.value is not None
        and field.name not in ("load_s", "cold_start_s")
    }
    return dataclasses.replace(latency, **figures)


def _requests(asked: Sequence[Any]) -> record.Requests:
    return record.Requests(
        comments=len(asked),
        cached=sum(one.cached for one in asked),
        retries=sum(one.retries for one in asked),
        rate_limited=sum(one.rate_limited for one in asked),
        no_answer=dict(Counter(one.problem for one in asked if one.problem)),
        by_log_probabilities=sum(
            one.scores is not None and one.scores.how == "log-probabilities" for one in asked
        ),
        prompt_tokens=_tokens(asked, "prompt_tokens"),
        completion_tokens=_tokens(asked, "completion_tokens"),
    )


def _tokens(asked: Sequence[Any], name: str) -> Figure:
    """The mean over the comments that the server answered, if it counted the tokens of each."""
    counts = [getattr(one.completion, name) for one in asked if one.completion is not None]
    if not counts or None in counts:
        return unavailable("tokens", "the server does not count tokens" if counts else "no answer")
    mean = sum(counts) / len(counts)
    return measured(mean, "tokens", "usage, as the server counts", len(counts))
