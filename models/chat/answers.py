"""What a server answers, and the probability of each class that follows from it.

With log-probabilities of the first token, a class has the probability of the tokens that begin its
answer, divided by that of all answers. Otherwise the text decides: the class that it names has 1, the
others 0. A text that names no class, or several, is not an answer.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

#: what the tokens of all answers must have together, else the text decides
_LEAST_SHARE = 0.01
_OPENINGS = re.compile(
    r"^[\s\"'`*(\[]*(the )?(answer|label|class)?( is)?[\s:\"'`*(\[]*", re.IGNORECASE
)

How = Literal["log-probabilities", "text"]


@dataclass(frozen=True)
class Completion:
    """The parts of a server's answer that matter; kept in the cache of answers."""

    text: str
    first_token: tuple[tuple[str, float], ...]  # likely first tokens and their log-probabilities
    refused: str  # why, if the server says so
    prompt_tokens: int | None  # None: the server does not count
    completion_tokens: int | None


@dataclass(frozen=True)
class Scores:
    """The probability of each class, shape (k,), and where it is from."""

    probabilities: tuple[float, ...]
    how: How


def completion(body: Any) -> Completion | None:
    """Read the body of a response; None if it is not a chat completion."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        text = message.get("content") or ""
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    if not isinstance(text, str):
        return None
    refused = "refused by the model" if message.get("refusal") else ""
    if choice.get("finish_reason") == "content_filter":
        refused = "refused by a content filter"
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Completion(
        text,
        _first_token(choice.get("logprobs")),
        refused,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _first_token(logprobs: Any) -> tuple[tuple[str, float], ...]:
    """The likely tokens at the first place that is more than white space."""
    places = logprobs.get("content") if isinstance(logprobs, dict) else None
    for place in places if isinstance(places, list) else ():
        try:
            if not place["token"].strip():
                continue
            likely = place.get("top_logprobs") or [place]
            found = tuple((str(one["token"]), float(one["logprob"])) for one in likely)
        except (KeyError, TypeError, ValueError, AttributeError):
            return ()
        return found if all(not math.isnan(log) and log <= 1e-3 for _, log in found) else ()
    return ()


def scores(completion: Completion, answers: Sequence[str]) -> Scores | None:
    """The probabilities of the classes with these answers; None if it answers with none of them."""
    if completion.refused:
        return None
    by_token = _by_token(completion.first_token, answers)
    if by_token is not None:
        return Scores(by_token, "log-probabilities")
    named = _named(completion.text, answers)
    if named is None:
        return None
    return Scores(tuple(float(row == named) for row in range(len(answers))), "text")


def _by_token(
    first_token: Sequence[tuple[str, float]], answers: Sequence[str]
) -> tuple[float, ...] | None:
    if _some_begin_others(answers):
        return None
    shares = [0.0] * len(answers)
    for token, log in first_token:
        row = _begun_by(token.strip(), answers)
        if row is not None:
            shares[row] += math.exp(log)
    if sum(shares) < _LEAST_SHARE:
        return None
    # A token that is not listed is at most as likely as the last listed one, and as all others together.
    listed = [math.exp(log) for _, log in first_token]
    most = min(min(listed), max(1 - sum(listed), 0.0))
    shares = [share or most for share in shares]
    return tuple(share / sum(shares) for share in shares)


def _some_begin_others(answers: Sequence[str]) -> bool:
    return any(a != b and b.startswith(a) for a in answers for b in answers)


def _begun_by(token: str, answers: Sequence[str]) -> int | None:
    """The one answer that begins with a token; letters differ in case, names may."""
    exact = [row for row, answer in enumerate(answers) if token and answer.startswith(token)]
    if exact or not token:
        return exact[0] if len(exact) == 1 else None
    if any(len(answer) == 1 for answer in answers):
        return None
    folded = [row for row, a in enumerate(answers) if a.casefold().startswith(token.casefold())]
    return folded[0] if len(folded) == 1 else None


def _named(text: str, answers: Sequence[str]) -> int | None:
    """The answer that a text begins with, or the only name in it; a letter must come first."""
    said = _OPENINGS.sub("", text, count=1)
    letters = all(len(answer) <= 2 for answer in answers)
    flags = 0 if letters else re.IGNORECASE
    longest_first = sorted(range(len(answers)), key=lambda row: -len(answers[row]))
    for row in longest_first:
        if re.match(rf"{re.escape(answers[row])}(?!\w)", said, flags):
            return row
    if letters:
        return None
    found = {
        row
        for row, answer in enumerate(answers)
        if re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, flags)
    }
    # “not spam” names spam as well; a longer name that contains a shorter one stands for it.
    alone = {
        row for row in found if not any(answers[row] in answers[other] for other in found - {row})
    }
    return alone.pop() if len(alone) == 1 else None
