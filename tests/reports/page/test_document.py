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
