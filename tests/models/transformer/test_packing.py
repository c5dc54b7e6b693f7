"""Packed sequences attend as each does alone, in any layout, with the same gradients."""

from typing import Any

import numpy as np
import pytest
import torch

from worthit.models.transformer import batches
from worthit.models.transformer.packing import Pack

LENGTHS = [5, 1, 3]
HEADS, KEY_HEADS, SIZE, SCALING = 4, 2, 8, 0.3


def states(tokens: int, heads: int) -> torch.Tensor:
    return torch.randn(tokens, heads, SIZE, dtype=torch.float64, requires_grad=True)


def row_of(tokens: int) -> list[torch.Tensor]:
    """Queries, keys and values, with gradients."""
    torch.manual_seed(0)
    return [states(tokens, heads) for heads in (HEADS, KEY_HEADS, KEY_HEADS)]


def plainly(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    causal: bool = True,
    window: int | None = None,
    softcap: float | None = None,
) -> torch.Tensor:
    """Attention of one sequence's last tokens, written plainly."""
    key, value = (state.repeat_interleave(HEADS // KEY_HEADS, dim=1) for state in (key, value))
    scores = torch.einsum("qhs,khs->hqk", query, key) * SCALING
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    keys = torch.arange(len(key))
    behind = keys[len(key) - len(query) :, None] - keys
    hidden = (behind < 0) & causal
    if window:
        hidden |= behind >= window
    weights = torch.softmax(scores.masked_fill(hidden, -torch.inf), dim=-1)
    return torch.einsum("hqk,khs->qhs", weights, value)


def assert_close(found: object, expected: object) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)  # softmax is of fp32


def each(row: torch.Tensor) -> list[torch.Tensor]:
    return list(row.split(LENGTHS))


def gradients(found: torch.Tensor, of: list[torch.Tensor]) -> list[torch.Tensor]:
    weights = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
    return list(torch.autograd.grad((found * weights).sum(), of, retain_graph=True))


@pytest.fixture(params=[True, False], ids=["products", "fused"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short sequences by plain products, long ones by torch's own attention."""
    if not request.param:
        monkeypatch.setattr("worthit.models.hardware.devices.SHORT_TOKENS", 0)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    "options", [{}, {"window": 2}, {"softcap": 0.5}, {"window": 3, "softcap": 0.5}]
)
def test_sequences_attend_as_each_by_itself_and_so_do_gradients(
    options: dict[str, float],
) -> None:
    row = row_of(sum(LENGTHS))
    found = Pack(LENGTHS, "cpu").attend(0, *row, SCALING, **options)  # type: ignore[arg-type]
    alone = [plainly(*states, **options) for states in zip(*map(each, row), strict=True)]  # type: ignore[arg-type]
    expected = torch.cat(alone)
    assert_close(found, expected)
    assert_close(gradients(found, row), gradients(expected, row))


@pytest.mark.usefixtures("either_way")
def test_without_a_direction_all_tokens_of_a_sequence_see_each_other() -> None:
    row = row_of(sum(LENGTHS))
    found = Pack(LENGTHS, "cpu", causal=False).attend(0, *row, SCALING)
    alone = [plainly(*states, causal=False) for states in zip(*map(each, row), strict=True)]
    assert_close(found, torch.cat(alone))
    assert_close(gradients(found, row), gradients(torch.cat(alone), row))


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("window", [None, 4])
def test_a_shared_prefix_is_seen_by_all_in_the_row_or_known(window: int | None) -> None:
    head = 6
    row = row_of(head + sum(LENGTHS))
    pack = Pack(LENGTHS, "cpu", head=head)
    found = pack.attend(0, *row, SCALING, window=window)
    first, rest = ([state[part] for state in row] for part in (slice(head), slice(head, None)))
    alone = [plainly(*first, window=window)]
    for query, key, value in zip(*map(each, rest), strict=True):
        whole = torch.cat([first[1], key]), torch.cat([first[2], value])
        alone.append(plainly(query, *whole, window=window))
    assert_close(found, torch.cat(alone))
    assert_close(gradients(found, row), gradients(torch.cat(alone), row))

    before = Pack([head], "cpu", keep=True)
    before.attend(0, *first, SCALING, window=window)
    assert not pack.seen
    one = [state[: LENGTHS[0]] for state in rest]
    alone_later = Pack(LENGTHS[:1], "cpu", known=before.seen).attend(
        0, *one, SCALING, window=window
    )
    assert_close(alone_later, found[head : head + LENGTHS[0]])
    later = Pack(LENGTHS, "cpu", known=before.seen)
    assert_close(later.attend(0, *rest, SCALING, window=window), found[head:])
    assert (
        later.positions.tolist() == [6, 7, 8, 9, 10, 6, 6, 7, 8] == pack.positions.tolist()[head:]
    )
    assert pack.positions.tolist()[:head] == list(range(head)) == before.positions.tolist()


@pytest.mark.parametrize("amx", [True, False])
@pytest.mark.parametrize("options", [{}, {"window": 2}, {"softcap": 0.5}, {"causal": False}])
def test_scoring_fills_rows_and_changes_no_sequence(
    amx: bool, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worthit.models.hardware.processor.has_amx", lambda: amx)
    with torch.no_grad():
        causal = options.pop("causal", True)
        tokens = sum(LENGTHS)
        pack = Pack(LENGTHS, "cpu", causal=causal)
        assert tokens + pack.filler == len(pack.positions) == 64
        row = row_of(64)
        found = pack.attend(0, *row, SCALING, **options)
        assert torch.isfinite(found).all()
        parts = zip(*(each(state[:tokens]) for state in row), strict=True)
        alone = [plainly(*states, causal=causal, **options) for states in parts]
        assert_close(found[:tokens], torch.cat(alone))


def test_scoring_meets_few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worthit.models.hardware.processor.has_amx", lambda: True)
    rng = np.random.default_rng(0)
    lengths = np.maximum(rng.lognormal(3.5, 0.9, 2_000).astype(int), 3).clip(max=130)
    rows, widths, most = set(), set(), 1_536
    with torch.no_grad():
        for batch in batches.for_scoring(lengths, 128, most, packed=True):
            pack = Pack(lengths[batch].tolist(), "cpu", causal=False)
            rows.add(len(pack.positions))
            widths.add(pack._grid.shape[1])
    assert len(rows) <= most // 64
    assert len(widths) <= 9
    assert all(size % 64 == 0 for size in rows)
    assert all(size % 16 == 0 for size in widths)


def test_a_row_knows_where_its_sequences_begin_and_end() -> None:
    pack = Pack(LENGTHS, "cpu", head=2)
    assert pack.first.tolist() == [2, 7, 8]
    assert pack.last.tolist() == [6, 7, 10]


@pytest.mark.usefixtures("either_way")
def test_dropout_leaves_out_weights_and_makes_up_for_them() -> None:
    torch.manual_seed(0)
    query, key = states(400, HEADS), states(400, KEY_HEADS)
    value = torch.ones(400, KEY_HEADS, SIZE, dtype=torch.float64)
    found = Pack([200] * 2, "cpu", causal=False).attend(None, query, key, value, 0.1, dropout=0.5)
    assert found.std().item() > 0.01
    assert found.mean().item() == pytest.approx(1, abs=0.01)
