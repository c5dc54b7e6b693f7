"""models/endpoint.py: a server that stalls, limits the rate, disconnects, refuses and talks nonsense."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chat_server import Act, Body, Server, by_word, says, serve
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, OptionError
from worthit.models import registry
from worthit.models.chat import client
from worthit.models.endpoint import Asked, Endpoint, EndpointSettings

KEY = "sk-hunter2-secret"
TEXTS = ("you idiot", "thank you", "what an idiot", "a good article")
LABELS = np.array([1, 0, 1, 0], np.int8)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BACKOFF_S", 0.0)
    for variable in (client.KEY_VARIABLE, client.OPENAI_KEY_VARIABLE, "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(variable, raising=False)


def fitted(url: str, **settings: Any) -> Endpoint:
    model = Endpoint(EndpointSettings(model="m", url=url, **settings))
    return model.fit(TEXTS, LABELS)


@contextlib.contextmanager
def asked(
    act: Callable[[Body, int], Act], comment: str = "hello", **settings: Any
) -> Iterator[tuple[Asked, Server]]:
    """What comes of one comment if `act` decides on each request after the test question."""
    with serve(lambda body, number: act(body, number - 1) if number else says("True")) as server:
        model = fitted(server.url, **settings)
        yield model.ask([comment], 1)[0], server


def test_comments_get_probabilities_and_are_asked_about_once() -> None:
    with serve(by_word) as server:
        model = fitted(server.url, requests_at_once=2)
        scores = model.predict_proba(TEXTS)
        assert scores[:, 1].round(2).tolist() == [0.92, 0.08, 0.92, 0.08]
        sent = len(server.requests)
        again = fitted(server.url).ask([*TEXTS, "another"], 2)
        assert [one.cached for one in again] == [True] * 4 + [False]
        assert len(server.requests) == sent + 2  # the test question and the new comment
        assert not any(one.cached for one in model.ask(TEXTS, 2, fresh=True))


def test_several_requests_are_on_their_way_at_once() -> None:
    both = threading.Barrier(2)

    def act(body: Body, number: int) -> Act:
        if number:  # each of the two comments waits for the other
            both.wait(10)
        return by_word(body, number)

    with serve(act) as server:
        asked_both = fitted(server.url).ask(["hello", "you idiot"], 2)
    assert not any(one.problem for one in asked_both)


def test_the_cache_of_answers_holds_no_comment_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(client.KEY_VARIABLE, KEY)
    with serve(by_word) as server:
        fitted(server.url).predict_proba(["a secret comment"])
    assert server.headers[-1]["Authorization"] == f"Bearer {KEY}"
    content = cache_folder("answers.sqlite").read_bytes()
    assert b"True" in content
    assert b"secret" not in content


def test_another_question_example_or_parameter_is_another_request() -> None:
    with serve(by_word) as server:
        for shots in (0, 1, 2):
            assert not fitted(server.url, shots=shots).ask(["hello"], 1)[0].cached


def test_examples_are_of_each_class_in_turn() -> None:
    with serve(by_word) as server:
        fitted(server.url, shots=4).ask(["hello"], 1)
    roles = [message["content"] for message in server.requests[-1]["messages"][2::2]]
    assert sorted(roles[:2]) == sorted(roles[2:]) == ["False", "True"]


def test_a_limited_rate_and_errors_are_waited_for_and_counted() -> None:
    acts = [Act(429, headers={"Retry-After": "0"}), Act(503), Act(disconnect=True), says("False")]
    with asked(lambda body, number: acts[number]) as (one, server):
        assert one.scores is not None
        assert (one.retries, one.rate_limited, one.problem) == (3, 1, "")
    assert len(server.requests) == 5


def test_the_server_decides_how_long_to_wait_up_to_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waited.append)
    acts = [
        Act(429, headers={"Retry-After": "7"}),
        Act(429, headers={"Retry-After": "86400"}),
        says("True"),
    ]
    with asked(lambda body, number: acts[number]) as (one, _):
        assert one.scores is not None
    assert waited == [7, client.LONGEST_WAIT_S]


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (Act(stall_s=5), "timed out"),
        (Act(disconnect=True), "disconnected"),
        (Act(500), "server error 500"),
        (Act(400, {"error": {"code": "content_filter", "message": "hello"}}), "refused (400 content_filter)"),
        (Act(400, {"error": {"code": "a sentence with hello"}}), "refused (400)"),
        (Act(body=b"<html>"), "not an answer"),
        (Act(body={"choices": 3}), "not a chat completion"),
        (says("I cannot say"), "names no class"),
        (says("True", finish_reason="content_filter"), "refused by a content filter"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_recorded_and_never_guessed(act: Act, problem: str) -> None:
    with asked(lambda body, number: act, timeout_s=0.2, retries=1) as (one, _):
        assert (one.scores, one.problem) == (None, problem)


def test_a_comment_without_an_answer_has_no_probabilities_and_is_asked_again() -> None:
    acts = [says("True"), Act(400), says("False")]
    with serve(lambda body, number: acts[min(number, 2)]) as server:
        model = fitted(server.url)
        assert np.isnan(model.predict_proba(["hello"])).all()
        assert model.predict_proba(["hello"]).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (Act(401), "refuses the key .401.; set WORTHIT_API_KEY"),
        (Act(404), "does not know the model m or this path"),
        (Act(429, headers={"Retry-After": "0"}), "still limits the rate after 6 repetitions"),
        (Act(307, headers={"Location": "http://127.0.0.1:1/"}), "redirects to another address"),
    ],
)
def test_what_no_request_will_survive_fails_in_one_line(
    act: Act, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.KEY_VARIABLE, KEY)
    leak = {"error": {"message": f"wrong key {KEY} for hello"}}
    answer = Act(act.status, leak, act.headers)
    with pytest.raises(CellError, match=message) as caught, asked(lambda body, number: answer):
        pass
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert "hello" not in str(caught.value)


def test_an_unreachable_server_fails_in_one_line() -> None:
    with serve(by_word) as server:
        url = server.url
    with pytest.raises(CellError, match="on this machine cannot be reached") as caught:
        fitted(url)
    assert "\n" not in str(caught.value)


def test_a_server_without_log_probabilities_answers_in_text() -> None:
    def act(body: Body, number: int) -> Act:
        return Act(400) if "logprobs" in body else says("True", usage=False)

    with serve(act) as server:
        (one,) = fitted(server.url).ask(["hello"], 1)
    assert one.scores is not None
    assert (one.scores.how, one.scores.probabilities) == ("text", (0.0, 1.0))
    assert one.completion is not None
    assert one.completion.prompt_tokens is None


def test_no_comment_is_sent_elsewhere_without_permission() -> None:
    with serve(by_word) as server:
        model = fitted(server.url)
        model.settings = EndpointSettings(model="m", url="https://api.example.com/v1")
        del model.address
        with pytest.raises(
            OptionError, match=r"sent to api\.example\.com; --yes-send-comments permits"
        ):
            model.predict_proba(["hello"])
    assert server.comments == ["Thank you for your help."]


@pytest.mark.parametrize(
    ("url", "variable", "key", "expected"),
    [
        ("http://localhost/v1", client.OPENAI_KEY_VARIABLE, KEY, None),
        ("https://api.example.com/v1", client.OPENAI_KEY_VARIABLE, KEY, None),
        ("https://api.openai.com/v1", client.OPENAI_KEY_VARIABLE, KEY, f"Bearer {KEY}"),
        ("https://api.example.com/v1", client.KEY_VARIABLE, f" {KEY}\n", f"Bearer {KEY}"),
        ("http://api.example.com/v1", client.KEY_VARIABLE, KEY, "unencrypted"),
        ("https://api.example.com/v1", client.KEY_VARIABLE, f"{KEY}\n{KEY}", "characters"),
    ],
)
def test_a_key_goes_to_its_server_only_and_encrypted(
    url: str, variable: str, key: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, key)
    where = Endpoint(EndpointSettings(model="m", url=url)).address
    if expected in ("unencrypted", "characters"):
        with pytest.raises(OptionError, match=expected) as caught:
            client._headers(where)
        assert KEY not in str(caught.value)
    else:
        assert client._headers(where).get("Authorization") == expected


def test_a_saved_endpoint_has_its_settings_and_neither_key_nor_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.KEY_VARIABLE, KEY)
    with serve(by_word) as server:
        model = fitted(server.url, shots=2)
        model.may_send_comments = True
        folder = tmp_path / "saved"
        folder.mkdir()
        model.save(folder)
        loaded = registry.load(folder)
        assert loaded.predict_proba(TEXTS).tolist() == model.predict_proba(TEXTS).tolist()
    assert not loaded.may_send_comments
    assert all(KEY not in file.read_text("utf-8") for file in folder.iterdir())


def test_names_of_endpoints_are_short_and_unique() -> None:
    given = ["endpoint:a/llama:1b", "endpoint:b/llama:1b", "endpoint:/models/x.gguf"]
    rows = ["endpoint:llama-1b", "endpoint:b-llama-1b", "endpoint:x.gguf"]
    assert list(registry.name_rows(given)) == rows
    assert registry.entry("endpoint:gpt").kind == "endpoint"
    assert not registry.is_user_code("endpoint:gpt")


def test_an_endpoint_needs_no_torch() -> None:
    import subprocess

    program = "import sys, worthit.models.endpoint; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
