"""datasets/splits/: no test comment is ever trained on, and counts are right."""

import json
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pytest

from worthit.datasets.corpus import About, _annotated, comments
from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.splits.protocol import AtMost, Protocol, Split, split


def corpus(texts: list[str], labels: list[int]) -> pa.Table:
    return _annotated(comments(pa.array(texts), pa.array(labels)))


def numbered(toxic: int, other: int) -> pa.Table:
    texts = [f"this is a toxic comment number {i}" for i in range(toxic)]
    texts += [f"this is another kind of comment {i}" for i in range(other)]
    return corpus(texts, [1] * toxic + [0] * other)


def step(result: Split, name: str) -> tuple[int, int]:
    found = next(step for step in result.steps if step.name.startswith(name))
    return found.comments, found.toxic


def test_sets_are_balanced_and_stratified() -> None:
    result = split(numbered(100, 900), Protocol())
    assert step(result, "train") == (172, 86)
    assert step(result, "validation") == (8, 4)
    assert step(result, "test, balanced") == (20, 10)


def test_no_test_comment_is_trained_on() -> None:
    table = numbered(100, 900)
    result = split(table, Protocol())
    assert not set(result.train) & set(result.test)
    assert not set(result.train) & set(result.natural)


def test_validation_comments_are_neither_trained_nor_tested_on() -> None:
    result = split(numbered(100, 900), Protocol())
    others = set(result.train) | set(result.test) | set(result.natural)
    assert len(result.validation) == 8
    assert not set(result.validation) & others


def test_without_a_validation_set_the_whole_training_side_is_trained_on() -> None:
    result = split(numbered(100, 900), Protocol(validation_size=AtMost(0)))
    assert step(result, "train") == (180, 90)
    assert len(result.validation) == 0


def grouped(groups: list[int], labels: list[int], sides: list[int] | None = None) -> pa.Table:
    texts = pa.array([f"a comment by somebody, number {i}" for i in range(len(labels))])
    given = None if sides is None else pa.array(sides)
    made = comments(texts, pa.array(labels), groups=pa.array(groups), sides=given)
    return _annotated(made, identify=False)


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize("size", [100, 2])  # of each group; training has 5 or 270 groups
def test_validation_has_groups_up_to_its_target_or_one_group(balance: bool, size: int) -> None:
    group = [i // size for i in range(600)]
    table = grouped(group, [i % 2 for i in range(600)])
    made = split(table, Protocol(language="any", balance=balance))
    sides = [{group[row] for row in rows} for rows in (made.train, made.validation, made.test)]
    assert len(set.union(*sides)) == sum(map(len, sides))
    comments_, toxic = step(made, "validation")
    assert comments_ == (100 if size == 100 else pytest.approx(27, abs=2))
    assert toxic == pytest.approx(comments_ / 2, abs=1)
    assert not made.notes


def test_validation_prefers_a_group_with_both_classes_to_a_few_with_one() -> None:
    sizes = [100] * 6 + [1] * 4
    group = [g for g, size in enumerate(sizes) for _ in range(size)]
    labels = [i % 2 if i < 600 else 1 for i in range(604)]
    table = grouped(group, labels, [2 if g == 0 else 0 for g in group])
    made = split(table, Protocol(language="any", balance=True))
    assert step(made, "validation") == (100, 50)


def test_a_note_says_that_no_group_can_be_used_for_validation() -> None:
    table = grouped([i // 100 for i in range(300)], [i % 2 for i in range(300)])
    made = split(table, Protocol(language="any", balance=True))
    assert step(made, "train") == (200, 100)
    assert len(made.validation) == 0
    assert made.notes[0].endswith("small enough for training to do without it")
    assert not split(table, Protocol(validation_size=AtMost(0), language="any")).notes


def test_the_natural_set_is_as_large_as_the_shares_of_the_data_allow() -> None:
    result = split(numbered(100, 900), Protocol())
    comments_, toxic = step(result, "natural")
    assert (comments_, toxic) == (100, 10)
    assert result.population == (900, 100)
    assert result.stream == ""


def streamed(toxic: int, other: int, drawn: int) -> pa.Table:
    """Every comment that is not toxic is drawn at random, and the first toxic ones."""
    table = numbered(toxic, other)
    random = pa.array([i < drawn or i >= toxic for i in range(toxic + other)])
    about = {b"worthit": json.dumps(asdict(About(stream="a stream"))).encode()}
    return table.append_column("random", random).replace_schema_metadata(about)


def test_the_natural_set_comes_from_the_random_sample_of_a_stream() -> None:
    table = streamed(400, 4_000, drawn=100)
    result = split(table, Protocol(natural_size=AtMost(60)))
    random = np.asarray(table["random"])
    assert random[result.natural].all()
    assert not random[result.test].all()
    assert result.population == (4_000, 100)
    assert result.stream == "a stream"
    assert step(result, "drawn at random from a stream") == (4_100, 100)
    assert not set(result.natural) & (set(result.train) | set(result.validation))


def test_a_rare_class_has_a_tenth_of_the_natural_set_as_far_as_there_is_one() -> None:
    table = streamed(400, 4_000, drawn=100)
    available = step(split(table, Protocol()), "natural")[1]
    assert 5 < available < 15
    for size, expected in ((60, 6), (300, available)):
        comments_, toxic = step(split(table, Protocol(natural_size=AtMost(size))), "natural")
        assert (comments_, toxic) == (size, expected)


def test_a_larger_natural_set_contains_a_smaller_one() -> None:
    table = streamed(400, 4_000, drawn=100)
    small, large = (
        set(split(table, Protocol(natural_size=AtMost(size))).natural) for size in (60, 120)
    )
    assert small < large


def test_without_random_comments_of_a_class_to_test_on_there_is_no_stream() -> None:
    result = split(streamed(100, 900, drawn=0), Protocol())
    assert (result.stream, result.population) == ("", (900, 100))


def test_without_balance_the_natural_set_is_the_test_set() -> None:
    result = split(streamed(100, 900, drawn=50), Protocol(balance=False, test_size=40))
    assert result.natural.tolist() == result.test.tolist()
    assert (result.stream, result.population) == ("", (90, 10))


def test_the_seed_decides_the_split() -> None:
    table = numbered(100, 900)
    first, second, other = (split(table, Protocol(seed=seed)) for seed in (1, 1, 2))
    assert first.train.tolist() == second.train.tolist()
    assert set(first.train) != set(other.train)


def test_smaller_sizes_are_nested_in_larger_ones_and_keep_the_test_side() -> None:
    table = numbered(200, 900)
    whole = split(table, Protocol())
    small = split(table, Protocol(train_size=40, test_size=10))
    smaller = split(table, Protocol(train_size=20, test_size=10))
    assert set(smaller.train) < set(small.train) < set(whole.train)
    assert set(small.test) < set(whole.test)
    assert len(small.train) == 40
    assert len(small.test) == 10


def test_odd_sizes_are_exact() -> None:
    assert len(split(numbered(100, 900), Protocol(train_size=41)).train) == 41


@pytest.mark.parametrize(
    "copy", ["This IS  a\ttoxic comment number 0", "this is a toxic comment number 0"]
)
def test_duplicates_are_removed_before_splitting(copy: str) -> None:
    texts = [f"this is a toxic comment number {i}" for i in range(20)] + [copy]
    texts += [f"quite another kind of comment {i}" for i in range(40)]
    result = split(corpus(texts, [1] * 21 + [0] * 40), Protocol(test_share=0.2))
    assert step(result, "without duplicates but") == (60, 20)


def test_only_confidently_foreign_comments_are_removed() -> None:
    english = [f"please read the whole article before you edit it, number {i}" for i in range(30)]
    short = ["Hola!", "Merci", "WTF LOL"]
    foreign = [
        "Diese Seite wurde gestern ohne jede Diskussion gelöscht, was soll denn das bedeuten",
        "Эта страница была удалена вчера без всякого обсуждения, что это значит",
    ]
    table = corpus(english + short + foreign, [i % 2 for i in range(35)])
    result = split(table, Protocol(test_share=0.2))
    assert step(result, "in the corpus")[0] - step(result, "English")[0] == len(foreign)


def test_empty_comments_are_dropped_and_counted() -> None:
    texts = [f"a comment about rivers and music {i}" for i in range(40)] + ["", "  \n "]
    result = split(corpus(texts, [i % 2 for i in range(42)]), Protocol(test_share=0.2))
    assert step(result, "not empty")[0] == 40


@pytest.mark.parametrize("field", ["train_size", "test_size"])
def test_a_size_beyond_the_corpus_is_refused_with_the_number_of_comments(field: str) -> None:
    with pytest.raises(
        DataError, match=r"--t\w+-size is 5,000, but .*at most (172|20); balancing "
    ):
        split(numbered(100, 900), Protocol(**{field: 5000}))


def test_the_size_of_a_preset_is_an_upper_limit() -> None:
    assert len(split(numbered(100, 900), Protocol(train_size=AtMost(5000))).train) == 172


@pytest.mark.parametrize("size", [1, 0, -5])
def test_sizes_below_two_are_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"--train-size is {size}"):
        Protocol(train_size=size)


@pytest.mark.parametrize("balance", [True, False])
def test_sizes_below_the_number_of_classes_are_refused(balance: bool) -> None:
    labels = [i % 5 for i in range(200)]
    about = About(tuple("abcde"))
    texts = pa.array([f"a comment, number {i}" for i in range(200)])
    table = _annotated(comments(texts, pa.array(labels), about=about), identify=False)
    fewest = Protocol(train_size=5, test_size=5, language="any", balance=balance)
    made = {part.name: part.counts for part in split(table, fewest).steps}
    assert made["train, balanced" if balance else "train"] == (1,) * 5
    for option, sizes in (
        ("--train-size is 4", {"train_size": 4}),
        ("--test-size is 3", {"test_size": 3}),
        ("--test-size is 2", {"natural_size": AtMost(2)}),
    ):
        with pytest.raises(OptionError, match=f"^{option}; with 5 classes it takes .* from 5 up$"):
            split(table, replace(fewest, **sizes))


def test_too_few_comments_of_a_class_are_refused() -> None:
    with pytest.raises(DataError, match=r"after filtering .*: 2 'toxic', 900 'not toxic'; give"):
        split(numbered(2, 900), Protocol())


def test_a_corpus_with_more_toxic_than_other_comments_is_balanced_too() -> None:
    result = split(numbered(300, 100), Protocol())
    assert step(result, "balanced") == (200, 100)
    share = np.divide(*reversed(step(result, "natural")))
    assert share == pytest.approx(0.75, abs=0.05)
