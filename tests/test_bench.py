"""bench/: options, cells, the process of a cell, and what becomes of its failures."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from worthit.bench import (
    cell_run,
    energy,
    latency,
    machine,
    memory,
    noise,
    record,
    session,
    throughput,
)
from worthit.bench.cell import Cell, Effort
from worthit.bench.engine import Worker
from worthit.bench.progress import Progress
from worthit.bench.record import Setup, Training
from worthit.datasets import prepare
from worthit.datasets.errors import (
    CellError,
    DeviceError,
    OptionError,
    UnknownNameError,
    WorthitError,
)
from worthit.datasets.protocol import Protocol

ROOT = Path(session.__file__).parents[1]
SHORT = Effort(
    latency_samples=40,
    latency_limit_s=1.0,
    throughput_s=0.01,
    largest_batch=8,
    energy_window_s=0.2,
    idle_window_s=0.1,
)


def options(**changed: Any) -> session.Options:
    given: dict[str, Any] = {
        "preset_name": "quick", "models": None, "devices": "cpu", "dataset": "synthetic", "train_size": None,
        "test_size": None, "max_length": None, "checkpoints": [], "seeds": 1, "retrain": False,
        "cell_limit_s": None, "p99_limit_ms": 100.0, "runs_folder": Path("runs"),
        "electricity_price_per_kwh": None, "carbon_intensity_g_per_kwh": None,
    }  # fmt: skip
    return session.checked(**given | changed)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"models": "lsa,gpt"}, UnknownNameError, "unknown model 'gpt'; known: lsa, word2vec"),
        ({"models": " , "}, OptionError, "--models was given no name"),
        ({"devices": "tpu"}, UnknownNameError, "unknown device 'tpu'; known: cpu, cuda, mps"),
        (
            {"preset_name": "slow"},
            UnknownNameError,
            "unknown preset 'slow'; known: quick, standard, reference",
        ),
        ({"dataset": "imdb"}, UnknownNameError, "unknown dataset 'imdb'; known: wikipedia"),
        ({"train_size": 0}, OptionError, "--train-size is 0"),
        ({"seeds": 0}, OptionError, "--seeds is 0"),
        ({"electricity_price_per_kwh": -0.1}, OptionError, "--electricity-price is -0.1"),
        ({"carbon_intensity_g_per_kwh": math.nan}, OptionError, "--carbon-intensity is nan"),
        ({"checkpoints": ["llama"]}, OptionError, "is not MODEL=ID_OR_PATH"),
        ({"checkpoints": ["gpt=x"]}, UnknownNameError, "unknown model 'gpt'"),
        (
            {"checkpoints": ["lsa=x"]},
            OptionError,
            "lsa has no checkpoint to choose; those that have: bert, llama",
        ),
    ],
)
def test_bad_options_are_refused(
    changed: dict[str, Any], error: type[WorthitError], message: str
) -> None:
    with pytest.raises(error, match=message):
        options(**changed)


def test_models_are_paired_with_devices_they_can_run_on() -> None:
    pairs = session.cells(options(models="lsa,bert", devices="cpu,cuda", seeds=2))
    assert pairs == [
        ("lsa", "cpu", "0"), ("lsa", "cpu", "1"),
        ("bert", "cpu", "0"), ("bert", "cpu", "1"), ("bert", "cuda", "0"), ("bert", "cuda", "1"),
    ]  # fmt: skip


def test_a_device_asked_for_is_not_passed_over_in_silence() -> None:
    assert session.cells(options(models="lsa", devices="mps")) == [("lsa", "mps", "0")]


def test_names_of_cells() -> None:
    assert Cell("bert", "cpu", 0, "x").name == "bert-cpu"
    assert Cell("bert", "cuda", 2, "x").name == "bert-cuda-seed2"


@pytest.fixture
def split() -> str:
    return prepare.prepare("synthetic:600", Protocol()).key


def worker(cell: Cell, folder: Path, told: list[tuple[int, int]] | None = None) -> Worker:
    told = [] if told is None else told
    return Worker(cell, folder / "cell.log", lambda done, total: told.append((done, total)))


def test_a_cell_trains_once_and_says_when_it_is_cached(split: str, tmp_path: Path) -> None:
    cell = Cell("tfidf", "cpu", 0, split, effort=SHORT)
    told: list[tuple[int, int]] = []
    first = worker(cell, tmp_path, told)
    first.start(Setup, 60)
    trained = first.ask("train", Training, 60)
    first.close()
    assert trained.train_s.origin == "measured"
    assert told[-1][0] == told[-1][1] == trained.comments

    second = worker(cell, tmp_path)
    second.start(Setup, 60)
    again = second.ask("train", Training, 60)
    assert again.train_s.origin == "cached"
    assert (again.train_s.value, again.trained_at) == (trained.train_s.value, trained.trained_at)

    second.ask("load", type(None), 60, artifact=again.artifact)
    found = second.ask("latency", record.Latency, 60)
    on_test_side = len(prepare.comments(split, "test"))
    assert len(found.samples_ms) >= on_test_side
    assert found.cold_start_s is not None
    assert found.cold_start_s.value is not None
    assert found.load_s.value is not None
    assert found.cold_start_s.value > found.load_s.value
    again_timed = second.ask("latency", record.Latency, 60)
    assert again_timed.cold_start_s is not None
    assert again_timed.cold_start_s.reason == "the process had scored comments before"
    rates = second.ask("throughput", record.Throughput, 60)
    assert [rate.batch_size for rate in rates.batches][0] == 1
    used = second.ask("memory", record.Memory, 60)
    assert used.peak_mb.value is not None
    assert used.baseline_mb.value is not None
    assert used.peak_mb.value >= used.baseline_mb.value > 10
    spent = second.ask("energy", record.Energy, 60)
    assert spent.cpu_j_per_comment.origin in ("measured", "estimated", "unavailable")
    scored = second.ask("quality", record.Quality, 60)
    assert len(scored.test) == on_test_side
    second.close()


@pytest.mark.parametrize("change", [{"seed": 1}, {"settings": {"C": 1.0}}, {"retrain": True}])
def test_another_seed_setting_or_retrain_trains_anew(
    split: str, tmp_path: Path, change: dict[str, Any]
) -> None:
    base: dict[str, Any] = {"model": "tfidf", "device": "cpu", "seed": 0, "split": split}
    for cell in (Cell(**base), Cell(**base | change)):
        process = worker(cell, tmp_path)
        process.start(Setup, 60)
        assert process.ask("train", Training, 60).train_s.origin == "measured"
        process.close()


def test_a_killed_process_is_reported_as_likely_out_of_memory(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, split), tmp_path)
    process.start(Setup, 60)
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(
        CellError, match="killed, most likely because the machine ran out of memory"
    ):
        process.ask("train", Training, 60)
    process.close()


def test_a_process_that_dies_says_so_with_its_log(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, split), tmp_path)
    os.kill(process._process.pid, signal.SIGTERM)
    with pytest.raises(CellError, match=r"died with exit code -15 \(log: .*cell\.log\)"):
        process.start(Setup, 60)
    process.close()


def test_a_time_limit_ends_the_process(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, split), tmp_path)
    with pytest.raises(CellError, match=r"start took longer than its limit of 0 s"):
        process.start(Setup, 0.01)
    assert not process.alive()
    process.close()


def test_a_crash_is_one_line_and_the_traceback_goes_to_the_log(tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, "no-such-split"), tmp_path)
    process.start(Setup, 60)
    with pytest.raises(CellError, match=r"prepared comments .* cannot be read") as caught:
        process.ask("train", Training, 60)
    assert "\n" not in str(caught.value)
    assert "Traceback" in (tmp_path / "cell.log").read_text()
    with pytest.raises(CellError, match="AttributeError"):
        process.ask("no_such_operation", Training, 60)
    process.close()


def test_a_device_that_is_not_here_skips_the_cell(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cuda", 0, split), tmp_path)
    with pytest.raises(DeviceError, match="lsa runs on cpu only"):
        process.start(Setup, 60)
    process.close()


def test_latency_comments_cover_all_lengths_in_mixed_order() -> None:
    texts = ["x" * length for length in range(1, 1001)]
    drawn = latency.drawn_by_length(texts, 100)
    lengths = np.array([len(text) for text in drawn])
    assert len(drawn) == 100
    assert lengths.min() == 1
    assert lengths.max() == 1000
    assert np.quantile(lengths, 0.5) == pytest.approx(500, rel=0.05)
    assert lengths.tolist() != sorted(lengths)
    assert drawn == latency.drawn_by_length(texts, 100)


def timed(score: Any, comments: int, limit_s: float) -> record.Latency:
    cold = record.measured(1.0, "s", "test")
    texts = ["a" * (1 + i % 7) for i in range(comments)]
    return latency.measure_latency(score, lambda: None, texts, limit_s, 1.0, lambda: cold)


def test_latency_of_a_known_sleep() -> None:
    found = timed(lambda texts: time.sleep(0.005), 40, 1)
    assert found.p50_ms.value is not None
    assert found.p50_ms.value >= 5
    assert min(found.samples_ms) >= 5
    assert found.p90_ms.value is not None
    assert len(found.samples_ms) == len(found.characters)


def test_latency_goes_on_until_the_median_is_known_or_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    durations = iter(np.random.default_rng(0).lognormal(0, 0.3, 1_000_000))

    def score(texts: Any) -> None:
        nonlocal now
        now += float(next(durations))

    monkeypatch.setattr(latency.time, "perf_counter", lambda: now)
    monkeypatch.setattr(latency.time, "monotonic", lambda: now)
    precise = timed(score, 300, 1e6)
    assert precise.ended_by == "precision"
    assert precise.p50_ms.value is not None
    assert precise.p50_low_ms is not None
    assert precise.p50_high_ms is not None
    assert precise.p50_low_ms < precise.p50_ms.value < precise.p50_high_ms
    assert precise.p50_high_ms - precise.p50_low_ms <= 0.04 * precise.p50_ms.value
    assert len(precise.samples_ms) > 300  # one pass does not suffice at this spread
    short = timed(score, 300, 0.0)
    assert short.ended_by == "time limit"
    assert len(short.samples_ms) == 30
    assert short.p99_ms.reason == "p99 needs 299 samples, there are 30"


def test_the_interval_of_the_median_holds_it_19_times_in_20() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        low, high = latency.median_interval(rng.exponential(1.0, 60).tolist())
        held += low <= np.log(2) <= high
    assert 88 <= held <= 100
    assert latency.median_interval([2.0, 2.0]) == (2.0, 2.0)


def test_a_process_knows_its_age() -> None:
    program = (
        "import time; time.sleep(0.5)\n"
        "from worthit.bench.latency import process_age_s; print(process_age_s())"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert 0.5 < float(done.stdout) <= time.perf_counter() - started + 0.02  # a tick of the clock


@pytest.mark.parametrize(
    ("seconds_a_call", "seconds_a_comment", "sizes", "best"),
    [
        (0.0, 0.01, [1, 8, 32], {1, 8, 32}),  # no gain from batching at all
        (1.0, 0.0, [1, 8, 32, 128, 512, 2048], {2048}),  # nothing but gain
    ],
)
def test_throughput_is_swept_until_it_stops_rising(
    monkeypatch: pytest.MonkeyPatch,
    seconds_a_call: float,
    seconds_a_comment: float,
    sizes: list[int],
    best: set[int],
) -> None:
    now = 0.0

    def score(texts: Any, size: int) -> None:
        nonlocal now
        now += seconds_a_call * math.ceil(len(texts) / size) + seconds_a_comment * len(texts)

    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now)
    swept = throughput.measure_throughput(score, lambda: None, ["a"] * 10, 0.0, 2048)
    assert [rate.batch_size for rate in swept.batches] == sizes
    size = swept.best.batch_size
    assert size in best
    rate = size / (seconds_a_call + seconds_a_comment * size)
    assert swept.best.comments_per_s.value == pytest.approx(rate)
    assert swept.stopped_rising == (len(sizes) == 3)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_peak_memory_sees_a_known_allocation_and_forgets_it() -> None:
    with memory.peak_memory("cpu", memory.resident_bytes()) as window:
        block = np.ones(200_000_000 // 8)
        del block
    first = window.memory
    with memory.peak_memory("cpu", memory.resident_bytes()) as window:
        pass
    second = window.memory
    assert first is not None
    assert second is not None
    assert first.peak_mb.value is not None
    assert second.peak_mb.value is not None
    assert first.peak_mb.value - second.peak_mb.value == pytest.approx(200, rel=0.05)
    assert second.accelerator_peak_mb.value is None


class FakeAccelerator:
    """torch.accelerator as a build may have it."""

    def __init__(self, statistics: dict[str, int] | None) -> None:
        self._statistics = statistics
        self.resets = 0

    def reset_peak_memory_stats(self) -> None:
        self.resets += 1

    def memory_stats(self) -> dict[str, int]:
        if self._statistics is None:
            raise RuntimeError("not supported")
        return self._statistics

    def get_memory_info(self) -> tuple[int, int]:
        return 30_000_000, 100_000_000


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_accelerator_memory_is_reset_and_read(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    import torch

    full = {"allocated_bytes.all.peak": 5_000_000, "reserved_bytes.all.peak": 8_000_000}
    fake = FakeAccelerator(full)
    monkeypatch.setattr(torch, "accelerator", fake)
    with memory.peak_memory(device, 0) as window:
        pass
    found = window.memory
    assert found is not None
    assert found.accelerator_reserved_mb is not None
    assert found.accelerator_used_mb is not None
    assert fake.resets == 1
    assert found.accelerator_peak_mb.value == 5.0
    assert found.accelerator_reserved_mb.value == 8.0
    assert found.accelerator_used_mb.value == 70.0


@pytest.mark.parametrize(
    ("statistics", "reason"),
    [({}, "reports 0 for mps"), (None, "keeps no mps statistics")],
)
def test_builds_without_statistics_are_told_and_never_0(
    monkeypatch: pytest.MonkeyPatch, statistics: dict[str, int] | None, reason: str
) -> None:
    import torch

    monkeypatch.setattr(torch, "accelerator", FakeAccelerator(statistics))
    with memory.peak_memory("mps", 0) as window:
        pass
    assert window.memory is not None
    assert window.memory.accelerator_peak_mb.value is None
    assert reason in window.memory.accelerator_peak_mb.reason


@pytest.mark.skipif(sys.platform != "linux", reason="the two kinds are read from /proc")
def test_anonymous_and_file_backed_memory_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"x" * 100_000_000)

    def kinds() -> tuple[float, float]:
        with memory.peak_memory("cpu", 0) as window:
            pass
        found = window.memory
        assert found is not None
        assert found.anonymous_mb is not None
        assert found.file_backed_mb is not None
        assert found.anonymous_mb.value is not None
        assert found.file_backed_mb.value is not None
        return found.anonymous_mb.value, found.file_backed_mb.value

    before = kinds()
    mapped = np.memmap(tmp_path / "weights", np.uint8, "r")
    untouched = kinds()
    mapped.sum()
    touched = kinds()
    block = np.ones(100_000_000, np.uint8)
    filled = kinds()
    assert untouched[1] - before[1] < 5
    assert touched[1] - untouched[1] == pytest.approx(100, abs=8)
    assert touched[0] - before[0] < 8
    assert filled[0] - touched[0] == pytest.approx(100, abs=8)
    assert block.any()


def test_energy_counts_comments_and_tells_estimates() -> None:
    spent = energy.measure_energy(lambda texts: time.sleep(0.05), lambda: None, ["a"] * 4, 0.3, 0.1)
    assert spent.window_s >= 0.3
    assert spent.comments >= 16
    for figure in (spent.cpu_j_per_comment, spent.ram_j_per_comment, spent.gpu_j_per_comment):
        assert (figure.value is None) == (figure.origin == "unavailable")
    assert spent.ram_j_per_comment.origin == "estimated"


def test_noise_is_the_spread_of_equal_work() -> None:
    durations = [1.0] * 10 + [1.1] * 80 + [1.2] * 10
    assert noise.spread(durations).value == pytest.approx(20)
    assert noise.spread([1.0] * 50).value == 0
    assert noise.measure_noise(0.0).samples == 20


def test_a_cell_counts_the_seconds_of_training_and_of_each_measurement(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scripted(Worker):
        """Says of every operation that it took as long as the table has it."""

        def ask(self, operation: str, *arguments: Any, **more: Any) -> Any:
            answer = super().ask(operation, *arguments, **more)
            self.seconds = {"start": 1000.0, "load": 100.0, "train": 10.0}.get(operation, 1.0)
            return answer

    monkeypatch.setattr(cell_run, "Worker", Scripted)
    with (tmp_path / "progress").open("w") as stream:
        run = cell_run.CellRun(
            Cell("tfidf", "cpu", 0, split, effort=SHORT),
            tmp_path / "cell.log",
            60,
            Progress(stream),
            lambda cell: None,
        )
        run.latency()
        run.memory()
        run.close()
    assert run.record.measured_s == 12.0


CGROUP_FILES = {
    "v1": {"proc": "4:cpu,cpuacct:/a/b\n3:cpuset:/z\n", "cpu/a/cpu.cfs_quota_us": "150000\n",
           "cpu/a/cpu.cfs_period_us": "100000\n", "cpu/a/b/cpu.cfs_quota_us": "-1\n",
           "cpu/a/b/cpu.cfs_period_us": "100000\n"},
    "v1, outside its own namespace": {"proc": "4:cpu:/docker/x\n", "cpu/cpu.cfs_quota_us": "50000\n",
                                      "cpu/cpu.cfs_period_us": "100000\n"},
    "v2": {"proc": "0::/a/b\n", "a/b/cpu.max": "250000 100000\n", "a/cpu.max": "max 100000\n"},
    "v2, bound by the parent": {"proc": "0::/a/b\n", "a/b/cpu.max": "400000 100000\n",
                                "a/cpu.max": "50000 100000\n"},
    "none": {"proc": "0::/\n", "cpu.max": "max 100000\n"},
    "another controller's": {"proc": "3:cpuset:/a\n0::/\n", "cpu/a/cpu.cfs_quota_us": "50000\n",
                             "cpu/a/cpu.cfs_period_us": "100000\n"},
    "unreadable": {"proc": "0::/\n", "cpu.max": "?\n"},
    "not Linux": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "quota", "cores"),
    [
        ("v1", 1.5, 2),
        ("v1, outside its own namespace", 0.5, 1),
        ("v2", 2.5, 3),
        ("v2, bound by the parent", 0.5, 1),
        ("none", None, 8),
        ("another controller's", None, 8),
        ("unreadable", None, 8),
        ("not Linux", None, 8),
    ],
)
def test_allowed_cores_obey_affinity_and_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: str, quota: float | None, cores: int
) -> None:
    for name, text in CGROUP_FILES[files].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "proc")
    affinity = set(range(8))
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: affinity, raising=False)
    assert machine.cpu_quota_cores() == quota
    assert machine.allowed_cores() == cores
    affinity = {5}
    assert machine.allowed_cores() == 1


def test_the_fingerprint_changes_with_what_decides_and_with_nothing_else() -> None:
    described = machine.describe()
    found = described["fingerprint"]
    assert len(found) == 16
    assert set(machine.FINGERPRINT_KEYS) == set(described) - {"commit", "fingerprint"}
    for key in machine.FINGERPRINT_KEYS:
        assert machine.fingerprint(described | {key: "another"}) != found, key
    assert machine.fingerprint(described | {"commit": "another", "note": "any"}) == found
    assert machine.fingerprint(json.loads(json.dumps(described))) == found


def test_the_description_names_blas_and_the_build_of_torch() -> None:
    import torch

    described = machine.describe()
    assert described["torch_build"].startswith(torch.__version__)
    assert torch.version.git_version[:12] in described["torch_build"]
    if sys.platform == "linux":
        assert described["blas_threads"] >= 1
        assert described["blas"]


def test_gpus_come_with_their_driver_and_power_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def limit(handle: int) -> int:
        if handle == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 450_000

    for name, fake in (
        ("Init", lambda: None), ("Shutdown", lambda: None), ("SystemGetDriverVersion", lambda: "570.1"),
        ("DeviceGetCount", lambda: 2), ("DeviceGetHandleByIndex", lambda index: index),
        ("DeviceGetName", lambda handle: b"RTX"), ("DeviceGetEnforcedPowerLimit", limit),
    ):  # fmt: skip
        monkeypatch.setattr(pynvml, f"nvml{name}", fake)
    described = machine.describe()
    assert described["accelerators"] == ["RTX", "RTX"]
    assert described["gpu_driver"] == "570.1"
    assert described["gpu_power_limits_w"] == [450.0, None]


def test_describing_the_machine_imports_no_torch() -> None:
    program = (
        "import sys\nfrom worthit.bench import machine\nmachine.describe()\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def bench(folder: Path, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "bench/", "--benchmark-only", "--dataset", "synthetic:600",
         "--runs-folder", str(folder), "--benchmark-storage", f"file://{folder}/benchmarks", *arguments],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more,
    )  # fmt: skip


def only_run(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*-quick.json")
    run: dict[str, Any] = json.loads(file.read_text())
    return run


def test_the_main_job_on_two_models(tmp_path: Path) -> None:
    saved = tmp_path / "pytest-benchmark.json"
    done = bench(
        tmp_path,
        "--models",
        "lsa,tfidf",
        "-k",
        "train or latency or accuracy",
        "--electricity-price=0.3",
        "--carbon-intensity=56",
        f"--benchmark-json={saved}",
    )
    printed, _ = done.communicate(timeout=200)
    assert done.returncode == 0, printed
    run = only_run(tmp_path)
    assert run["complete"]
    assert [cell["model"] for cell in run["cells"]] == ["lsa", "tfidf"]
    assert run["options"]["--electricity-price"] == "0.3"
    assert run["options"]["--carbon-intensity"] == "56.0"
    assert run["machine"]["fingerprint"] == machine.fingerprint(run["machine"])
    assert run["noise"]["value"] > 0
    assert all(0 < cell["measured_s"] < cell["wall_s"] for cell in run["cells"])
    assert "[2/2] tfidf-cpu" in printed
    assert "test_latency[lsa-cpu]" in printed
    (report,) = tmp_path.glob("*/README.md")
    assert "not measured in this run" in report.read_text()
    timed = {entry["name"]: entry for entry in json.loads(saved.read_text())["benchmarks"]}
    samples = [s / 1e3 for s in run["cells"][0]["latency"]["samples_ms"]]
    assert timed["test_latency[lsa-cpu]"]["stats"]["median"] == pytest.approx(
        float(np.median(samples))
    )
    assert timed["test_latency[lsa-cpu]"]["params"] == {
        "model": "lsa",
        "device": "cpu",
        "seed": "0",
    }


def test_a_failing_cell_leaves_the_others_alone(tmp_path: Path) -> None:
    done = bench(
        tmp_path, "--models", "llama-zero-shot,lsa", "--checkpoint", "llama-zero-shot=/no/such/folder",
        "-k", "train or accuracy",
    )  # fmt: skip
    printed, _ = done.communicate(timeout=200)
    assert done.returncode == 1
    assert "there is no folder or .gguf file /no/such/folder" in printed
    assert "Traceback" not in printed
    failed, fine = only_run(tmp_path)["cells"]
    assert failed["failures"][0].startswith("training: there is no folder")
    assert fine["quality"] is not None


@pytest.mark.skipif(sys.platform == "darwin", reason="this machine may have the absent device")
def test_an_absent_device_is_skipped_with_the_reason(tmp_path: Path) -> None:
    done = bench(tmp_path, "--models", "lsa,bert", "--devices", "mps", "-rs", "-k", "train")
    printed, _ = done.communicate(timeout=100)
    assert done.returncode == 0
    reasons = [cell["skipped"] for cell in only_run(tmp_path)["cells"]]
    assert reasons[0] == "lsa runs on cpu only"
    assert reasons[1].startswith("device mps is not available: no Apple GPU")
    assert all(reason in printed for reason in reasons)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "gpt"], "unknown model 'gpt'; known: lsa,"),
        (["--dataset", "jigsaw:/no/file"], "there is no file /no/file"),
        (["--train-size", "100000"], "--train-size 100,000 was asked for"),
    ],
)
def test_bad_input_ends_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = bench(tmp_path, *arguments)
    printed, _ = done.communicate(timeout=100)
    assert done.returncode == 4
    assert message in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.glob("*.json"))


def test_ctrl_c_keeps_and_reports_finished_cells(tmp_path: Path) -> None:
    done = bench(tmp_path, "--models", "lsa,tfidf", "-k", "latency or energy")
    assert done.stdout is not None
    printed = ""
    for line in done.stdout:
        printed += line
        if line.startswith("[2/2] tfidf-cpu"):
            break
    children = psutil.Process(done.pid).children(recursive=True)
    done.send_signal(signal.SIGINT)
    printed += done.communicate(timeout=60)[0]
    assert done.returncode == 2, printed
    run = only_run(tmp_path)
    assert not run["complete"]
    assert run["cells"][0]["latency"]["samples_ms"]
    assert "report:" in printed
    (report,) = tmp_path.glob("*/README.md")
    assert "interrupted" in report.read_text()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_collecting_imports_nothing_heavy() -> None:
    program = (
        "import pytest, sys\n"
        "pytest.main(['--collect-only', '-q', 'bench/', '--devices', 'cpu'])\n"
        "heavy = {'torch', 'sklearn', 'transformers', 'matplotlib'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "42 tests collected" in done.stdout
    assert "imported: []" in done.stdout
