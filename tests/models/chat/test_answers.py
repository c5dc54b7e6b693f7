"""models/chat/answers.py: from what a server says to the probabilities of the classes."""

import math

import pytest

from tests.chat_server import says
from worthit.models.chat import answers
from worthit.models.chat.messages import Question

TRUTH = ("False", "True")


def read(
    text: str,
    names: tuple[str, ...] = TRUTH,
    likely: dict[str, float] | None = None,
    **choice: object,
):  # type: ignore[no-untyped-def]
    found = answers.completion(says(text, likely, **choice).body)
    assert found is not None
    return answers.scores(found, names)


def test_log_probabilities_of_all_spellings_of_an_answer_add_up() -> None:
    likely = {
        " True": math.log(0.4),
        "true": math.log(0.2),
        "False": math.log(0.2),
        "I": math.log(0.1),
    }
    found = read("True", likely=likely)
    assert found.how == "log-probabilities"
    assert found.probabilities == pytest.approx((0.25, 0.75))


def test_an_answer_that_is_not_listed_is_at_most_as_likely_as_the_least_likely_token() -> None:
    found = read("True", likely={"True": math.log(0.9), "I": math.log(0.04)})
    assert found.probabilities == pytest.approx((0.04 / 0.94, 0.9 / 0.94))


def test_tokens_of_no_answer_leave_it_to_the_text() -> None:
    found = read("The answer is True.", likely={"The": -0.01, "True": -9.0})
    assert (found.how, found.probabilities) == ("text", (0.0, 1.0))


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("True", TRUTH, 1),
        ("**false**.", TRUTH, 0),
        ("Answer: True", TRUTH, 1),
        ("I think this is true", TRUTH, 1),
        ("Truely", TRUTH, None),
        ("True or False?", TRUTH, 1),
        ("It may be true or false", TRUTH, None),
        ("I cannot help with that.", TRUTH, None),
        ("", TRUTH, None),
        ("This is not spam", ("spam", "not spam"), 1),
        ("B", ("A", "B", "C"), 1),
        ("B: the second", ("A", "B", "C"), 1),
        ("It is A", ("A", "B", "C"), None),
    ],
)
def test_a_text_answers_if_it_names_one_class(
    text: str, names: tuple[str, ...], expected: int | None
) -> None:
    found = read(text, names)
    if expected is None:
        assert found is None
    else:
        assert found.probabilities[expected] == 1
        assert sum(found.probabilities) == 1


@pytest.mark.parametrize(
    "choice",
    [
        {"finish_reason": "content_filter"},
        {"message": {"role": "assistant", "content": "True", "refusal": "no"}},
    ],
)
def test_a_refusal_is_no_answer_whatever_the_text(choice: dict[str, object]) -> None:
    assert read("True", **choice) is None


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": {"content": 3}}]}],
)
def test_nonsense_is_not_a_completion(body: object) -> None:
    assert answers.completion(body) is None


@pytest.mark.parametrize(
    "logprobs",
    [3, {"content": 3}, {"content": [{}]}, {"content": [{"token": "x", "top_logprobs": [1]}]}],
)
def test_broken_log_probabilities_leave_it_to_the_text(logprobs: object) -> None:
    found = read("True", logprobs=logprobs)
    assert found.how == "text"


def test_classes_have_the_questions_of_local_llms() -> None:
    two, three = Question.about(("not toxic", "toxic")), Question.about(("ham", "spam", "question"))
    assert two == Question("Is this comment toxic? Answer True or False.", ("False", "True"))
    assert three.answers == ("ham", "spam", "question")
    assert Question.about(("spam ads", "spam mail")).answers == ("A", "B")


def test_examples_come_before_the_comment_with_their_answers() -> None:
    asked = Question.about(("not toxic", "toxic")).messages("hello", [("you idiot", 1)])
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "user"]
    assert asked[2]["content"] == "True"
    assert asked[3]["content"] == "Comment: hello\nAnswer:"


def test_one_of_many_classes_is_answered_by_its_letters() -> None:
    question = Question.about([f"intent_{number}" for number in range(151)])
    assert len(set(question.answers)) == 151
    for text, place in (("A", 0), ("AB", 53), ("BA", 78), (" AB: intent_53", 53)):
        found = read(text, question.answers)
        assert found is not None
        assert found.probabilities.index(1.0) == place
    assert read("intent_53", question.answers) is None
