"""datasets/words.py: words of any script, and n-grams where there are no spaces."""

import re
import unicodedata

import pytest

from worthit.datasets import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's a_b 42, don't!", ["It", "s", "a_b", "42", "don", "t"]),
        ("Stra\u00dfe na\u00efve \u201cx\u201d \u2014 \U0001f600 end", ["Stra\u00dfe", "na\u00efve", "x", "end"]),
        # Hindi, Tamil, Arabic with vowel points, decomposed French: marks belong to words
        ("अच्छा है\u0964", ["अच्छा", "है"]),
        ("நல்ல படம்", ["நல்ல", "படம்"]),
        ("كَتَبَ ولد", ["كَتَبَ", "ولد"]),
        ("cafe\u0301 ok", ["caf\u00e9", "ok"]),
        # a joiner without width is part of a Persian word, but neither of an emoji nor at an end
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("well\u200d \U0001f468\u200d\U0001f469 1\ufe0f⃣", ["well", "1"]),
        # Chinese, Japanese and mixed scripts: pairs of characters
        ("我们喝汤\uff0c好", ["我们", "们喝", "喝汤", "好"]),
        ("T恤店 has 12个テスト", ["T", "恤店", "has", "12", "个テ", "テス", "スト"]),
        # Thai: threes of characters with their marks
        ("ซุปอร่อย 5", ["ซุปอ", "ปอร่", "อร่อ", "ร่อย", "5"]),
        # Korean has spaces
        ("한국어 문장", ["한국어", "문장"]),
        ("\U0001f600 !? \u3002", []),
    ],
)  # fmt: skip
def test_texts_are_split_into_words_of_their_script(text: str, expected: list[str]) -> None:
    assert words.split(text) == expected


def test_english_words_are_those_of_the_pattern() -> None:
    text = (
        "He said: \u201cna\u00efve caf\u00e9s don\u2019t pay \u00a35\u00bd\u201d \u2013 re\u0301sum\u00e9? \U0001f600"
        " foo_bar\u2026 x\u00b2 \u00c5ngstr\u00f6m \u0130stanbul 3\u00d74 \u2122 \ufb01ne A\u00adB"
    )
    composed = unicodedata.normalize("NFC", text)
    expected = re.findall(r"\w+", composed)
    assert words.split(composed) == words.split(text) == expected
    assert words.runs(text) == expected


def test_every_character_of_the_fast_way_is_treated_as_the_other_way_treats_it() -> None:
    simple = [chr(code) for code in range(0x10FFFF) if not words._NOT_SIMPLE.match(chr(code))]
    assert len(simple) > 4_000
    wrong = [
        character
        for character in simple
        if not "\ud800" <= character <= "\uf8ff"
        if words._kind(ord(character), character, unicodedata.category(character))
        != (" w"[re.match(r"\w", character) is not None])
    ]
    assert wrong == []


def test_short_words_are_omitted_but_not_those_without_spaces() -> None:
    assert words.split("a bc 好 \u00e9 \u00e9t", shortest=2) == ["bc", "好", "\u00e9t"]
    assert words.split("a bc", shortest=2) == ["bc"]
    assert words.split("\u00e9 \u00e9t", shortest=2) == ["\u00e9t"]
