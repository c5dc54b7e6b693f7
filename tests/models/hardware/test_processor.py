"""The processor's flags decide how many bits int8 weights may have."""

from pathlib import Path

import pytest

from worthit.models.hardware import processor


@pytest.mark.parametrize(
    ("machine", "flags", "saturates"),
    [
        ("x86_64", "avx2 avx512_vnni", False),
        ("AMD64", "avx2", True),
        ("x86_64", None, True),
        ("arm64", None, False),
    ],
)
def test_seven_bits_only_where_products_of_eight_overflow(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    machine: str,
    flags: str | None,
    saturates: bool,
) -> None:
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(flags)
    assert processor.int8_products_saturate() is saturates
