"""The house: data flows one way, and nothing at the root gets in anybody's way."""

import ast
from pathlib import Path

import pytest

import worthit.datasets.cache as anywhere
from worthit.bench import artifacts

ROOT = Path(anywhere.__file__).parents[1]
UPSTREAM = {
    "datasets": {"datasets"},
    "models": {"datasets", "models"},
    "bench": {"datasets", "models", "bench"},
    "reports": {"datasets", "models", "bench", "reports"},
}


@pytest.mark.parametrize("room", UPSTREAM)
def test_no_import_points_back(room: str) -> None:
    files = list((ROOT / room).glob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.startswith("worthit."):
                    assert name.split(".")[1] in UPSTREAM[room], f"{file.name} imports {name}"


def test_what_a_fingerprint_of_training_leaves_out_no_model_imports() -> None:
    left_out = {file.removesuffix(".py") for file in artifacts.NO_TRAINING}
    for file in (ROOT / "models").glob("*.py"):
        if file.name in artifacts.NO_TRAINING:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in getattr(node, "names", ()) if hasattr(alias, "name")]
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert not left_out & {name.rpartition(".")[2] for name in names}, file.name


def test_neither_the_root_nor_datasets_is_a_regular_package() -> None:
    assert not (ROOT / "__init__.py").exists()
    assert not (ROOT / "datasets" / "__init__.py").exists()
