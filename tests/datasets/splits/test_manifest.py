"""datasets/splits/manifest.py: what is known about prepared comments is read back, or refused."""

from pathlib import Path

import pytest

from tests import factories
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import DataError
from worthit.datasets.splits import manifest
from worthit.datasets.splits.manifest import Prepared
from worthit.datasets.splits.protocol import Protocol


def prepared(file: Path) -> Prepared:
    rows = [f"{'awful' if i % 2 else 'fine'} remark {i},{i % 2}" for i in range(100)]
    file.write_text("\n".join(["comment,toxic", *rows]))
    return prepare.prepare(str(file), Protocol())


def test_a_folder_without_a_manifest_is_prepared_again(tmp_path: Path) -> None:
    first = prepared(tmp_path / "a.csv")
    (cache_folder("splits", first.key) / manifest.FILE).unlink()
    assert prepared(tmp_path / "a.csv") == first


@pytest.mark.parametrize("content", [b"", b"{}", b'{"key": 1}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    key = prepared(tmp_path / "a.csv").key
    (cache_folder("splits", key) / manifest.FILE).write_bytes(content)
    with pytest.raises(DataError, match="cannot be read; delete that folder and run again"):
        manifest.read(key)


def test_an_out_of_domain_set_is_summarized_in_a_line() -> None:
    other = factories.out_of_domain(
        factories.part((0, 1)), classes=("ham", "toxic", "odd"),
        mapped_to=("not toxic", "toxic", None), warning="odd is left out",
    )  # fmt: skip
    assert other.summary() == "other.csv: 2 comments (ham as not toxic, toxic); odd is left out"
