"""The simulation of what calibration and threshold gain and lose."""

from worthit.reports.verdict import calibration_simulation as simulation


def test_a_biased_model_gains_and_a_good_one_loses_nothing() -> None:
    biased = simulation.gains(simulation.MODELS["weak, almost always positive"], 100, 5)
    assert biased.min() > 0.25
    good = simulation.gains(simulation.MODELS["good, calibrated"], 100, 5)
    assert good.min() > -simulation.WORSE


def test_the_table_has_a_row_for_each_model() -> None:
    assert len(simulation.table(1).splitlines()) == len(simulation.MODELS) + 2
