"""A real browser, and pages in it that fail a test on any error, request or violation of the policy."""

import functools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from worthit.bench.saved import record
from worthit.reports.page import content, document

#: set where a browser must be there: a missing one then fails the tests
REQUIRED = "WORTHIT_TEST_BROWSER"

#: what a page shows at first; a page is opened once, because reading plotly takes a second
_RESET = """() => {
  view.x = { key: "compute_ms", isLog: true };
  view.y = { key: DATA.runs[0].ranking, isLog: false };
  view.limits.clear();
  Object.values(view.hidden).forEach((hidden) => hidden.clear());
  view.prices = startPrices();
  chosenOrder.clear();
  opened.clear();
  document.querySelectorAll("details").forEach((one) => { one.open = false; });
  startControls();
  redraw();
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system, driven by playwright.

    It ends with the module, since later tests count the processes and the memory of theirs.
    """
    programs = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        reason = f"no browser: none of {', '.join(programs)} is installed"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{reason}, and {REQUIRED} is set")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


class Opened:
    """A page that was opened from disk, with all that went wrong on it."""

    def __init__(
        self, browser: Any, folder: Path, runs: Sequence[record.Run], *, single: bool
    ) -> None:
        self.problems: list[str] = []
        for name, text in document.files(content.of(runs), single=single).items():
            (folder / name).write_text(text, "utf-8", newline="\n")
        own = {(folder / name).as_uri() for name in ("index.html", document.PLOTLY_FILE)}
        self.page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => "
            "console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`))"
        )
        self.page.on("console", lambda seen: self.problems.append(f"{seen.type}: {seen.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self._note_request(request.url, own))
        self.page.goto((folder / "index.html").as_uri(), timeout=120_000)  # on a busy machine
        settle(self.page)

    def _note_request(self, url: str, own: set[str]) -> None:
        if url not in own:
            self.problems.append(f"request: {url[:200]}")

    def reset(self) -> Any:
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.page.evaluate(_RESET)
        settle(self.page)
        return self.page


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def open_once(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Opened]:
    """`open_once(make_runs, single)` opens the page of these runs, the first time it is asked for."""

    @functools.cache
    def opened(make: Callable[[], tuple[record.Run, ...]], single: bool) -> Opened:
        return Opened(browser, tmp_path_factory.mktemp("page"), make(), single=single)

    return opened


@pytest.fixture
def open_page(open_once: Callable[..., Opened]) -> Iterator[Open]:
    """`open_page(make_runs, single=True, reset=True)` is their page, as it is at first.

    At the end it must have had no error, no message in the console, no violation of its policy and no
    request but for its own files.
    """
    used: list[Opened] = []

    def opened(
        make: Callable[[], tuple[record.Run, ...]], *, single: bool = True, reset: bool = True
    ) -> Any:
        used.append(open_once(make, single))
        return used[-1].reset() if reset else used[-1].page

    yield opened
    for one in used:
        assert one.problems == []


def settle(page: Any) -> None:
    """Wait until the page has drawn all changes."""
    page.locator("html[data-drawn]").wait_for(state="attached")
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
