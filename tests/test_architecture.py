"""Data flows one way, no import closes a cycle, and nothing at the root shadows another package."""

import ast
import functools
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import worthit.datasets.cache as anywhere
from worthit.bench.saved import artifacts

ROOT = Path(anywhere.__file__).parents[1]
UPSTREAM = {
    "datasets": {"datasets"},
    "models": {"datasets", "models"},
    "bench": {"datasets", "models", "bench"},
    "reports": {"datasets", "models", "bench", "reports"},
}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name, sub-folders included."""
    return {
        "worthit." + ".".join(file.relative_to(ROOT).with_suffix("").parts): file
        for folder in UPSTREAM
        for file in (ROOT / folder).rglob("*.py")
        if file.is_file()
    }


def imported(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The package's own modules that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name in known)


@functools.cache
def imports() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imported(file, known)) - {name} for name, file in known.items()}


def test_the_package_has_its_sub_folders() -> None:
    assert len(modules()) > 100
    assert {"worthit.bench.saved.record", "worthit.datasets.formats.stream"} <= modules().keys()


@pytest.mark.parametrize("folder", UPSTREAM)
def test_no_import_points_back(folder: str) -> None:
    for module, targets in imports().items():
        if module.split(".")[1] == folder:
            for target in targets:
                assert target.split(".")[1] in UPSTREAM[folder], f"{module} imports {target}"


@pytest.mark.parametrize("folder", UPSTREAM)
def test_no_module_names_a_later_folder(folder: str) -> None:
    """A module name in a string (`-m worthit.…`, a registry line) is a dependency too."""
    later = [f"worthit.{other}." for other in UPSTREAM.keys() - UPSTREAM[folder]]
    for module, file in modules().items():
        if module.split(".")[1] == folder:
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert not [name for name in later if name in node.value], module


def test_no_imports_form_a_cycle() -> None:
    order = tuple(graphlib.TopologicalSorter(imports()).static_order())
    assert len(order) == len(modules())


def test_no_sub_folders_form_a_cycle() -> None:
    """Modules beside the sub-folders may use them and be used by them; sub-folders have an order."""
    graph: dict[str, set[str]] = {}
    for module, targets in imports().items():
        here = module.rpartition(".")[0]
        for target in targets:
            there = target.rpartition(".")[0]
            if here != there and min(here.count("."), there.count(".")) == 2:
                graph.setdefault(here, set()).add(there)
    assert len(tuple(graphlib.TopologicalSorter(graph).static_order())) > 15


def test_models_do_not_import_what_a_training_fingerprint_leaves_out() -> None:
    known = modules()
    code = artifacts.model_code()
    assert len(code) > 25
    assert {file.parent.name for file in code} >= {"models", "transformer", "features", "weights"}
    for file in code:
        for target in imported(file, known):
            assert target.split(".")[2] not in artifacts.NO_TRAINING, f"{file} imports {target}"


def test_every_folder_of_code_is_packaged() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = settings["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted({name.rpartition(".")[0] for name in modules()})


def test_neither_the_root_nor_datasets_is_a_regular_package() -> None:
    assert not (ROOT / "__init__.py").exists()
    assert not (ROOT / "datasets" / "__init__.py").exists()


def test_no_encoding_depends_on_the_locale() -> None:
    """Windows' default is not UTF-8, and a user may set another one."""
    for module, file in modules().items():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                assert not _uses_locale(node), f"{module}:{node.lineno} names no encoding"


def _uses_locale(call: ast.Call) -> bool:
    """True if a call opens text, in a file or a pipe, without naming its encoding."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in named or None in named:
        return False
    if {"text", "universal_newlines"} & named.keys() and name in ("run", "Popen", "check_output"):
        return True
    given = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    if name in ("read_text", "write_text"):
        return "utf-8" not in given
    modes = [mode for mode in given if isinstance(mode, str) and set(mode) <= set("rwxabt+")]
    return name in ("open", "fdopen") and bool(modes) and "b" not in modes[-1]
