"""datasets/packages.py and cache.py: atomic, checked downloads and files."""

import errno
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from worthit.datasets import cache, packages
from worthit.datasets.errors import CacheError, DownloadError


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> packages.Package:
    """A real wheel that pip, restricted to one folder, can download by name."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    file = shelf / "tinycomments-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tinycomments/comments.tsv", "hello\n")
        archive.writestr(
            "tinycomments-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tinycomments\nVersion: 1.0\n",
        )
        archive.writestr(
            "tinycomments-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"
        )
        archive.writestr("tinycomments-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return packages.Package("tinycomments", "1.0", digest, file.stat().st_size)


def leftovers() -> list[Path]:
    return list(cache.cache_folder("downloads").rglob("*"))


def test_a_member_is_read_out_of_the_wheel_and_the_wheel_is_gone(wheel: packages.Package) -> None:
    with packages.opened(wheel) as archive:
        assert archive.read("tinycomments/comments.tsv") == b"hello\n"
    assert leftovers() == []


def test_a_damaged_download_is_refused_and_not_kept(wheel: packages.Package) -> None:
    other = packages.Package(wheel.name, wheel.version, "0" * 64, wheel.size_bytes)
    with (
        pytest.raises(DownloadError, match="damaged or not the pinned file"),
        packages.opened(other),
    ):
        pass
    assert leftovers() == []


def test_folders_that_pip_removes_meanwhile_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "removed").mkdir()
    (tmp_path / "present").mkdir()
    (tmp_path / "present" / "wheel").write_bytes(b"12345")
    scandir = os.scandir

    def scandir_after_removal(folder: str | Path) -> object:
        if Path(folder).name == "removed":
            raise FileNotFoundError(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scandir_after_removal)
    assert packages._bytes_below(tmp_path) == 5


def test_no_network_and_a_cold_cache_say_what_to_do(
    wheel: packages.Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with (
        pytest.raises(
            DownloadError, match=r"cannot download tinycomments==1\.0 .*--dataset synthetic"
        ) as caught,
        packages.opened(wheel),
    ):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
    ],
)
def test_disk_errors_name_the_cache_folder(code: int, words: str, tmp_path: Path) -> None:
    with (
        pytest.raises(CacheError, match=f"the cache folder {tmp_path}.*{words}.*WORTHIT_CACHE"),
        cache.room_in_cache(),
    ):
        raise OSError(code, os.strerror(code))


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up_leaves_nothing_half_made(tmp_path: Path) -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from worthit.datasets import prepare\nfrom worthit.datasets.splits import protocol\n"
        "prepare.prepare('synthetic:4000', protocol.Protocol())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False
    )
    assert "CacheError: the cache folder" in done.stderr
    assert "is full" in done.stderr
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "made"

    def half_made() -> None:
        with cache.new_folder(target) as scratch:
            (scratch / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_made()
    assert list(tmp_path.iterdir()) == []
    with cache.new_folder(target) as scratch:
        (scratch / "file").write_text("first")
    with cache.new_folder(target) as scratch:
        (scratch / "file").write_text("second")
    assert (target / "file").read_text() == "first"
    with cache.new_folder(target, replace=True) as scratch:
        (scratch / "file").write_text("third")
    assert (target / "file").read_text() == "third"


def test_a_folder_that_another_process_moves_is_still_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rename = tmp_path / "made", Path.rename
    target.mkdir()

    def late(self: Path, to: Path) -> Path:
        if self == target:
            rename(target, tmp_path / "of-another-writer")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", late)
    with cache.new_folder(target, replace=True) as scratch:
        (scratch / "file").write_text("ours")
    assert (target / "file").read_text() == "ours"


def test_the_datasets_folder_does_not_shadow_another_package() -> None:
    root = Path(cache.__file__).parents[1]
    program = (
        "import importlib.util as u; spec = u.find_spec('datasets'); "
        "print(*(spec.submodule_search_locations if spec else ()), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    # Of the packages in an environment, which may be in the project's folder, or none.
    assert str(root / "datasets") not in done.stdout.splitlines()
