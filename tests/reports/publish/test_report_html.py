"""reports/publish/report_html.py: a report as one file that makes no requests."""

import re
from pathlib import Path

import pytest

from tests.small_runs import cell, run
from worthit.bench.saved import run_file
from worthit.reports.cli import main
from worthit.reports.publish.report_html import as_html


def test_a_report_becomes_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    run_file.save(run(cell(), cell(model="tfidf")), file)
    assert main.main(["report", str(file), "--html"]) == 0
    assert "html:" in capsys.readouterr().out
    found = (tmp_path / "a" / "report.html").read_text("utf-8")
    report = (tmp_path / "a" / "README.md").read_text("utf-8")
    sources = re.findall(r'<img [^>]*src="([^"]*)"', found)
    assert len(sources) == report.count("![") > 0
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r'(src|href)="(?!data:|#)', found)
    assert re.search(r'<td style="text-align:right">90.0 % \(', found)
    assert "<details><summary>" in found


def test_foreign_html_is_escaped(tmp_path: Path) -> None:
    found = as_html(
        "# A <b>run\n\n<script>alert(1)</script>\n\na <i onclick=x>b</i>\n\n"
        "<details><summary>All</summary>\n\nfolded\n\n</details>\n\n[x](javascript:alert(1))\n",
        tmp_path,
    )
    assert "<script" not in found
    assert "<i " not in found
    assert 'href="javascript' not in found
    assert "<title>A &lt;b&gt;run</title>" in found
    assert "<details><summary>All</summary>" in found
    assert "</details>" in found


def test_a_picture_may_have_a_name_in_any_letters(tmp_path: Path) -> None:
    (tmp_path / "confusion-модель.png").write_bytes(b"picture")
    assert 'src="data:image/png;base64,cGljdHVyZQ=="' in as_html(
        "# A\n\n![a](confusion-модель.png)\n", tmp_path
    )


def test_links_to_the_glossary_lead_to_its_anchors(tmp_path: Path) -> None:
    run_file.save(run(cell(), cell(model="tfidf")), tmp_path / "a.json")
    assert main.main(["report", str(tmp_path / "a.json"), "--html"]) == 0
    html = (tmp_path / "a" / "report.html").read_text("utf-8")
    links = set(re.findall(r'href="#([^"]*)"', html))
    assert len(links) > 10
    assert links == set(re.findall(r'<a id="([^"]*)"></a>', html))
