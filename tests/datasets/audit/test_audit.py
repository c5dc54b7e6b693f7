"""datasets/audit/: problems put into synthetic data are found."""

import json
from pathlib import Path

import numpy as np
import pytest

from worthit.datasets import prepare
from worthit.datasets.audit import (
    label_noise,
    near_duplicates,
    noise_calibration,
    personal_data,
)
from worthit.datasets.audit.audit import Audit, _length_auc, examine
from worthit.datasets.audit.noise_calibration import Kind, is_close
from worthit.datasets.cache import cache_folder
from worthit.datasets.language import foreign_confidence, identified
from worthit.datasets.sources.synthetic import synthetic
from worthit.datasets.splits.manifest import Prepared
from worthit.datasets.splits.protocol import AtMost, Protocol

TEMPLATE = (
    "welcome to the encyclopedia, please read our policy on sources before you edit page number"
)


def test_a_template_with_another_number_is_a_near_duplicate_and_another_text_is_not() -> None:
    index = near_duplicates.Index([f"{TEMPLATE} 12", "rivers are long and old", "!!!", "?!"])
    assert index.closest(
        [f"{TEMPLATE.upper()}:  99!", "rivers are short and new", "!!!", "", f"{TEMPLATE} 12"]
    ) == [0, -1, 2, -1, 0]


def test_the_most_similar_comment_is_returned() -> None:
    near, nearer = f"{TEMPLATE} nine hundred", f"{TEMPLATE} twelve"
    index = near_duplicates.Index([near, nearer, near])
    assert index.closest([f"{TEMPLATE} twelfth"]) == [1]
    assert index.repeated() == 1 + (
        near_duplicates.jaccard(near_duplicates.shingles(near), near_duplicates.shingles(nearer))
        >= 0.8
    )


def test_hashing_finds_what_comparing_everything_finds() -> None:
    rng = np.random.default_rng(3)
    words = [f"{'aeiou'[i % 5]}{i}word" for i in range(200)]
    originals = [" ".join(rng.choice(words, 40)) for _ in range(60)]

    def changed(text: str) -> str:
        parts = text.split()
        for place in rng.choice(40, rng.integers(0, 9), replace=False):
            parts[place] = "other"
        return " ".join(parts)

    texts = [changed(text) for text in originals]
    found = [place >= 0 for place in near_duplicates.Index(originals).closest(texts)]
    sets = [near_duplicates.shingles(text) for text in originals]
    expected = [
        max(near_duplicates.jaccard(near_duplicates.shingles(text), other) for other in sets)
        >= near_duplicates.SIMILAR
        for text in texts
    ]
    assert found == expected
    assert 5 < sum(found) < 55


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("write to jane.doe+x@mail.example.org, please", {"e-mail addresses"}),
        ("jane@localhost and user@@example and a@b", set()),
        ("see https://example.org/a or WWW.example.org", {"web links"}),
        ("http://jane@example.org:80", {"web links", "e-mail addresses"}),
        ("edited by 192.168.7.12.", {"IP addresses"}),
        ("version 1.2.3 of 300.1.1.1 and 1.2.3.4.5 at 12:30:45", set()),
        ("from 2001:db8::8a2e:370:7334 again", {"IP addresses"}),
        ("a list:: of things ::", set()),
        ("call +49 (30) 901820-15 or so", {"telephone numbers"}),
        ("call (555) 867-5309", {"telephone numbers"}),
        ("ring 020 7946 0958", {"telephone numbers"}),
        ("in 2004-2005 and on 2006-10-12, 1234567890 times, 1,000,000", set()),
        ("ISBN 978-3-16-148410-0", set()),
        ("a" * 20_000 + "@" + "1" * 20_000, set()),
    ],
)
def test_hints_of_personal_data(text: str, hints: set[str]) -> None:
    assert {hint for hint, count in personal_data.count([text]).items() if count} == hints
    assert sum(personal_data.count([text, text]).values()) == 2 * len(hints)


def test_languages_are_identified_with_the_confidence_that_comments_are_foreign() -> None:
    texts = [
        "This is a comment about the history of the old town",
        "Das ist ein Kommentar über die Geschichte der alten Stadt",
        "lol",
        "",
    ]
    found = list(identified(texts))
    assert [code for code, _ in found[:2]] == ["en", "de"]
    assert [sure for _, sure in found] == pytest.approx(foreign_confidence(texts).tolist())
    assert found[3][1] == 0.0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("房间很干净", "zh"),
        ("ありがとう漢字", "ja"),
        ("좋아요", "ko"),
        ("ดีมาก", "th"),
        ("хорошо очень", "ru"),
    ],
)
def test_a_short_text_of_another_script_is_not_english(text: str, code: str) -> None:
    assert list(identified([text])) == [(code, 1.0)]


def test_english_with_words_of_another_script_is_english() -> None:
    text = "The article on 房间很干净 needs better sources, I think, and \u03bc is a symbol"
    assert list(identified([text, "\u03bc = 3", "水"]))[0] == ("en", 0.0)
    assert [sure for _, sure in identified(["\u03bc = 3"])] == [0.0]


def test_marks_do_not_break_words_of_near_duplicates() -> None:
    first, second = "किताब", "कतब"  # differ in vowel signs
    assert near_duplicates.shingles(first) != near_duplicates.shingles(second)
    assert near_duplicates.shingles("A_b, c!") == near_duplicates.shingles("a b c")


def _flipped(flip: float, size: int = 1_500) -> tuple[list[str], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=size)
    kinds = np.array([["kind", "nice", "helpful", "good"], ["rude", "awful", "stupid", "bad"]])
    texts = [
        " ".join([*rng.choice(kinds[label], 3), *rng.choice(list("abcdefgh"), 4), f"w{i}"])
        for i, label in enumerate(truth)
    ]
    wrong = rng.random(size) < flip
    return texts, np.where(wrong, 1 - truth, truth), wrong


@pytest.mark.parametrize("flip", [0.0, 0.1, 0.2])
def test_label_noise_is_about_the_share_of_flipped_labels(flip: float) -> None:
    texts, labels, wrong = _flipped(flip)
    ids = [str(i) for i in range(1_000, 1_500)]
    found = label_noise.estimate(texts[:1_000], labels[:1_000], texts[1_000:], labels[1_000:], ids)
    assert found.train is not None
    assert is_close(found.train / 1_000, wrong[:1_000].mean())
    assert found.questioned == pytest.approx(wrong[1_000:].sum(), abs=15)
    assert found.unquestioned_accuracy == pytest.approx(1, abs=0.03)
    if flip:
        worst = [int(id_) for id_ in found.suspects[:40]]
        assert wrong[worst].mean() > 0.9
        assert found.model_accuracy == pytest.approx(1 - flip, abs=0.04)


@pytest.mark.parametrize(
    ("kind", "classes", "rate", "by_class", "is_shown"),
    [
        (Kind(0.5), 2, 0.1, True, True),
        (Kind(0.5), 5, 0.1, False, True),
        (Kind(0.5, rare=0.2), 2, 0.05, False, True),
        (Kind(0.1), 2, 0.0, False, False),  # few typical words
        (Kind(0.5, shared=0.7), 2, 0.0, False, False),  # words of the other class
        (Kind(0.5, shared=0.7), 5, 0.1, False, False),
    ],
)
def test_label_noise_is_shown_only_where_comments_are_easy_for_the_judge(
    kind: Kind, classes: int, rate: float, by_class: bool, is_shown: bool
) -> None:
    texts, truth = noise_calibration.clean(kind, 600, classes, 1)
    labels = noise_calibration.changed(truth, classes, rate, 2, by_class=by_class)
    found = label_noise.estimate(texts, labels, texts[:50], labels[:50], ["x"] * 50)
    assert (found.train is not None) == is_shown
    assert bool(found.reason) != is_shown
    if found.train is not None:
        assert is_close(found.train / 600, float((labels != truth).mean()))
    else:
        assert found.questioned is not None  # the suspects stay
        assert "not question; an estimate takes 93 % of the latter" in found.reason


def test_where_sureness_tells_disagreements_apart_no_label_noise_is_shown() -> None:
    labels = np.tile([0, 1], 400)
    sure = np.linspace(0.55, 0.99, 800)
    agrees = np.arange(800) % 10 > (np.arange(800) < 600) * 2  # rarer among the surest quarter
    shown = np.where(agrees, labels, 1 - labels)
    probabilities = np.where(shown == 1, sure, 1 - sure)
    held_out = np.column_stack([1 - probabilities, probabilities])
    share, reason = label_noise._share(labels, held_out, 0.8, 0.97)
    assert share is None
    assert "30 % where it is a little less sure" in reason
    assert label_noise._share(labels[:300], held_out[:300], 0.8, 0.97)[1].startswith("300 training")


def test_suspects_are_ordered_most_likely_wrong_first() -> None:
    def diluted(word: str, by: int) -> str:
        return " ".join([word, *"and of the that in".split()[:by]])

    texts = [diluted(("kind", "rude")[i % 2], i // 2 % 6) for i in range(400)]
    rude = [diluted("rude", by) for by in (2, 0, 3, 1)]  # by their labels, all of them kind
    tested = [*rude, *[diluted("kind", 5), diluted("rude", 5)] * 10]
    labels, ids = np.array([0] * 4 + [0, 1] * 10), [*"2031", *["right"] * 20]
    found = label_noise.estimate(texts, np.arange(400) % 2, tested, labels, ids)
    assert found.suspects == ("0", "1", "2", "3")


def test_label_noise_needs_enough_comments_and_a_model_better_than_guessing() -> None:
    rng = np.random.default_rng(1)
    words = "river town music map old new page source".split()
    texts = [" ".join(rng.choice(words, 6)) + f" w{i}" for i in range(300)]
    labels = rng.integers(2, size=300)
    found = label_noise.estimate(texts, labels, texts[:50], labels[:50], ["x"] * 50)
    assert (found.train, found.questioned, found.suspects) == (None, None, ())
    assert "no better than guessing" in found.reason
    alone = [f"w{i}" for i in range(300)]
    nothing = label_noise.estimate(alone, labels, alone[:50], labels[:50], ["x"] * 50)
    assert "no word occurs in two" in nothing.reason
    few = label_noise.estimate(texts[:50], labels[:50], texts[:50], labels[:50], ["x"] * 50)
    assert "50 training comments" in few.reason


def _examine(folder: Path) -> tuple[Prepared, Audit]:
    rng = np.random.default_rng(2)
    texts = synthetic(700)["text"].to_pylist()
    # A block of templates, which a split at random puts on both sides.
    texts[:200] = [f"{TEMPLATE} {i} write to a{i}@example.org" for i in range(200)]
    labels = rng.integers(2, size=700)
    rows = [
        json.dumps({"text": text, "label": int(label)})
        for text, label in zip(texts, labels, strict=True)
    ]
    (folder / "mine.jsonl").write_text("\n".join(rows))
    made = prepare.prepare(str(folder / "mine.jsonl"), Protocol(test_size=AtMost(50)))
    return made, examine(made.key)


def test_a_split_is_examined_once_and_no_text_is_saved(tmp_path: Path) -> None:
    made, found = _examine(tmp_path)
    train, test = (prepare.comments(made.key, part) for part in ("train", "test"))
    assert found.train.comments == len(train) + made.step("validation").comments
    assert found.test.counts == (25, 25)
    templates = sum(TEMPLATE in text for text in test.texts)
    assert templates > 5
    copies = found.near_duplicates
    assert len({*prepare.comment_ids(test.texts)} & {*copies.ids}) == templates
    assert 0 < copies.other_label <= len(copies.ids) <= copies.examined
    assert found.train.repeated >= 100
    assert found.test.personal_data["e-mail addresses"] == templates
    assert sum(found.test.languages.values()) == 50
    (file,) = cache_folder("splits", made.key).glob("audit-*.json")
    assert "encyclopedia" not in file.read_text()
    file.write_bytes(file.read_bytes().replace(b'"comments":', b'"comments":1', 1))
    assert examine(made.key).train.comments > found.train.comments  # read, not computed again
    file.write_text("damaged")
    assert examine(made.key) == found


def test_length_alone_is_measured() -> None:
    texts = ["a" * n for n in (1, 2, 3, 4, 4, 5)]
    assert _length_auc(texts, np.array([0, 0, 0, 1, 1, 1])) == 1.0
    assert _length_auc(texts, np.array([0, 0, 0, 0, 1, 1])) == pytest.approx(7.5 / 8)
    assert _length_auc(texts, np.zeros(6, np.int64)) is None
