"""Guesses the column of the labels, by its name and its values; asks if several are plausible."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from worthit.datasets.classes import MOST_CLASSES
from worthit.datasets.errors import DataError, listed
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.tables import answers, labels
from worthit.datasets.tables.positive import FALSE, TRUE

_OPTION = "--label-column"
_MOST_VALUES = 20_000  # different ones, of a column that is looked at
_ENOUGH_ROWS = 10  # to tell that two columns name the same classes
_SURE_RANKS = {0, 1}
_list = partial(listed, most=12, width=40)


def usual(name: str) -> str:
    """A column's name in lower case, words separated by _, without accents: reviewText → review_text."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    bare = "".join(
        sign for sign in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(sign)
    )
    return re.sub(r"[\W_]+", "_", bare.casefold()).strip("_")


def _usual(names: str) -> tuple[str, ...]:
    return tuple(usual(name) for name in names.split())


#: names of a label, in some languages
_SURE = _usual(
    "label labels class classes gold_label gold cats etiqueta etiquette étiquette etichetta klasse clase "
    "classe etykieta etiket nhãn метка класс 标签 標籤 ラベル 레이블 라벨 लेबल"
)
_GENERAL = _usual(
    "target category categories annotation y kategorie categoría categoria catégorie kategoria kategori "
    "категория 类别 類別 分类 カテゴリ 카테고리"
)
#: what labels often say
_TOPICAL = _usual(
    "toxic toxicity is_toxic sentiment sentiments spam is_spam hate offensive polarity intent topic emotion "
    "rating stars star_rating overall score review_score review_rating genre stance mood type tag tags "
    "flair irony sarcasm sarcastic abuse abusive hateful hate_speech fraud fake relevance verdict "
    "sentimiento sentimento stimmung bewertung thema valoración puntuación оценка тональность 情感 评分"
)
#: also at the beginning or end of a name: label_text, gold_label, airline_sentiment
_WORDS = {"label", "labels", "class", "category", "target"}
_TOPICAL_WORDS = {
    "toxic", "toxicity", "sentiment", "spam", "hate", "offensive", "polarity", "intent", "topic", "emotion",
    "rating", "stars", "score", "genre", "stance",
}  # fmt: skip
#: a column whose name has one of these words describes a comment, but is hardly its label
_DESCRIBING = {
    "id", "ids", "index", "idx", "no", "nr", "number", "unnamed", "date", "time", "timestamp", "datetime",
    "year", "month", "day", "hour", "created", "updated", "url", "link", "user", "username", "author",
    "reviewer", "annotator", "rater", "worker", "lang", "language", "locale", "country", "location", "region",
    "source", "platform", "device", "verified", "count", "counts", "votes", "vote", "likes", "helpful",
    "retweet", "retweets", "retweeted", "favorite", "favorites", "favorited", "truncated", "confidence",
    "length", "file", "path", "split", "fold", "set", "partition", "age", "gender", "sex", "batch", "version",
}  # fmt: skip
#: class_id and Class Index number the classes
_NUMBERING = {"id", "index", "idx", "no", "nr", "number"}
#: every known name; such a column is not guessed to be the text
KNOWN = frozenset((*_SURE, *_GENERAL, *_TOPICAL))


def guess(rows: StringTable, taken: Collection[str | None]) -> tuple[str, str]:
    """The column of the labels, and why it is that one; empty if that needs no words.

    Raises:
        DataError: none looks like a label, or several do.
    """
    free = [name for name in rows.table.column_names if name not in taken]
    found = {name: _different(rows, name) for name in free}
    if named := _of_answers(found):
        return named, ""
    plausible = _plausible(found, rows.table.num_rows)
    named_ones = _best_named(plausible)
    if surer := _of_fractions(found, named_ones):
        return surer, ""
    flags = [name for name in free if _is_flag(name, found[name])]
    asked = named_ones or [name for name in plausible if not describes(name)]
    if not (_SURE_RANKS & {_rank(name) for name in named_ones}) and len(flags) >= 3:
        asked = flags if {*asked} <= {*flags} else asked
    if not asked:
        return _least_bad(rows, free), ""
    if len(asked) == 1:
        return _by_names(rows, asked[0], found)
    if len(asked) == 2 and (pair := _same_classes(rows, asked, found)):
        return pair
    asked.sort(key=lambda name: len(found[name]) < 2)  # a column of one value comes last
    raise _several(rows, asked, {*asked} <= {*flags} and (len(asked) > 2 or bool(named_ones)))


def _of_fractions(found: Mapping[str, set[str]], named: Sequence[str]) -> str | None:
    """A column that has a surer name than these but holds fractions, so that an error says so."""
    sure = [
        name
        for name in found
        if usual(name) in (*_SURE, "target") and labels.fractions_of(found[name])
    ]
    best = _best_named([*sure, *named])
    return best[0] if sure and not {*best} & {*named} else None


def could_be_one(rows: StringTable, *, by_values: bool) -> bool:
    """True if a column has the name of a label, or (`by_values`) values that may be labels."""
    names = rows.table.column_names
    if not by_values:
        return any(_rank(name) is not None for name in names)
    found = {name: _different(rows, name) for name in names}
    plausible = [name for name in _plausible(found, rows.table.num_rows) if not describes(name)]
    return bool(plausible or _best_named(names))


def _plausible(found: Mapping[str, set[str]], rows: int) -> list[str]:
    """The columns that have few enough values for classes; else those that are named so."""
    most = min(MOST_CLASSES, max(2, rows // 5))
    classes = [
        name for name in found if len(found[name]) > 1 and not labels.fractions_of(found[name])
    ]
    few = [name for name in classes if len(found[name]) <= most]
    many = [name for name in classes if name not in few and not _are_numbers(found[name])]
    named = [name for name in many if _rank(name) is not None and len(found[name]) <= rows // 2]
    return few if _best_named(few) or not named else named


def _different(rows: StringTable, name: str) -> set[str]:
    """The different labels of a column; empty if there are too many to be labels."""
    values = rows.table[name].unique()
    return labels.different(values.to_pylist()) if len(values) <= _MOST_VALUES else set()


def _rank(name: str) -> int | None:
    """How surely a name is that of a label, 0 the surest; None if it is not."""
    known, words = usual(name), usual(name).split("_")
    if known in _SURE:
        return 0
    if known in _GENERAL or words[-1] in _WORDS:
        return 1
    if words[0] in _WORDS and words[-1] not in _DESCRIBING - _NUMBERING:
        return 1
    if known in _TOPICAL:
        return 2
    return 3 if words[-1] in _TOPICAL_WORDS else None


def _best_named(names: Sequence[str]) -> list[str]:
    ranks = {name: rank for name in names if (rank := _rank(name)) is not None}
    return [name for name in ranks if ranks[name] == min(ranks.values())]


def describes(name: str) -> bool:
    """True if a column's name says that it describes a comment: a date, a link, a user."""
    return bool(_DESCRIBING & {*usual(name).split("_")})


def _is_flag(name: str, values: set[str]) -> bool:
    """True for a column of 0 and 1, or only 0, that may be a label."""
    return bool(values) and not describes(name) and values <= TRUE | FALSE and bool(values & FALSE)


def _of_answers(found: dict[str, set[str]]) -> str | None:
    """The label that annotators accepted or rejected; it may be the same in all rows."""
    asked = [name for name in found if found[name] and _rank(name) in _SURE_RANKS]
    has_answers = answers.COLUMN in found and answers.are_answers(found[answers.COLUMN])
    if has_answers and found.get(answers.CHOICES) and not asked:
        return answers.CHOICES
    return asked[0] if has_answers and len(asked) == 1 else None


def _by_names(rows: StringTable, name: str, found: dict[str, set[str]]) -> tuple[str, str]:
    """A column of names instead of numbers, if there is one for the same classes."""
    if _are_numbers(found[name]):
        for other in found:
            is_candidate = len(found[other]) == len(found[name]) and not describes(other)
            if is_candidate and (pair := _same_classes(rows, [name, other], found)):
                return pair
    return name, ""


def _same_classes(
    rows: StringTable, pair: Sequence[str], found: dict[str, set[str]]
) -> tuple[str, str] | None:
    """Of a column of numbers and one of their names, the latter."""
    numbers = [name for name in pair if _are_numbers(found[name])]
    if len(numbers) != 1 or rows.table.num_rows < _ENOUGH_ROWS:
        return None
    (number,) = numbers
    (named,) = (name for name in pair if name != number)
    both = {
        *zip(*(map(labels.canonical, rows.table[name].to_pylist()) for name in pair), strict=True)
    }
    both = {row for row in both if row != (None, None)}
    is_same = len(both) == len(found[number]) == len(found[named])
    return (named, f"it names the classes of {number}") if is_same else None


def _are_numbers(values: Collection[str]) -> bool:
    return all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values)


def _least_bad(rows: StringTable, free: Sequence[str]) -> str:
    """A column that has the name of a label and values that are none, so that an error says why."""
    if named := _best_named(free):
        return named[0]
    for name in rows.unusable:
        if _rank(name) is not None:
            raise DataError(
                f"the column {name} of {rows.name} {rows.unusable[name]}; name another with {_OPTION}"
            )
    raise DataError(
        f"{rows.name} has the columns {_list(rows.table.column_names)}, none of which looks like a label; "
        f"name it with {_OPTION}"
    )


def _several(rows: StringTable, names: Sequence[str], are_flags: bool) -> DataError:
    example = f'"{names[0]}"' if re.search(r"[^\w.-]", names[0]) else names[0]
    if are_flags:
        together = ",".join(names)
        quoted = f'"{together}"' if re.search(r"[^\w.,-]", together) else together
        can_join = not any("," in name for name in names)
        learn_all = f"{_OPTION} {quoted} to learn them all, or " * can_join
        return DataError(
            f"{rows.name} has {len(names)} columns of 0 and 1 ({_list(names)}), so a comment may have several "
            f"labels; add {learn_all}{_OPTION} {example}, or another, to learn one"
        )
    return DataError(
        f"the columns {_list(names)} of {rows.name} could all be the label; "
        f"choose one: {_OPTION} {example}, or another"
    )
