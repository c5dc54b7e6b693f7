"""The contract check and its command find each rule that a model breaks."""

import gzip
import io
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import safetensors.numpy

from tests.own_code import examine, install
from worthit.models.contract import silent as silent_progress
from worthit.models.contract_check import check
from worthit.models.contract_check.pickles import is_pickle
from worthit.reports.cli import main

BAD = """
import numpy as np, pickle, random
from {code} import TwoMethods as Good


class Swapped(Good):
    def predict_proba(self, texts):
        return super().predict_proba(texts)[:, ::-1]


class OneColumn(Good):
    def predict_proba(self, texts):
        return super().predict_proba(texts)[:, 1]


class NoNumbers(Good):
    def predict_proba(self, texts):
        empty = np.array([not text for text in texts])
        return np.where(empty[:, None], np.nan, super().predict_proba(texts))


class Random(Good):
    def predict_proba(self, texts):
        return np.tile([0.5, 0.5], (len(texts), 1)) + [[0.01, -0.01]] * np.random.rand(len(texts), 1)


class LuckyTraining(Good):
    def fit(self, texts, labels):
        super().fit(texts, labels)
        self.inside[-1].intercept_ += random.random()


class ByTheBatch(Good):
    def predict_proba(self, texts):
        found = super().predict_proba(texts)
        return found if len(texts) == 1 else found * 0 + found.mean(axis=0)


class TooMuch(Good):
    def predict_proba(self, texts):
        return super().predict_proba(texts) * 2


class Forgets(Good):
    def save(self, folder): ...

    def load(self, folder):
        self.fit(["good", "bad"], [0, 1])


class Pickles(Good):
    def save(self, folder):
        (folder / "model.bin").write_bytes(pickle.dumps(self.inside))

    def load(self, folder):
        self.inside = pickle.loads((folder / "model.bin").read_bytes())


class Fails(Good):
    def fit(self, texts, labels):
        raise ValueError("no\\nmood")


class RunsOut(Good):
    def fit(self, texts, labels):
        super().fit(texts, labels)
        raise MemoryError
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    return install(tmp_path, monkeypatch, request.node.nodeid)


@pytest.mark.parametrize(
    ("name", "rule", "found"),
    [
        ("Swapped", "order of classes", "column 1 must be class 1"),
        ("OneColumn", "probabilities", "predict_proba gave shape (100,)"),
        ("NoNumbers", "an empty comment", "1 rows are not numbers"),
        ("Random", "scored twice", "they differ by up to 0.0"),
        ("LuckyTraining", "trained again", "they differ by up to"),
        ("ByTheBatch", "alone or together", "they differ by up to"),
        ("TooMuch", "probabilities", "from 0."),
        ("Forgets", "saved, loaded", "they differ by up to"),
        ("Pickles", "files", "model.bin: loading a pickle can execute code"),
        ("Fails", "training", "ValueError: no mood"),
        ("RunsOut", "training", "MemoryError"),
    ],
)
def test_the_check_finds_the_broken_rule(code: str, name: str, rule: str, found: str) -> None:
    Path(f"{code}_worse.py").write_text(BAD.replace("{code}", code))
    row = next(row for row in examine(f"{code}_worse:{name}") if row.name == rule)
    assert row.verdict == "off"
    assert found in row.found


def broken_rules(make: check.Make) -> dict[str, str]:
    return {row.name: row.found for row in check.examine(make) if row.verdict == "off"}


def test_rules_of_the_contract_itself_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    from worthit.models.contract import Classifier
    from worthit.models.majority import Majority

    def lenient(self: Any, texts: Any, labels: Any, progress: Any = None) -> Any:
        texts[:] = ["changed"] * len(texts)
        return self

    def make(classes: Sequence[str]) -> Majority:
        return Majority(classes=classes)

    monkeypatch.setattr(Classifier, "fit", lenient)
    (row,) = check.examine(make)
    assert row.found == "the comments or labels were changed"

    def silent(self: Any, texts: Any, labels: Any, progress: Any = None) -> Any:
        self._shares = np.full(len(self.classes), 1 / len(self.classes))
        return self

    monkeypatch.setattr(Classifier, "fit", silent)
    rows = broken_rules(make)
    assert rows == {
        "progress": "it ended at nothing",
        "one class": "was trained on",
        "unequal lengths": "was trained on",
    }

    def counts_steps(self: Any, texts: Any, labels: Any, progress: Any = silent_progress) -> Any:
        progress(1, 1)
        return silent(self, texts, labels)

    monkeypatch.setattr(Classifier, "fit", counts_steps)
    assert broken_rules(make)["progress"] == "it reported 1 comments, there are 120"


ARRAY = np.arange(3.0)
PICKLED = {"weights": [1.0, 2.0], "of": dict}


def npy(array: np.ndarray, **options: Any) -> bytes:
    np.save(content := io.BytesIO(), array, **options)
    return content.getvalue()


def joblib_dump(**options: Any) -> bytes:
    joblib.dump([PICKLED, ARRAY], content := io.BytesIO(), **options)
    return content.getvalue()


def zipped(content: bytes) -> bytes:
    with zipfile.ZipFile(target := io.BytesIO(), "w") as archive:
        archive.writestr("folder/", b"")
        archive.writestr("folder/member", content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        *[(pickle.dumps(PICKLED, protocol), True) for protocol in range(6)],
        *[(joblib_dump(compress=method), True) for method in (0, 3, "gzip", "bz2", "lzma", "xz")],
        (zipped(pickle.dumps(PICKLED, 0)), True),
        (npy(np.array([PICKLED]), allow_pickle=True), True),
        (zipped(npy(np.array([PICKLED]), allow_pickle=True)), True),
        (npy(ARRAY), False),
        (zipped(npy(ARRAY)), False),
        (gzip.compress(b"text"), False),
        *[
            (text, False)
            for text in (b"", b"0.5", b"1.", b"x, y.", b"xyz", b"BZh", b"comment\nword\n")
        ],
        (b"N, or so they say.", False),
        (safetensors.numpy.save({"a": ARRAY}), False),
    ],
    ids=lambda value: type(value).__name__,  # archives hold the time, and workers must agree on ids
)
def test_pickles_are_detected_by_their_content(
    content: bytes, expected: bool, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(content)
    assert is_pickle(tmp_path / "file") is expected


def test_the_command_checks_any_model_within_80_columns(
    code: str, capsys: pytest.CaptureFixture[str], tiny_bert: Path
) -> None:
    Path(f"{code}_worse.py").write_text(BAD.replace("{code}", code))
    assert main.main(["check-model", f"{code}:TwoMethods"]) == 0
    printed = capsys.readouterr().out
    assert "all rules are kept" in printed
    assert f"skops loads {code}.TwoMethods" in printed
    assert main.main(["check-model", f"{code}_worse:Forgets"]) == 1
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines()[1:])) <= 80
    assert "1 of 21 rules are broken" in printed
    assert main.main(["check-model", "gpt"]) == 2
    assert capsys.readouterr().err.startswith("worthit: unknown model 'gpt'; known: ")
    assert main.main(["check-model", "lsa", "--checkpoint", "x"]) == 2
    assert "lsa takes no other checkpoint; omit --checkpoint" in capsys.readouterr().err
    assert main.main(["check-model", f"hf:{tiny_bert}"]) == 0


def test_checking_a_classical_model_imports_no_torch() -> None:
    program = (
        "import sys\nfrom worthit.reports.cli import main as cli\n"
        "assert cli.main(['check-model', 'majority']) == 0\nprint('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False\n")
