"""bench/forecast/forecast.py: what is printed, and what is left."""

import dataclasses
from pathlib import Path

import pytest

from tests.command_line import options
from worthit.bench import session
from worthit.bench.forecast import forecast, gemm
from worthit.bench.forecast.cost import Work
from worthit.bench.forecast.forecast import Forecast, _Maker
from worthit.datasets.errors import DeviceError
from worthit.models import registry

_WORK = Work(train=1_000, validation=500, scored=2_000, characters=300, classes=2)


def made(monkeypatch: pytest.MonkeyPatch, *arguments: str, work: Work = _WORK) -> Forecast:
    """A forecast on a machine of 1.65 TFLOP/s without earlier runs."""
    monkeypatch.setattr(_Maker, "_measure", lambda self, product: gemm.Rate(1.65e12, 2))
    monkeypatch.setattr(forecast.processor, "allowed_cores", lambda: 2)
    given = options(*arguments)
    texts = ["some words of a comment " * 12]
    maker = _Maker(
        given, work, texts, [], lambda model, device: registry.settings(given.models[model])
    )
    seeds: dict[str, list[int]] = {}
    for model, _, seed in session.cells(given):
        seeds.setdefault(model, []).append(int(seed))
    models = [maker.model(model, "cpu", each) for model, each in seeds.items()]
    return Forecast(tuple(models), maker.downloads)


def test_it_fits_80_columns_and_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made(monkeypatch)
    lines = whole.lines()
    assert lines[0].startswith("forecast: about ")
    table = lines[1 : len(whole.models) + 2]
    assert max(map(len, table)) <= 80
    assert [line.split()[0] for line in table[1:]] == [f"{each.model}-cpu" for each in whole.models]
    assert any(line.endswith(": estimated from sizes") for line in lines)
    assert "  to download: SmolLM2-135M-Instruct, 93 MB" in lines


def test_models_without_a_forecast_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = ("--models", "tfidf,endpoint:x", "--endpoint", "http://localhost:1/v1")
    lines = made(monkeypatch, *endpoint).lines()
    assert lines[0].startswith("forecast without those that have none: about ")
    assert "  endpoint:x on cpu has no forecast: its server decides" in lines
    assert made(monkeypatch, "--models", "hf:/no/such").lines() == [
        "forecast: none",
        "  hf:such on cpu has no forecast: its weights are not on this machine, or have no readable size",
    ]


def test_the_rate_of_products_is_measured_in_the_precision_of_the_model() -> None:
    for precision, bytes_per_number in (("fp32", 4), ("bf16", 2)):
        rate = gemm.Gemm(gemm.Product("cpu", precision, 8)).setup()
        assert rate.flops_per_s > 0
        assert rate.bytes_per_number == bytes_per_number


def test_a_device_that_cannot_be_measured_has_no_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: _Maker, product: gemm.Product) -> gemm.Rate:
        raise DeviceError("no such device")

    made(monkeypatch, "--models", "bert")
    monkeypatch.setattr(_Maker, "_measure", missing)
    maker = _Maker(options("--models", "bert"), _WORK, ["a"], [], lambda model, device: {})
    assert maker.model("bert", "cuda", [0]).reason == "no such device"


def test_what_is_left_shrinks_with_each_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made(monkeypatch, "--models", "lsa,bert", "--seeds", "2")
    everything = whole.seconds_left([])
    assert everything == pytest.approx(sum(model.seconds for model in whole.models))
    done = [("lsa", "cpu", 0), ("lsa", "cpu", 1)]
    assert whole.seconds_left(done) == pytest.approx(whole.models[1].seconds)
    assert whole.seconds_left([*done, ("bert", "cpu", 0), ("bert", "cpu", 1)]) == 0


def test_slow_models_are_forecast_with_one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    by_default = made(monkeypatch, "--models", "lsa,llama")
    assert [len(model.cells) for model in by_default.models] == [3, 1]
    asked = made(monkeypatch, "--models", "llama", "--seeds", "2")
    assert len(asked.models[0].cells) == 2


def test_a_variant_is_trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = made(monkeypatch, "--models", "bert-int8", "--seeds", "1").models[0]
    beside = made(monkeypatch, "--models", "bert,bert-int8", "--seeds", "1").models[1]
    assert alone.training_s > 5 * beside.training_s


def test_more_comments_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    more = dataclasses.replace(_WORK, train=16_000, scored=16_000)
    few, many = (
        made(monkeypatch, "--models", "tfidf,bert,llama", "--seeds", "1", work=work)
        for work in (_WORK, more)
    )
    for one, other in zip(few.models, many.models, strict=True):
        assert other.seconds > one.seconds
    # 16 times the comments, read once instead of twice
    ratio = many.models[2].training_s / few.models[2].training_s
    assert 7 < ratio < 9


def test_an_earlier_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_Maker, "_measure", lambda self, product: gemm.Rate(1.65e12, 2))
    made_ = made(monkeypatch, "--models", "tfidf")
    rates = made_.models[0].rates
    assert rates is not None
    named = dataclasses.replace(made_.models[0], rates=dataclasses.replace(rates, run="a-run"))
    assert "  tfidf-cpu: from a-run, on this machine" in Forecast((named,), {}).lines()


def test_times_of_another_number_of_processes_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = made(monkeypatch, "--models", "tfidf,bert", "--processes", "2").lines()
    line = "  bert-cpu: training time and memory are those with one process; with 2 processes they are unknown"
    assert line in lines
    one = made(monkeypatch, "--models", "tfidf,bert")
    assert not any("process" in line for line in one.lines())
    measured = [
        dataclasses.replace(each, processes=2, rates=dataclasses.replace(each.rates, processes=2))  # type: ignore[type-var]
        for each in one.models
    ]
    assert not any("process" in line for line in Forecast(tuple(measured), {}).lines())
