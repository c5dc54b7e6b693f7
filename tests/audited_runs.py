"""Runs with a given audit of their data."""

import dataclasses
from typing import Any

from tests import scored_runs
from worthit.bench.saved import audit_record, record
from worthit.datasets.audit import audit, label_noise, personal_data


def side(**changed: Any) -> audit.Side:
    no_hints = dict.fromkeys(personal_data.HINTS, 0)
    base = audit.Side(20, (10, 10), (5, 50, 500), (40, 60), 0, {"en": 20}, no_hints)
    return dataclasses.replace(base, **changed)


def facts(**changed: Any) -> audit.Trust:
    """An audit that finds nothing but one label that looks wrong, on each side two and one."""
    noise = label_noise.Noise(2, 1, 0.9, ("00000004",))
    return dataclasses.replace(audit.Trust(side(), side(), 0.55, (), 0, 30, noise), **changed)


def run(audited: audit.Trust | None) -> record.Run:
    """A model that classifies 18 of 20 test comments correctly, and the audit of its data."""
    scores = (0.9, 0.2) * 9 + (0.4, 0.6)
    made = scored_runs.run((1, 0) * 10, scored_runs.cell("lsa", scores), run_id="a-run")
    trust = audited and audit_record.recorded(audited)
    return dataclasses.replace(made, data=dataclasses.replace(made.data, trust=trust))
