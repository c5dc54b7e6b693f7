"""Rows of JSON whose text and labels are below other keys: exports of annotation tools and databases.

Known are Label Studio (`data`, `annotations`), Argilla (`fields`, `responses`), doccano before 1.5
(`annotations`), and rows within an object such as Elasticsearch's `_source`. An
intent of a chatbot (`tag`, `patterns`) is a row of several texts. The first rows decide.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worthit.datasets.formats.chunks import HEAD_ROWS, peeked

Row = dict[str, Any]
#: the labels of a row: of each question, one per annotator
_Answers = list[tuple[str, Any]]

#: keys of Label Studio that describe a task, not its text
_OF_LABEL_STUDIO = {
    "annotations", "predictions", "drafts", "file_upload", "meta", "created_at", "updated_at", "inner_id",
    "total_annotations", "cancelled_annotations", "total_predictions", "comment_count",
    "unresolved_comment_count", "last_comment_updated_at", "project", "updated_by", "comment_authors",
}  # fmt: skip
_TEXT, _LABEL = "text", "label"
#: keys of an intent's name and of its texts, in files of chatbots
_INTENTS = (("tag", "patterns"), ("intent", "patterns"), ("intent", "examples"), ("intent", "text"))


@dataclass(frozen=True)
class _Kind:
    """A tool's way to save labels."""

    tool: str
    key: str  # that holds them
    left_out: set[str]  # keys that describe a row
    answers: Callable[[Any], _Answers]


def unfolded(rows: Iterator[Row], name: str) -> tuple[Iterator[Row], tuple[str, ...]]:
    """The rows with their text and labels as keys of their own; and a line on it."""
    head, rows = peeked(rows, HEAD_ROWS)
    notes: tuple[str, ...] = ()
    if keys := next((keys for keys in _INTENTS if _are_intents(head, *keys)), None):
        label, texts = keys
        note = f"each of the {texts!r} of {name} is read as a text, with its {label!r} as the label"
        return _of_intents(rows, label, texts), (note,)
    wrapper = _wrapper(head)
    kind = next((kind for kind in _KINDS if _fits(kind, head)), None)
    if wrapper:
        rows = (_unwrapped(row, wrapper) for row in rows)
        notes += (f"the columns of {name} are those under {wrapper!r}",)
    if kind:
        several = any(_times(kind, row) > 1 for row in head)
        columns = _columns(kind, head)
        rows = (_labelled(row, kind, columns) for row in rows)
        notes += (f"the labels of {name} are those under {kind.key!r}, as {kind.tool} saves them",)
        if several:
            notes += (
                "of several annotations of a text the most frequent counts; texts with a tie have no label",
            )
    return rows, notes


def _are_intents(head: Sequence[Row], label: str, texts: str) -> bool:
    return len(head) > 0 and all(
        isinstance(row.get(label), str) and isinstance(row.get(texts), list) for row in head
    )


def _of_intents(rows: Iterator[Row], label: str, texts: str) -> Iterator[Row]:
    """A row for each text of an intent; an intent may have none."""
    for row in rows:
        for text in row.get(texts) or ():
            yield {_TEXT: text, _LABEL: row.get(label)}


def _wrapper(head: Sequence[Row]) -> str | None:
    """The key under which all texts are, if no row has one at its top."""
    if any(_is_text(row[key]) for row in head for key in row.keys() - _OF_LABEL_STUDIO):
        return None
    holding = Counter(
        key
        for row in head
        for key, value in row.items()
        if isinstance(value, dict) and any(map(_is_text, value.values()))
    )
    return holding.most_common(1)[0][0] if len(holding) == 1 else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value.split()) > 2


def _unwrapped(row: Row, key: str) -> Row:
    inner = row.get(key)
    others = {name: value for name, value in row.items() if name != key}
    return others | inner if isinstance(inner, dict) else others


def _fits(kind: _Kind, head: Sequence[Row]) -> bool:
    return any(kind.answers(row.get(kind.key)) for row in head)


def _times(kind: _Kind, row: Row) -> int:
    """How many annotators answered the same question."""
    return max(
        Counter(question for question, _ in kind.answers(row.get(kind.key))).values(), default=0
    )


def _columns(kind: _Kind, head: Sequence[Row]) -> dict[str, str]:
    """Question → column. The answers to a single question are `label`."""
    questions = dict.fromkeys(
        question for row in head for question, _ in kind.answers(row.get(kind.key))
    )
    if len(questions) == 1:
        return dict.fromkeys(questions, _LABEL)
    return {question: question for question in questions}


def _labelled(row: Row, kind: _Kind, columns: Mapping[str, str]) -> Row:
    others = {name: value for name, value in row.items() if name not in kind.left_out}
    given: dict[str, list[Any]] = {column: [] for column in columns.values()}
    for question, value in kind.answers(row.get(kind.key)):
        if question in columns:
            given[columns[question]].append(value)
    return others | {column: _agreed(values) for column, values in given.items()}


def _agreed(values: Sequence[Any]) -> Any:
    """The value that most annotators gave; None if two are as frequent."""
    frequent = Counter(map(repr, values)).most_common(2)
    if not frequent or (len(frequent) > 1 and frequent[0][1] == frequent[1][1]):
        return None
    return next(value for value in values if repr(value) == frequent[0][0])


def _objects(value: Any) -> list[Row]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _of_label_studio(annotations: Any) -> _Answers:
    return [
        (str(result.get("from_name")), value)
        for annotation in _objects(annotations)
        if not annotation.get("was_cancelled")
        for result in _objects(annotation.get("result"))
        if (value := _result(result.get("value"))) is not None
    ]


def _result(value: Any) -> Any:
    """Choices or a rating; None for spans and anything else."""
    if not isinstance(value, dict) or "start" in value:
        return None
    choices = value.get("choices") or value.get("taxonomy") or value.get("rating")
    if isinstance(choices, list):
        last = (item[-1] if isinstance(item, list) and item else item for item in choices)
        choices = sorted(last, key=str)  # an export may hold null
        return choices[0] if len(choices) == 1 else choices
    return choices


def _of_doccano(annotations: Any) -> _Answers:
    labels = [
        item["label"]
        for item in _objects(annotations)
        if "start_offset" not in item and "label" in item
    ]
    return [(_LABEL, labels[0] if len(labels) == 1 else labels)] if labels else []


def _of_argilla(responses: Any) -> _Answers:
    if isinstance(responses, dict):  # question → answers
        return [
            (question, answer["value"])
            for question, answers in responses.items()
            for answer in _objects(answers)
            if answer.get("value") is not None
        ]
    return [
        (question, answer["value"])
        for response in _objects(responses)
        if response.get("status", "submitted") == "submitted"
        and isinstance(response.get("values"), dict)
        for question, answer in response["values"].items()
        if isinstance(answer, dict) and answer.get("value") is not None
    ]


_KINDS = (
    _Kind("Label Studio", "annotations", _OF_LABEL_STUDIO, _of_label_studio),
    _Kind("doccano", "annotations", {"annotations"}, _of_doccano),
    _Kind("Argilla", "responses", {"responses", "suggestions", "vectors", "metadata", "status"}, _of_argilla),
)  # fmt: skip
