"""`worthit score` with a model on a server: nothing leaves the machine unasked, nothing is guessed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chat_server import Act, Body, by_word, serve
from tests.scored_comments import read, written
from worthit.models.chat.address import Address
from worthit.models.endpoint import Endpoint, EndpointSettings


def saved(url: str, folder: Path) -> Path:
    folder.mkdir()
    labels = np.array([1, 0], np.int8)
    model = Endpoint(EndpointSettings(model="m", url=url))
    model.fit(["you idiot", "thanks"], labels).save(folder)
    return folder


def test_comments_are_sent_elsewhere_only_with_permission(
    score: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Address, "is_this_machine", False)
    source, target = written("csv", tmp_path, ["you idiot", "thanks"]), tmp_path / "out.csv"
    with serve(by_word) as server:
        model: dict[str, Any] = {"with_model": saved(server.url, tmp_path / "model")}
        sent = len(server.requests)
        code, said = score(source, "--output", target, **model)
        assert (code, len(server.requests)) == (2, sent)
        assert "comments would be sent to 127.0.0.1; --yes-send-comments permits it" in said
        code, said = score(source, "--output", target, "--yes-send-comments", **model)
        assert code == 0
        assert "every comment is sent to 127.0.0.1, unless its answer is cached" in said
    assert [float(row["score"]) > 0.5 for row in read(target)] == [True, False]


def test_a_comment_without_an_answer_has_no_score(
    score: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    def act(body: Body, number: int) -> Act:
        refused = "article" in body["messages"][-1]["content"]
        return Act(400) if refused else by_word(body, number)

    texts = ["you idiot", "an article", None]
    source, target = written("jsonl", tmp_path, texts), tmp_path / "out.jsonl"
    with serve(act) as server:
        model = saved(server.url, tmp_path / "model")
        code, said = score(source, "--output", target, with_model=model)
    assert code == 0
    assert "1 without text have no score; 1 without an answer have no score" in said
    assert [row["score"] is None for row in read(target)] == [False, True, True]
