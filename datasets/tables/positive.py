"""Which of two classes is the positive one, by their names."""

import re
from collections.abc import Mapping

TRUE = {"1", "true", "yes", "y", "t"}
FALSE = {"0", "false", "no", "n", "f"}
# Usual names of a positive class, then of the other class.
_POSITIVE = re.compile(
    r"toxic|spam|positive|pos|hate(ful)?|hate.?speech|offensive|abusive|insult(ing)?|harmful|unsafe"
    r"|harassment|obscene|threat(ening)?|bad|relevant|fraud|fake|rumou?r|sarcastic|ironic|irony|sarcasm|accept(ed)?"
)
_NEGATIVE = re.compile(
    r"not|non|neg(ative)?|ham|normal|neutral|ok(ay)?|clean|none|nothing|others?|benign|good|safe|real|true|irrelevant"
)
# A negation is a word of its own: norway and notice are names.
_NEGATED = re.compile(r"(non|not|no)[ _-]+\w.*")
_INTEGER = re.compile(r"-?\d+")


def is_known(label: str) -> bool:
    """True for a usual name of one of two classes, in lower case."""
    names = (*TRUE, *FALSE)
    return label in names or bool(_POSITIVE.fullmatch(label) or _NEGATIVE.fullmatch(label))


def guess(counts: Mapping[str, int]) -> tuple[str, str]:
    """The positive one of two labels, and why.

    Args:
        counts: comments of each, by its canonical spelling.
    """
    both = tuple(counts)
    for label, other in (both, both[::-1]):
        if label in TRUE and other in FALSE:
            return label, "by its name"
    for label, other in (both, both[::-1]):
        if _POSITIVE.fullmatch(label) and not _POSITIVE.fullmatch(other):
            return label, "by its name"
    for label, other in (both, both[::-1]):
        if is_negative(other, of=label) and not is_negative(label, of=other):
            return label, f"the other is {other}"
    if all(_INTEGER.fullmatch(label) for label in both):
        return max(both, key=int), "the larger number"
    rarer = min(both, key=lambda label: (counts[label], label))
    is_tie = counts[both[0]] == counts[both[1]]
    return rarer, "neither name tells; the first one" if is_tie else "the rarer one"


def is_negative(label: str, of: str) -> bool:
    """True if a label says that something is not the case: neutral, not spam, nontoxic beside toxic."""
    bare = re.sub(r"[\W_]+", "", label)
    stem = re.sub(r"[\W_]+", "", of)
    return bool(
        label in ("0", "no", "false")
        or _NEGATIVE.fullmatch(label)
        or _NEGATED.fullmatch(label)
        or any(bare == prefix + stem for prefix in ("non", "not", "no", "un", "in", "im", "ir"))
    )
