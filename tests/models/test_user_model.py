"""Unregistered models: the user's code, and other checkpoints as rows of their own."""

import importlib.util
import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command_line import options
from tests.own_code import broken_rules, install
from worthit.bench.cell import Cell
from worthit.bench.cells.work import Work
from worthit.bench.saved import artifacts, trained_models
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import (
    CheckpointError,
    DeviceError,
    ModelError,
    OptionError,
    RunError,
    UnknownNameError,
    WorthitError,
)
from worthit.models import contract, registry, user_model
from worthit.models.contract import silent
from worthit.models.hardware import devices
from worthit.models.weights import checkpoints
from worthit.reports.cli import main


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    return install(tmp_path, monkeypatch, request.node.nodeid)


@pytest.mark.parametrize(
    "name", ["pipeline", "margins", "TwoMethods", "KeepsItself", "FillsItself", "Contract"]
)
def test_every_kind_of_user_model_keeps_the_contract(code: str, name: str) -> None:
    assert broken_rules(f"{code}:{name}") == {}


@pytest.mark.parametrize("name", ["pipeline", "margins", "TwoMethods", "KeepsItself"])
def test_user_models_of_three_classes_are_scored_or_refused(code: str, name: str) -> None:
    texts, labels = ["good thing", "bad thing", "odd thing"] * 4, np.arange(12) % 3
    model = registry.model_class(f"{code}:{name}")(classes=("good", "bad", "odd"))
    model.fit(texts, labels)
    if name == "KeepsItself":
        with pytest.raises(
            ModelError, match=r"shape \(12, 2\) for 12 comments of 3 classes; \(12, 3\)"
        ):
            model.predict_proba(texts)
        return
    found = model.predict_proba(texts)
    assert found.sum(axis=1) == pytest.approx(np.ones(12))
    assert found.argmax(axis=1).tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "no_such.place:X",
            "there is no module no_such for no_such.place:X, neither installed nor",
        ),
        ("{code}:Nothing", "has no Nothing; it has: pipeline, margins, TwoMethods"),
        ("{code}:number", "is a int; give a class"),
        ("{code}:NoMethods", r"makes a NoMethods without fit\(texts, labels\) and predict_proba"),
        ("{code}:NeedsArguments", "cannot be made without arguments: TypeError: .*depth"),
        ("{code}:Lacking", "is a Classifier but lacks size"),
        ("{code}_bad:X", "cannot be imported: ZeroDivisionError"),
        ("{code}_quits:X", "cannot be imported: SystemExit: 3"),
        ("{code}_needs:X", "cannot be imported: it needs no_such_library; pip install it"),
    ],
)
def test_anything_but_a_classifier_is_refused_in_one_line(
    code: str, name: str, message: str
) -> None:
    Path(f"{code}_bad.py").write_text("1 / 0")
    Path(f"{code}_quits.py").write_text("raise SystemExit(3)")
    Path(f"{code}_needs.py").write_text("import no_such_library")
    with pytest.raises(ModelError, match=message) as caught:
        registry.entry(name.format(code=code))
    assert "\n" not in str(caught.value)


def test_a_file_with_the_name_of_an_installed_module_is_to_be_renamed(code: str) -> None:
    Path("code.py").write_text("class Mine: ...")  # as a module of Python
    with pytest.raises(
        ModelError, match=r"not in code\.py of the current folder; rename that file"
    ):
        registry.entry("code:Mine")


@pytest.mark.parametrize("name", ["gpt", "hf:", "a:b:c", "my-package:X", "module:"])
def test_a_malformed_name_lists_the_valid_ones(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"known: majority, .*, module:Class, hf:CHECKPOINT"):
        registry.entry(name)


def test_user_code_declares_or_inherits_its_kind(code: str) -> None:
    said = registry.entry(f"{code}:KeepsItself")
    assert (said.kind, said.devices, said.pretrained) == ("llm", ("cpu", "cuda"), False)
    assert registry.entry(f"{code}:TwoMethods").devices == ("cpu",)
    with pytest.raises(DeviceError, match="TwoMethods runs on cpu only"):
        registry.require_able(f"{code}:TwoMethods", "cuda")
    Path(f"{code}_bert.py").write_text(
        "from worthit.models.bert import Bert\n\nclass MyBert(Bert): ..."
    )
    inherited = registry.entry(f"{code}_bert:MyBert")
    assert (inherited.kind, inherited.pretrained) == ("encoder", True)
    assert inherited.devices == contract.DEVICES


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("devices = 'cuda'", "has `devices` that are not a tuple of cpu, cuda, mps; give one"),
        ("devices = ()", "has `devices` that are not a tuple of"),
        ("devices = property(lambda self: ('cpu',))", "has `devices` that are not a tuple of"),
        ("kind = 3", "has a `kind` that is not a text; give one, such as 'llm'"),
    ],
)
def test_what_user_code_declares_must_be_names(code: str, line: str, message: str) -> None:
    odd = f"{code}_odd"
    Path(f"{odd}.py").write_text(
        f"from {code} import TwoMethods\n\nclass X(TwoMethods):\n    {line}"
    )
    with pytest.raises(ModelError, match=message):
        registry.entry(f"{odd}:X")


def test_folders_in_the_current_folder_do_not_become_packages(code: str, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / f"{code}_inside.py").write_text("class X: ...")
    registry.model_class(f"{code}:TwoMethods")
    assert importlib.util.find_spec("bare") is None
    assert str(tmp_path) not in sys.path
    with pytest.raises(ModelError, match="makes a X without fit"):
        registry.entry(f"bare.{code}_inside:X")


def test_lock_links_of_editors_are_not_code(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / f"{code}_package"
    package.mkdir()
    (package / "__init__.py").write_text(f"from {code} import TwoMethods")
    (package / ".#edited.py").symlink_to("user@host.123:456")
    registry.entry(f"{package.name}:TwoMethods")
    files = user_model.source_files(f"{package.name}:TwoMethods")
    assert package / "__init__.py" in files
    assert all(file.is_file() for file in files)
    monkeypatch.setattr(artifacts, "__file__", str(tmp_path / "bench" / "saved" / "artifacts.py"))
    shutil.copytree(package, tmp_path / "models", symlinks=True)
    words = tmp_path / "datasets" / "words.py"
    assert artifacts.model_code() == [words, tmp_path / "models" / "__init__.py"]


def test_a_package_beside_the_model_is_its_code_with_all_its_files(
    code: str, tmp_path: Path
) -> None:
    beside = tmp_path / f"{code}_beside"
    beside.mkdir()
    (beside / "__init__.py").touch()
    (beside / "words.py").write_text("BAD = 1")
    Path(f"{code}_uses.py").write_text(
        f"from {code} import TwoMethods\nfrom {code}_beside.words import BAD"
    )
    registry.entry(f"{code}_uses:TwoMethods")
    files = user_model.source_files(f"{code}_uses:TwoMethods")
    assert {beside / "words.py", tmp_path / f"{code}.py", tmp_path / f"{code}_uses.py"} <= {*files}


def test_changed_code_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_split: str
) -> None:
    name = install(tmp_path, monkeypatch, "changing")
    file, cached = Path(f"{name}.py"), []
    for code in (file.read_text(), file.read_text(), file.read_text() + "\n# changed\n"):
        file.write_text(code)
        location = f"{name}:KeepsItself"
        work = Work(Cell("KeepsItself", "cpu", 0, small_split, location=location), silent)
        work.setup()
        cached.append(work.train().cached)
    assert cached == [False, True, False]


def test_a_user_model_without_its_device_is_skipped(
    code: str, small_split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: False)
    cell = Cell("KeepsItself", "cuda", 0, small_split, location=f"{code}:KeepsItself")
    with pytest.raises(DeviceError, match="device cuda is not available"):
        Work(cell, silent).setup()


def test_seeds_reach_user_code(code: str) -> None:
    def imported(name: str) -> Any:
        return user_model.classifier(f"{code}:{name}").declared

    assert user_model.make(imported("KeepsItself"), "", 3).seed == 3
    pipeline = user_model.make(imported("pipeline"), "", 3)
    assert pipeline.get_params()["sgdclassifier__random_state"] == 3


def test_without_skops_a_model_has_to_save_itself(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skops", None)
    registry.model_class(f"{code}:KeepsItself")().prepare()
    with pytest.raises(
        ModelError, match=r"otherwise needs skops: pip install 'worthit\[sklearn\]'"
    ):
        registry.model_class(f"{code}:TwoMethods")().prepare()


def test_a_model_that_skops_cannot_save_is_refused_in_one_line(code: str, tmp_path: Path) -> None:
    Path(f"{code}_lambda.py").write_text(
        "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "from sklearn.naive_bayes import MultinomialNB\n"
        "from sklearn.pipeline import make_pipeline\n\n"
        "def made():\n    words = TfidfVectorizer(tokenizer=lambda t: t.split(), token_pattern=None)\n"
        "    return make_pipeline(words, MultinomialNB())"
    )
    found = broken_rules(f"{code}_lambda:made")["saved, loaded"]
    assert f"skops cannot save {code}_lambda:made" in found


def test_types_from_elsewhere_are_loaded_only_where_they_were_trained(
    code: str, tmp_path: Path
) -> None:
    Path(f"{code}_other.py").write_text(f"from {code} import TwoMethods\n\nmade = TwoMethods")
    kind = registry.model_class(f"{code}_other:made")
    model = kind().fit(["good thing", "bad thing"], np.array([0, 1]))
    here, elsewhere = cache_folder("artifacts", "x"), tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir(parents=True)
        model.save(folder)
    assert kind.load(here).predict_proba(["bad"]).shape == (1, 2)
    with pytest.raises(
        RunError, match=f"would run {code}.TwoMethods, which is not defined in {code}_other"
    ):
        kind.load(elsewhere)


def test_imports_of_user_code_are_not_trusted(code: str, tmp_path: Path) -> None:
    Path(f"{code}_clean.py").write_text(
        "from subprocess import check_output\n"
        f"from {code} import pipeline\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer\n\n"
        "def clean(texts):\n    return [text.lower() for text in texts]\n\n"
        "def made():\n    return make_pipeline(FunctionTransformer(clean), pipeline())\n"
    )
    kind = registry.model_class(f"{code}_clean:made")
    kind().fit(["good thing", "bad thing"], np.array([0, 1])).save(tmp_path)
    assert kind.load(tmp_path).predict_proba(["bad"]).shape == (1, 2)
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert b'"clean"' in files["schema.json"]
    files["schema.json"] = files["schema.json"].replace(b'"clean"', b'"check_output"')
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(RunError, match=f"would run {code}_clean.check_output, which is not def"):
        kind.load(tmp_path)


def test_row_names_are_short_and_unique_and_hide_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "my model").mkdir(parents=True)
    given = ["lsa", "pack.mod:Mine", "other:Mine", "odd:lsa", "hf:distilbert/distilbert-base", "hf:x/y",
             "hf:z/y", "hf:distilbert/distilbert-base",
             *(f"hf:{tmp_path / name / 'my model'}" for name in ("a", "b"))]  # fmt: skip
    assert list(registry.name_rows(given)) == [
        "lsa", "Mine", "other.Mine", "odd.lsa", "hf:distilbert-base", "hf:y", "hf:z--y",
        "hf:my-model", "hf:my-model.2",
    ]  # fmt: skip
    assert registry.name_rows(given)["hf:z--y"] == "hf:z/y"


def test_a_checkpoints_config_decides_its_model(
    tiny_bert: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    assert checkpoints.recipe(str(tiny_bert)) == "bert"
    assert checkpoints.recipe(str(tiny_llama)) == "llama"
    for weights, model, kind in ((tiny_bert, "bert", "encoder"), (tiny_llama, "llama", "llm")):
        assert registry.model_class(f"hf:{weights}").name == model
        assert registry.entry(model).kind == kind
    for number, (config, message) in enumerate([
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "is a T5ForCond"),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}, "is a LlamaF"),
        ({"model_type": "no-such"}, "is a no-such; hf: accepts encoders with a classification head"),
        ({}, "has no config.json with its architecture"),
        ([], "has no config.json with its architecture"),
    ]):  # fmt: skip
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "model.safetensors").touch()
        with pytest.raises(CheckpointError, match=message):
            registry.model_class(f"hf:{folder}")


def test_all_and_default_stand_for_their_models() -> None:
    default = list(options().models)
    assert "embeddings" in default
    assert not {"majority", "word-list"} & set(default)
    assert list(options("--models", "all").models) == list(registry.MODELS)
    assert list(options("--models", "default,majority").models) == [*default, "majority"]


@pytest.mark.parametrize(
    ("models", "checkpoint", "error", "message"),
    [
        ("hf:x", "hf:x=y", OptionError, "hf:x is a checkpoint itself"),
        ("{code}:TwoMethods", "{code}:TwoMethods=y", OptionError, "has no checkpoint to choose"),
        ("{code}:Nothing", "bert=y", ModelError, "has no Nothing"),
    ],
)
def test_bad_choices_of_user_models_are_refused(
    code: str, models: str, checkpoint: str, error: type[WorthitError], message: str
) -> None:
    with pytest.raises(error, match=message):
        options("--models", models.format(code=code), "--checkpoint", checkpoint.format(code=code))


def test_a_folder_does_not_decide_which_code_runs(
    code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    location, folder = f"{code}:KeepsItself", tmp_path / "taken"
    folder.mkdir()
    registry.model_class(location)().fit(["a", "b"], np.array([0, 1])).save(folder)
    (tmp_path / "in.jsonl").write_text('{"text": "WHAT"}\n')
    score = ["score", "--model", str(folder), str(tmp_path / "in.jsonl")]
    assert main.main(score) == 2
    assert f"if you trust that code, as it is installed here, give --code {location}" in (
        capsys.readouterr().err
    )
    assert main.main([*score, "--output", str(tmp_path / "out.csv"), "--code", location]) == 0
    assert (tmp_path / "out.csv").read_text() == "row,score,predicted\n1,0.9,toxic\n"


def test_a_missing_user_model_is_reported_for_any_form_of_name(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no model or folder 'Mine'"):
        trained_models.find("Mine", tmp_path)
    for given in ("pack.mod:Mine", "hf:some/model"):
        with pytest.raises(RunError, match=f"no complete run in .* has trained a {given}"):
            trained_models.find(given, tmp_path)
    with pytest.raises(RunError, match="there is no readable run"):
        trained_models.find("never:tfidf", tmp_path)
    with pytest.raises(RunError, match=r"^~nobody_/x names a user that this machine does not have"):
        trained_models.find("~nobody_/x", tmp_path)
