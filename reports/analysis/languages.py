"""Which models start from weights that cannot read the language of the data.

There are two signs. The model card of packaged weights names their languages. Of any weights, the vocabulary
shows it: text that it does not have becomes unknown tokens, or is spelled out in characters or bytes. On one
review in ten languages, the two packaged vocabularies, which are for English, have this many tokens per
character: English 0.23, German 0.33, Finnish 0.4 to 0.5, Russian 0.8, Hindi 0.6 to 1.0, Chinese 1.0 (69 % unknown)
to 1.8. The limit, twice as many as in English, finds other scripts rather than other languages in Latin letters. A
Chinese, Japanese or Korean character is a token in most vocabularies that have it.
"""

from collections.abc import Mapping

from worthit.bench.saved.record import CellRecord, Run, Vocabulary
from worthit.datasets.audit.audit import FOREIGN, SideAudit
from worthit.reports.analysis import run_view
from worthit.reports.text.format import joined, percent

_ENGLISH = "en"
_NAMES = {_ENGLISH: "English"}
_UNKNOWN = 0.05  # share of unknown tokens
_TIMES_ENGLISH = 2.0
_MOST_PER_CHARACTER = 1.2  # where a character is a syllable or a word
_DENSE = ("zh", "ja", "ko", "yue", "wuu")


def main_language(side: SideAudit) -> str:
    """The ISO 639 code of most comments; empty if it is not known."""
    known = side.known_languages
    return max(known, key=lambda code: known[code], default="")


def unread(run: Run) -> Mapping[str, str]:
    """Name of a model whose weights cannot read the data well → why, in words."""
    found = {run_view.name(run, cell): _why(run, cell) for cell in run_view.first_seeds(run)}
    return {name: why for name, why in found.items() if why}


def _why(run: Run, cell: CellRecord) -> str:
    side = run.data.audit.train
    languages = cell.setup.languages if cell.setup else ()
    vocabulary = cell.quality.vocabulary if cell.quality else None
    evidence = _evidence(main_language(side), vocabulary)
    if languages and side.share_outside(languages) >= FOREIGN:
        named = joined([_NAMES.get(code, code) for code in languages])
        return f"weights for {named}" + f", {evidence}" * bool(evidence)
    return evidence


def _evidence(language: str, vocabulary: Vocabulary | None) -> str:
    """What the vocabulary shows; empty if it fits."""
    if vocabulary is None or language in ("", _ENGLISH):
        return ""
    if vocabulary.unknown_share >= _UNKNOWN:
        return f"{percent(vocabulary.unknown_share)} of the tokens are unknown"
    per_character, english = vocabulary.tokens_per_character, vocabulary.in_english
    most = _MOST_PER_CHARACTER if language in _DENSE else _TIMES_ENGLISH * english
    if per_character <= most:
        return ""
    return f"{per_character:.1f} tokens per character instead of {english:.1f} in English"
