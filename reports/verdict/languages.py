"""What a verdict says if the language of the comments decides rather than the models."""

from collections.abc import Iterator

from worthit.reports.analysis.languages import main_language, unread
from worthit.reports.text.format import joined
from worthit.reports.verdict.case import Case


def caution(case: Case) -> str:
    """A sentence for the headline; empty if all weights can read the comments."""
    names = _unread(case)
    if not names:
        return ""
    return f" The weights of {joined(names)} cannot read {main_language(case.run.data.audit.train)} well."


def of_verdict(case: Case) -> str:
    """Which weights cannot read the comments, and what that leaves open; empty if all can."""
    names = _unread(case)
    if not names:
        return ""
    language, llm = main_language(case.run.data.audit.train), case.name(case.llm)
    weights = f"The comments are mainly in a language ({language}) that the weights of {joined(names)} cannot read well"
    if llm not in names:
        return f"{weights}: {llm} has an advantage that other weights would not leave it."
    return f"{weights}: this verdict does not say what an LLM for {language} would reach."


def other_weights(case: Case) -> Iterator[str]:
    """What would change such a verdict."""
    if names := _unread(case):
        language = main_language(case.run.data.audit.train)
        yield f"Weights that know {language}, for {joined(names)} (`--checkpoint MODEL=ID_OR_PATH`)."


def _unread(case: Case) -> list[str]:
    """The LLM and the cheaper models that cannot read the comments, in the order of the run."""
    compared = {case.name(cell) for cell in (case.llm, *case.rivals, *case.unranked)}
    return [name for name in unread(case.run) if name in compared]
