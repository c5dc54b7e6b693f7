"""An LLM on a chat-completions server: llama.cpp, vLLM, Ollama, `transformers serve`, a hosted API.

It answers the question that a local LLM gets (`transformer/prompting/prompts.py`), without examples or after a few
training comments. Nothing is trained. Comments are sent to the server, so the user must permit it unless
the server is on this machine.
"""

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from worthit.datasets.cache import short_hash
from worthit.datasets.errors import CellError, OptionError, RunError
from worthit.models.chat import address, answers
from worthit.models.chat.answer_cache import AnswerCache
from worthit.models.chat.answers import Completion
from worthit.models.chat.client import Client, Reply
from worthit.models.chat.messages import Example, Question
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.transformer.prompting import examples

_FILE = "endpoint.json"
_MOST_TOKENS = 8  # of an answer; a class's name may have several
#: what servers accept differs: the first of these that one accepts is used for all requests
_PARAMETERS: tuple[dict[str, Any], ...] = (
    {"max_tokens": _MOST_TOKENS, "temperature": 0, "logprobs": True, "top_logprobs": 20},
    {"max_tokens": _MOST_TOKENS, "temperature": 0, "logprobs": True, "top_logprobs": 5},
    {"max_tokens": _MOST_TOKENS, "temperature": 0},
    {"max_completion_tokens": _MOST_TOKENS, "temperature": 0},
    {
        "max_completion_tokens": 50 * _MOST_TOKENS
    },  # models that reason first, at their own temperature
)
_NO_COMPLETION = "not a chat completion"
_PROBE = "Thank you for your help."  # of no user


@dataclass(frozen=True)
class EndpointSettings:
    model: str = ""  # as the server names it
    url: str = ""  # of `--endpoint`
    shots: int = 0  # training comments before each comment, as many of each class as possible
    max_characters: int = 4_000  # of a comment; the rest is not sent
    requests_at_once: int = 8  # while scoring
    timeout_s: float = 60.0
    retries: int = 6


@dataclass(frozen=True)
class Asked:
    """One comment's way to the server and back."""

    completion: Completion | None
    problem: str  # why there is no answer; empty: there is one
    scores: answers.Scores | None
    cached: bool  # answered by an earlier request
    retries: int = 0
    rate_limited: int = 0  # of the retries


@dataclass(frozen=True)
class _Saved:
    parameters: dict[str, Any]
    examples: list[Example]


class Endpoint(Classifier[EndpointSettings]):
    name = "endpoint"
    Settings = EndpointSettings
    trains = False
    answers_all = False
    libraries = ("urllib3",)

    _saved: _Saved

    @cached_property
    def address(self) -> address.Address:
        """Raises OptionError without a model's name or a usable address."""
        if not self.settings.model or not self.settings.url:
            raise OptionError("an endpoint needs both: --models endpoint:NAME and --endpoint URL")
        return address.parse(self.settings.url)

    @property
    def sends_comments_to(self) -> str:
        return "" if self.address.is_this_machine else self.address.host

    def ask(
        self, texts: Sequence[str], requests_at_once: int, *, fresh: bool = False
    ) -> list[Asked]:
        """Ask about n comments.

        Args:
            fresh: send each request, even if the cache has its answer; the answer is not cached.

        Raises:
            OptionError: comments would leave this machine, and the user has not permitted it.
            CellError: no request to this server will succeed.
        """
        if self.sends_comments_to and not self.may_send_comments:
            raise OptionError(
                f"comments would be sent to {self.sends_comments_to}; --yes-send-comments permits it"
            )
        with ThreadPoolExecutor(max(1, min(requests_at_once, len(texts)))) as pool:
            try:
                return list(pool.map(lambda text: self._ask(text, fresh), texts))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def truncated_share(self, texts: Sequence[str]) -> float:
        if not len(texts):
            return 0.0
        most = self.settings.max_characters
        return sum(len(text) > most for text in texts) / len(texts)

    def size(self) -> Size:
        return Size(None, None)

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        """Draw the examples, and find out which parameters the server accepts, without any comment."""
        self._saved = _Saved(self._accepted_parameters(), self._examples(texts, labels))
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        """A row of NaN is a comment without an answer."""
        none = (np.nan,) * len(self.classes)
        asked = self.ask(texts, self.settings.requests_at_once)
        return np.array([one.scores.probabilities if one.scores else none for one in asked])

    def _save(self, folder: Path) -> None:
        (folder / _FILE).write_bytes(msgspec.json.encode(self._saved))

    def _load(self, folder: Path) -> None:
        try:
            self._saved = msgspec.json.decode((folder / _FILE).read_bytes(), type=_Saved)
        except (OSError, msgspec.DecodeError) as error:
            raise RunError(f"{folder / _FILE} is missing or damaged; run again") from error
        _ = self._question, self._client, self._cache  # so that the first comment need not wait

    @cached_property
    def _question(self) -> Question:
        return Question.about(self.classes)

    @cached_property
    def _client(self) -> Client:
        settings = self.settings
        return Client(self.address, settings.model, settings.timeout_s, settings.retries)

    @cached_property
    def _cache(self) -> AnswerCache:
        return AnswerCache()

    def _ask(self, text: str, fresh: bool) -> Asked:
        body = self._body(text, self._saved.parameters, self._saved.examples)
        request = short_hash(self.address.url, json.dumps(body, sort_keys=True))
        known = None if fresh else self._cache.get(request)
        if known is not None:
            return self._judged(known, Reply(), cached=True)
        reply = self._client.post(body)
        completion = None if reply.problem else answers.completion(reply.body)
        if completion is not None and not fresh:
            self._cache.put(request, completion)
        return self._judged(completion, reply, cached=False)

    def _judged(self, completion: Completion | None, reply: Reply, *, cached: bool) -> Asked:
        found = None if completion is None else answers.scores(completion, self._question.answers)
        problem = ""
        if completion is None:
            problem = reply.problem or _NO_COMPLETION
        elif found is None:
            problem = completion.refused or "names no class"
        return Asked(completion, problem, found, cached, reply.retries, reply.rate_limited)

    def _body(
        self, text: str, parameters: dict[str, Any], examples: Sequence[Example] = ()
    ) -> dict[str, Any]:
        cut = self.settings.max_characters
        shots = [(comment[:cut], label) for comment, label in examples]
        messages = self._question.messages(text[:cut], shots)
        return {"model": self.settings.model, "messages": messages, **parameters}

    def _accepted_parameters(self) -> dict[str, Any]:
        problems: list[str] = []
        for parameters in _PARAMETERS:
            reply = self._client.post(self._body(_PROBE, parameters))
            if not reply.problem and answers.completion(reply.body) is not None:
                return parameters
            problems.append(reply.problem or _NO_COMPLETION)
            if reply.status == 0:  # it stalls or disconnects, whatever the parameters
                break
        (reason, _), *_ = Counter(problems).most_common(1)
        raise CellError(
            f"the endpoint on {self.address.shown} does not answer a test question ({reason}); check "
            "--endpoint, and that the server has a chat model"
        )

    def _examples(self, texts: Sequence[str], labels: Labels) -> list[Example]:
        rows = examples.draw(labels, self.settings.shots, self.seed)
        return [(texts[row], int(labels[row])) for row in rows]
