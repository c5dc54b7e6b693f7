"""Endpoints in reports: a kind of their own, with what is measured, priced, cached and missing."""

import pytest

from tests import endpoint_runs, verdict_runs
from worthit.bench.saved import consistency, record
from worthit.bench.saved.record import NOT_TUNED, ON_SERVER
from worthit.reports.analysis import costs, leads, serving
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import endpoints, prices, report
from worthit.reports.verdict import rules

TOKENS = {"price_in": "0.5", "price_out": "2", "machine_price": "0.36"}


def rendered(run: record.Run) -> str:
    consistency.check(run)
    analysis = Analysis.of(run)
    return report.render(analysis, rules.decide(analysis), {})


def run(endpoint: record.CellRecord, **options: str) -> record.Run:
    cells = (verdict_runs.cell("tfidf", 0.85), verdict_runs.cell("llama", 0.95), endpoint)
    return verdict_runs.run(*cells, **options)


def test_what_the_server_has_is_unavailable_with_the_reason_and_never_0() -> None:
    analysis = Analysis.of(run(endpoint_runs.cell(0.9)))
    for key in ("core_ms", "compute_ms", "peak_mb", "disk_mb", "energy_mj"):
        figure = analysis.values["endpoint:gpt-cpu", key].figure
        assert (figure.value, figure.reason) == (None, ON_SERVER), key
    assert analysis.values["endpoint:gpt-cpu", "training_s"].figure.value == 0
    assert analysis.values["endpoint:gpt-cpu", "training_s"].nothing
    text = rendered(analysis.run)
    row = next(line for line in text.splitlines() if line.startswith("| endpoint:gpt"))
    assert row.count("n/a") >= 4
    assert NOT_TUNED in text


def test_the_report_says_what_its_latency_and_throughput_are() -> None:
    text = rendered(run(endpoint_runs.cell(0.9)))
    assert "endpoint:gpt runs on a server: latency includes the network" in text
    assert "throughput is at the best number of requests at once" in text
    assert (
        "Best throughput of an [endpoint](#term-endpoint): 20 comments/s with 2 requests at once"
        in text
    )
    assert "Of endpoints, by requests at once:" in text
    assert "endpoint:gpt is gpt on api.example.com" in text


def test_an_endpoint_is_not_called_deterministic() -> None:
    text = rendered(run(endpoint_runs.cell(0.9)))
    assert "Deterministic, so one training is enough: tfidf." in text
    assert "another time the server may answer differently" in text


def test_comments_without_an_answer_and_answers_in_text_are_counted() -> None:
    asked = endpoint_runs.requests(
        no_answer={"timed out": 20, "refused (400)": 10}, by_log_probabilities=970
    )
    analysis = Analysis.of(run(endpoint_runs.cell(0.9, asked, no_answer=30)))
    _, sentences, *details = endpoints.section(analysis)
    assert "gave no answer to 30 of the test comments (1.0 %)" in sentences
    assert "accuracy counts the comment as toxic" in sentences
    assert "2,000 of 2,970 answers of endpoint:gpt are without log-probabilities" in sentences
    assert any("no answer: refused (400) (20); timed out (40)" in part for part in details)
    assert "the server limited the rate" not in sentences


def test_scores_from_earlier_requests_are_marked_cached() -> None:
    fresh, cached = (
        Analysis.of(run(endpoint_runs.cell(0.9, endpoint_runs.requests(cached=number))))
        for number in (0, 7)
    )
    for key in ("accuracy", "roc_auc"):
        origins = [
            next(spec for spec in _figures() if spec.key == key)
            .read(one.run, one.run.cells[2])
            .origin
            for one in (fresh, cached)
        ]
        assert origins == ["measured", "cached"]
    another = run(
        endpoint_runs.cell(0.9, endpoint_runs.requests(cached=7)), objective="balanced-accuracy"
    )
    assert leads.deciding(another, another.cells[2]).figure.origin == "cached"
    assert (
        "7 of 3,000 answers of endpoint:gpt are those of earlier requests"
        in endpoints.section(cached)[1]
    )


def _figures() -> tuple[object, ...]:
    from worthit.reports.analysis import figures

    return figures.FIGURES


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"price_in": "0.5", "price_out": "2"}, 80 * 0.5 + 2 * 2),
        ({"api_price": "30"}, 30),
        ({"api_price": "30", "price_in": "0.5", "price_out": "2"}, 44),
        ({"price_in": "0.5"}, None),
        ({"machine_price": "1"}, None),
    ],
)
def test_a_million_comments_cost_their_tokens_or_what_the_api_takes(
    options: dict[str, str], expected: float | None
) -> None:
    analysis = Analysis.of(run(endpoint_runs.cell(0.9), **options))
    value = analysis.values["endpoint:gpt-cpu", "price"].figure.value
    assert value == (None if expected is None else pytest.approx(expected))


def test_uncounted_tokens_have_no_price() -> None:
    endpoint = endpoint_runs.cell(0.9, endpoint_runs.requests(tokens=False))
    price = Analysis.of(run(endpoint, **TOKENS)).values["endpoint:gpt-cpu", "price"]
    assert price.figure.reason == "the server does not count tokens"


def test_an_endpoint_is_a_rival_in_the_table_of_break_even_volumes() -> None:
    text = "\n".join(prices.section(Analysis.of(run(endpoint_runs.cell(0.9), **TOKENS))))
    assert "against endpoint:gpt" in text
    assert "against the API" not in text
    assert "0.5 per million prompt tokens, 2 per million completion tokens" in text
    priced = "\n".join(prices.section(Analysis.of(run(endpoint_runs.cell(0.9), api_price="30"))))
    assert "against endpoint:gpt" in priced
    assert "“A million correct”: scoring as many comments as" in priced


def test_an_endpoint_compares_with_models_here_by_price_only() -> None:
    unpriced = Analysis.of(run(endpoint_runs.cell(0.9)))
    assert not costs.compares(unpriced.values, "endpoint:gpt-cpu", "llama-cpu")
    priced = Analysis.of(run(endpoint_runs.cell(0.9), **TOKENS))
    # llama: 40 comments/s at 0.36 per hour are 2.5 per million; the endpoint's tokens cost 44
    assert costs.is_cheaper(priced.values, "llama-cpu", "endpoint:gpt-cpu")
    assert costs.times_cheaper(priced.values, "llama-cpu", "endpoint:gpt-cpu") == pytest.approx(
        17.6
    )


def test_it_is_never_the_tuned_llm_and_a_cheaper_one_that_is_as_good_wins() -> None:
    only = verdict_runs.run(verdict_runs.cell("tfidf", 0.85), endpoint_runs.cell(0.99))
    assert "no fine-tuned LLM" in rules.decide(Analysis.of(only)).headline
    cheap = TOKENS | {"price_in": "0.001", "price_out": "0.001"}
    decided = rules.decide(Analysis.of(run(endpoint_runs.cell(0.97), **cheap)))
    assert decided.answer == "not worth it here"
    assert decided.headline.startswith(
        "Not worth it here: endpoint:gpt is more accurate than llama"
    )
    assert any("× the price of a comment and" in reason for reason in decided.reasons)


def test_without_prices_a_better_endpoint_leaves_the_verdict_open_and_a_worse_one_does_not() -> (
    None
):
    better = rules.decide(Analysis.of(run(endpoint_runs.cell(0.97))))
    assert better.answer == "too little data to tell"
    assert "no prices compare a server with this machine" in better.headline
    assert "--price-in" in better.changes[0]
    worse = rules.decide(Analysis.of(run(endpoint_runs.cell(0.85))))
    assert worse.answer.startswith("practical")
    on_server = "On a server, not tuned by this run: endpoint:gpt 85.0 %"
    assert any(on_server in reason for reason in worse.reasons)


def test_no_rate_of_a_server_is_simulated_or_taken_for_exact() -> None:
    endpoint = endpoint_runs.cell(0.9)
    assert serving.server(endpoint) is None
    rate = Analysis.of(run(endpoint)).values["endpoint:gpt-cpu", "comments_per_s"]
    assert (rate.low, rate.high) == (0.0, float("inf"))
    assert "was disturbed" not in rendered(verdict_runs.run(endpoint))
