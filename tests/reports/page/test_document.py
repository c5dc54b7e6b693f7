"""reports/page/document.py: one file or two, and a policy that allows only their scripts."""

import base64
import hashlib
import html
import importlib.util
import json
import re
from typing import Any

import pytest

from tests import page_runs
from worthit.datasets.errors import OptionError
from worthit.reports.page import content, document

PLOTLY = 'var Plotly = {}; document.getElementById("' + "0f" * 32 + '")'


def rendered(*, single: bool, **changed: Any) -> str:
    return document.render(content.of([page_runs.run(**changed)]), PLOTLY, single=single)


def policy(page: str) -> dict[str, list[str]]:
    (found,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    return {name: rest for name, *rest in map(str.split, html.unescape(found).split(";"))}


def hashes(texts: list[str]) -> set[str]:
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    return {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}


@pytest.mark.parametrize("single", [True, False])
def test_the_policy_allows_these_scripts_and_styles_and_nothing_else(single: bool) -> None:
    page = rendered(single=single)
    allowed = policy(page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert (PLOTLY in scripts) == single
    assert len(scripts) == len(document._SCRIPTS) + single
    assert allowed["default-src"] == ["'none'"]
    assert set(allowed["script-src"]) - {"'strict-dynamic'"} == hashes(scripts)
    assert set(allowed["style-src"]) == hashes(
        re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL)
    )
    assert "unsafe" not in str(allowed)
    assert ("'strict-dynamic'" in allowed["script-src"]) == (not single)


def test_nothing_of_the_page_is_elsewhere() -> None:
    page = rendered(single=True)
    assert not re.search(r"""\b(src|href)=["'](?!#)""", page)
    assert "url(" not in page
    assert "@import" not in page


def test_names_of_others_cannot_end_the_element_of_the_data() -> None:
    page = rendered(single=True, run_id=page_runs.HOSTILE)
    (data,) = re.findall(
        r'<script type="application/json" id="content">(.*?)</script>', page, re.DOTALL
    )
    assert json.loads(data)["runs"][0]["id"].startswith("</script><img src=x")
    assert "<" not in data
    assert "<img" not in page
    assert page.isascii() or "onerror" not in re.sub(r"[\x00-\x7f]", "", page)


def test_all_scripts_are_read_and_all_are_in_the_package() -> None:
    from importlib import resources

    folder = resources.files("worthit.reports.page") / "web"
    assert {file.name for file in folder.iterdir()} == {*document._SCRIPTS, "page.css", "page.html"}


def test_plotly_finds_the_elements_that_keep_it_from_adding_styles() -> None:
    assert f'<meta id="{"0f" * 32}">' in rendered(single=False)


def test_a_missing_plotly_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"pip install 'worthit\[page\]'"):
        document.plotly_script()


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_text_and_marks_contrast_with_both_backgrounds() -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for borders and marks."""
    css = {
        name: colours
        for name, *colours in re.findall(r"--(\S+): light-dark\((#\w+), (#\w+)\)", page_file("page.css"))
    }  # fmt: skip
    for theme in (0, 1):
        for name, least in {"ink": 4.5, "muted": 4.5, "accent": 4.5, "edge": 3.0}.items():
            for back in ("paper", "back"):
                assert contrast(css[name][theme], css[back][theme]) >= least, (name, back, theme)
        assert contrast(css["warn"][theme], css["warn-back"][theme]) >= 4.5
    marks = re.findall(r"paper: \"(#\w+)\".*?models: \[(.*?)\]", page_file("theme.js"), re.DOTALL)
    assert len(marks) == 2
    for paper, colours in marks:
        for colour in re.findall(r"#\w+", colours):
            assert contrast(colour, paper) >= 3, (colour, paper)


def page_file(name: str) -> str:
    return document._file(name)
