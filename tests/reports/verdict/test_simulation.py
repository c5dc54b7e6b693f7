"""reports/verdict/simulation.py: how often each answer occurs, and the tables in the README."""

from pathlib import Path

import numpy as np
import pytest

from worthit.reports.analysis import leads
from worthit.reports.verdict import simulation

README = Path(simulation.__file__).parents[1] / "README.md"


def test_the_readme_has_the_tables_of_the_simulation() -> None:
    text = README.read_text("utf-8")
    assert simulation.answers_table() in text
    assert simulation.coverage_table() in text


def test_a_lead_of_the_worthwhile_size_is_decided_in_either_way_in_one_of_forty_runs() -> None:
    shares = simulation.answers(0.01, 2_000, 10_000)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["practical"] == pytest.approx(0.025, abs=0.006)
    assert shares["not worth it"] == pytest.approx(0.025, abs=0.006)


def test_the_number_of_comments_to_decide_decides_in_four_of_five_runs() -> None:
    needed = 7_850  # (1.96 + 0.84)² · 0.1 / 0.01²
    assert simulation.answers(0.0, needed, 4_000)["not worth it"] == pytest.approx(0.8, abs=0.03)
    assert simulation.answers(0.02, needed, 4_000)["practical"] == pytest.approx(0.8, abs=0.03)
    differ = np.zeros((1, needed)), np.zeros((1, needed))
    differ[0][0, : needed // 20] = differ[1][0, -(needed // 20) :] = 1
    lead = leads.of_accuracy(*differ)
    assert lead.comments_to_decide(0.01) == pytest.approx(needed, rel=0.01)


def test_an_impossible_lead_is_refused() -> None:
    with pytest.raises(ValueError, match="impossible"):
        simulation.answers(0.2, 500, 10)
