"""models/cluster/connection.py: versions, SIGTERM, and the loss of the head node; without a cluster."""

import importlib.util
import signal
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from worthit.models.cluster import connection
from worthit.models.cluster.connection import Head


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """What a head node listens with."""
    opened = socket.create_server(("127.0.0.1", 0))

    def set_address(head: Head) -> None:
        head._address = f"127.0.0.1:{opened.getsockname()[1]}"
        head._away_since = None

    monkeypatch.setattr(Head, "__init__", set_address)
    return opened


def test_a_head_node_is_lost_only_after_some_time_without_an_answer(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = Head()
    assert head.answers()
    listener.close()
    assert not head.answers()
    assert not head.is_lost
    monkeypatch.setattr(connection, "_AWAY_S", -1.0)
    assert head.is_lost


def test_the_loss_of_the_head_node_is_told_while_the_main_thread_waits(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_LOOK_S", 0.01)
    monkeypatch.setattr(connection, "_AWAY_S", -1.0)
    told = threading.Event()
    with connection.head_watched(told.set):
        assert not told.wait(0.05)
        listener.close()
        assert told.wait(10)


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folder in which Ray connects; it replaces the handler of SIGTERM meanwhile."""
    ray = pytest.importorskip("ray", reason="pip install 'worthit[cluster]'")
    folders: list[Path] = []

    def connect(*_: object, **__: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: None)
        folders.append(Path.cwd())

    monkeypatch.setattr(ray, "init", connect)
    monkeypatch.setattr(ray._private.worker, "print_to_stdstream", None)
    monkeypatch.setattr(connection, "_SETTINGS", {})
    return folders


def test_connecting_keeps_the_handler_of_sigterm(init: list[Path]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    connection._connect("auto")
    assert signal.getsignal(signal.SIGTERM) is before
    assert init


def test_nodes_do_not_import_from_the_current_folder(
    init: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    connection._connect("auto")
    assert init[0] != tmp_path
    assert Path.cwd() == tmp_path


def test_nodes_with_other_code_of_any_folder_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    seen = set()
    for folder in ("datasets", "models", "bench", "reports"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "code.py").write_text("")
        (tmp_path / folder / ".#code.py").symlink_to("nobody@nowhere")
        seen.add(connection._make_probe()()["worthit"])
    assert len(seen) == 4
