"""Endpoints in a benchmark: consent, few paid requests, honest figures, and a key that appears nowhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.chat_server import Act, Body, Server, by_word, says, serve
from tests.command_line import options
from worthit.bench import session
from worthit.bench.cell import Cell, Effort
from worthit.bench.cells.cell_run import CellRun
from worthit.bench.cells.progress import Progress
from worthit.bench.cells.server_work import ServerWork
from worthit.bench.instruments import server_requests
from worthit.bench.instruments.comment_sample import sample_by_length
from worthit.bench.saved import record
from worthit.bench.saved.record import ON_SERVER, measured
from worthit.datasets import prepare
from worthit.datasets.errors import CellError, DeviceError, OptionError
from worthit.models.chat import client

KEY = "sk-hunter2-secret"
EFFORT = Effort(latency_samples=5)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(by_word) as one:
        yield one


def cell(split: str, server: Server) -> Cell:
    settings = {"model": "m", "url": server.url, "retries": 1}
    return Cell("endpoint:m", "cpu", 0, split, settings, EFFORT, location="endpoint:m")


def at_work(split: str, server: Server) -> ServerWork:
    work = ServerWork(cell(split, server), lambda done, total: None)
    work.setup()
    work.load(work.train().artifact)
    return work


def test_nothing_is_trained_and_what_the_server_has_is_unavailable(
    small_split: str, server: Server
) -> None:
    work = ServerWork(cell(small_split, server), lambda done, total: None)
    setup, training = work.setup(), work.train()
    assert (setup.kind, setup.checkpoint, setup.device_name) == (
        "endpoint",
        "m on this machine",
        ON_SERVER,
    )
    assert training.train_s.reason == training.cpu_j.reason == record.NOT_TUNED
    assert training.disk_mb.reason == training.memory.peak_mb.reason == ON_SERVER
    assert training.comments == 0
    assert server.comments == ["Thank you for your help."]  # no comment of the data


def test_latency_sends_each_comment_once_and_throughput_more_and_more_at_once(
    small_split: str, server: Server
) -> None:
    work = at_work(small_split, server)
    texts = sample_by_length(prepare.comments(small_split, "test").texts, 5)
    work.quality()  # fills the cache of answers, which must not help
    before = len(server.requests)
    latency = work.latency(texts)
    assert server.comments[before:] == [*texts]  # the first call is not a sample
    assert latency.comments == len(latency.samples_ms) == 4
    assert latency.ended_by == "one pass"
    assert latency.p50_ms.instrument == "perf_counter, network included"
    assert latency.requests is not None
    assert (latency.requests.comments, latency.requests.cached) == (5, 0)
    before = len(server.requests)
    sweep = work.throughput()
    assert [rate.batch_size for rate in sweep.batches][:3] == [1, 2, 4]
    assert all(rate.core_ms.reason == ON_SERVER for rate in sweep.batches)
    assert sweep.requests is not None
    assert sweep.requests.comments == len(server.requests) - before
    assert sweep.requests.comments <= server_requests.most_requests(0)
    assert not {*server.comments[before:]} & {*texts}


def test_a_limited_rate_ends_the_sweep() -> None:
    limited = iter([(16, False), (16, True)])
    sweep = server_requests.measure_concurrency(lambda texts, at_once: next(limited), ["a"])
    assert (sweep.ended_by, [rate.batch_size for rate in sweep.batches]) == ("rate limit", [1, 2])


def test_only_answered_requests_count_as_a_rate() -> None:
    answered = iter([4, 16, 0])
    sweep = server_requests.measure_concurrency(
        lambda texts, at_once: (next(answered), False), ["a"]
    )
    assert [rate.comments_per_s.samples for rate in sweep.batches] == [4, 16]
    assert sweep.ended_by == "no answer"
    with pytest.raises(CellError, match="answered none of 16 requests"):
        server_requests.measure_concurrency(lambda texts, at_once: (0, False), ["a"])


def test_comments_without_an_answer_are_counted_and_have_equal_probabilities(
    small_split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "BACKOFF_S", 0.0)
    test = prepare.comments(small_split, "test").texts

    def act(body: Body, number: int) -> Act:
        return Act(400) if test[3] in body["messages"][-1]["content"] else says("False")

    with serve(act) as server:
        first = at_work(small_split, server).quality()
        again = at_work(small_split, server).quality()
    assert first.test[3] == 0.5
    assert {*first.test[:3], *first.test[4:]} == {0.0}
    assert first.test_no_answer == 1
    assert first.requests is not None
    assert again.requests is not None
    assert first.requests.no_answer["refused (400)"] == 1
    assert first.requests.by_log_probabilities == first.requests.cached == 0
    assert first.requests.prompt_tokens == measured(
        50, "tokens", "usage, as the server counts", first.requests.comments - 1
    )
    assert again.requests.cached == first.requests.comments - 1
    assert again.test == first.test


def test_a_key_is_in_no_log_record_or_command_line(
    small_split: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.KEY_VARIABLE, KEY)
    saved: list[record.CellRecord] = []
    commands: list[str] = []

    def save(one: record.CellRecord) -> None:
        saved.append(one)
        children = psutil.Process(os.getpid()).children(recursive=True)
        commands.extend(" ".join(child.cmdline()) for child in children)

    with (tmp_path / "progress").open("w") as stream:
        run = CellRun(cell(small_split, server), tmp_path / "log", 60, Progress(stream), save)
        try:
            run.quality()
            with pytest.raises(DeviceError, match=f"endpoint:m has no memory here: {ON_SERVER}"):
                run.memory()
            server.requests.clear()
            server.act = lambda body, number: Act(401, {"error": {"message": f"bad key {KEY}"}})
            with pytest.raises(CellError, match="refuses the key"):
                run.latency()
        finally:
            run.close()
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    assert commands
    written = [path.read_text("utf-8") for path in (tmp_path / "log", tmp_path / "progress")]
    for text in (*written, *commands, msgspec.json.encode(saved[-1]).decode()):
        assert KEY not in text
        assert server.url.rpartition(":")[2] not in text  # nor the port and path


@pytest.mark.usefixtures("examined_comments")
@pytest.mark.parametrize("permitted", [False, True])
def test_it_is_said_how_many_comments_go_where_before_one_does(
    permitted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "measure_noise", lambda seconds: measured(1, "%", "no loop"))
    given = options(
        *"--dataset synthetic:600 --models lsa,endpoint:gpt --shots 2".split(),
        *("--endpoint", "https://api.example.com/v1", "--runs-folder", str(tmp_path / "runs")),
        *["--yes-send-comments"] * permitted,
    )
    with (tmp_path / "progress").open("w") as stream:
        new = session.Session(given, 1, Progress(stream))
        if permitted:
            new.open()
            assert new.cell_run("endpoint:gpt", "cpu", 0).cell.may_send_comments
        else:
            with pytest.raises(
                OptionError, match=r"^api\.example\.com would be sent up to \d+ comments"
            ):
                new.open()
    text = " ".join((tmp_path / "progress").read_text().split())
    assert ("api.example.com is sent up to" in text) == permitted
    assert permitted == ("each with 2 training comments as examples" in text)


def test_an_endpoint_has_one_cell_whatever_the_devices() -> None:
    given = options(
        *"--models tfidf,endpoint:gpt --devices cuda --endpoint http://localhost/v1".split()
    )
    assert session.cells(given)[-1] == ("endpoint:gpt", "cpu", "0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--models endpoint:gpt", "endpoint:gpt needs the address of its server: --endpoint URL"),
        ("--models lsa --endpoint http://localhost", "--endpoint has no model; name one"),
        ("--models endpoint --endpoint http://localhost", "--models endpoint has no model's name"),
        ("--models endpoint:gpt --endpoint ftp://x", "--endpoint is not an http or https address"),
        (
            "--models endpoint:gpt --endpoint http://x --checkpoint endpoint:gpt=y",
            "on a server; omit",
        ),
        ("--shots -1", "--shots is -1; it takes a number from 0 up"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        options(*arguments.split())
