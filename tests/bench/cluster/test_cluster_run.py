"""`--cluster` as users give it: two runs at once, their saved runs, and Ctrl-C."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ray_cluster import VirtualCluster, running, wait_for
from worthit.bench import session
from worthit.bench.saved import artifacts, run_file, trained_models
from worthit.models.cluster import connection

pytest.importorskip("ray", reason="ray is not installed: pip install 'worthit[cluster]'")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore"),  # of Ray itself
]

ROOT = Path(session.__file__).parents[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualCluster]:
    with running(tmp_path_factory.mktemp("cluster")) as made:
        for name, kind in (("one", "a"), ("two", "a"), ("three", "b")):
            made.add(name, kind)
        yield made


def start(cluster: VirtualCluster, models: str, folder: str, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "bench/", "--benchmark-only", "--dataset", "synthetic:600",
         "--train-size", "60", "--test-size", "20", "--seeds", "1", "--attempts", "1", "-k", "train or accuracy",
         "--models", models, "--runs-folder", str(cluster.folder / folder), "--cluster", cluster.address,
         f"--benchmark-storage=file://{cluster.folder}/benchmarks", *more],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | cluster.env | {"NODE": "driver", "WORTHIT_CACHE": str(cluster.folder / "driver")},
    )  # fmt: skip


@pytest.fixture(scope="module")
def two_runs(cluster: VirtualCluster) -> tuple[str, str]:
    """What two runs at the same time print."""
    runs = [
        start(cluster, "marked:Timed,majority", "kinds", "--on", "kind=a,kind=b", "--retrain"),
        start(cluster, "marked:Timed", "other", "--on", "kind=b", "--retrain"),
    ]
    printed = [run.communicate(timeout=200)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], printed
    return printed[0], printed[1]


def test_each_kind_has_a_saved_run_and_they_are_compared(
    cluster: VirtualCluster, two_runs: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cluster.folder / "kinds"
    files = sorted(folder.glob("*.json"))
    assert [file.stem[18:] for file in files] == ["quick-a", "quick-b"]
    for file, kind, nodes in zip(files, ("kind=a", "kind=b"), (2, 1), strict=True):
        run = run_file.load(file)
        assert run.complete
        assert [cell.name for cell in run.cells] == ["Timed-cpu", "majority-cpu"]
        assert not any(cell.failures for cell in run.cells)
        assert run.options["--on"] == kind
        assert run.machine["cluster_nodes"] == nodes
        assert run.noise.value is not None
        assert f"{file.stem}/README.md" in two_runs[0]
    comparison = (folder / f"{files[0].stem}-comparison.md").read_text()
    assert comparison.startswith("# Comparison of runs")
    assert str(cluster.folder) not in json.dumps([file.read_text() for file in files])

    monkeypatch.setenv("WORTHIT_CACHE", str(cluster.folder / "driver"))
    trained = trained_models.find(f"{files[1].stem}:majority", folder)
    assert trained.card.model == "majority"
    assert artifacts.read_record(trained.folder) is None  # no run here takes it for its own


def test_two_runs_at_once_share_no_node(cluster: VirtualCluster, two_runs: tuple[str, str]) -> None:
    lines = (cluster.folder / "times").read_text().splitlines()
    times = sorted((node, float(begin), float(end)) for node, begin, end in map(str.split, lines))
    assert [node for node, *_ in times].count("three") == 2
    for (node, _, end), (next_node, begin, _) in itertools.pairwise(times):
        assert node != next_node or end <= begin


def test_ctrl_c_frees_the_cluster_and_keeps_finished_cells(cluster: VirtualCluster) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    (cluster.folder / "stuck").unlink(missing_ok=True)
    try:
        run = start(cluster, "majority,marked:Stuck", "stopped")
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.stdout is not None
    printed = ""
    for line in run.stdout:
        printed += line
        if line.startswith("[1/2] majority-cpu on "):
            break
    wait_for((cluster.folder / "stuck").exists)
    run.send_signal(signal.SIGINT)
    printed += run.communicate(timeout=60)[0]
    assert run.returncode == 2, printed
    assert "Traceback" not in printed
    (file,) = (cluster.folder / "stopped").glob("*.json")
    saved = run_file.load(file)
    assert not saved.complete
    assert [cell.name for cell in saved.cells] == ["majority-cpu"]
    with connection.connected(cluster.address):
        import ray

        wait_for(lambda: ray.available_resources().get("CPU") == 3)
