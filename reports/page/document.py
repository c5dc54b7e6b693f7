"""The page as HTML: our markup, style and scripts, the runs as JSON, and plotly's script.

The content security policy allows scripts and styles by their hashes only: ours and plotly's. Beside a
`plotly.min.js`, one of our scripts loads it (`strict-dynamic`), because browsers check no hash of a
script that a page from disk links. Nothing else may load, and no text is ever evaluated as code.
"""

import base64
import hashlib
import importlib.util
import json
import re
from importlib import resources
from string import Template
from typing import Any

from worthit.datasets.errors import OptionError

PLOTLY_FILE = "plotly.min.js"

#: in the order in which they need each other
_SCRIPTS = (
    "bounded.js", "prices.js", "limits.js", "ranking.js", "texts.js", "elements.js", "theme.js", "view.js",
    "cascades.js", "plots.js", "frontier.js", "controls.js", "curves.js", "tables.js", "main.js",
)  # fmt: skip
#: plotly adds its own rules to an element of this name; an empty one is allowed by its hash
_PLOTLY_STYLE = "plotly.js-style-global"
#: elements whose presence keeps a part of plotly (its maps) from adding a style that the policy forbids
_PLOTLY_STYLED = re.compile(r'document\.getElementById\("([0-9a-f]{64})"\)')


def plotly_script() -> str:
    """The source of plotly.js that the installed package bundles.

    Raises:
        OptionError: plotly is not installed.
    """
    if importlib.util.find_spec("plotly") is None:
        raise OptionError("worthit page draws with plotly: pip install 'worthit[page]'")
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def render(content: dict[str, Any], plotly: str, *, single: bool) -> str:
    """The HTML of the page.

    Args:
        content: of `content.of`.
        plotly: the source of plotly.js.
        single: whether plotly is inside; otherwise `PLOTLY_FILE` lies beside the page.
    """
    scripts = [_file(name) for name in _SCRIPTS]
    if single:
        scripts.insert(0, plotly)
    style = _file("page.css")
    allowed = ["'strict-dynamic'"] * (not single) + [_hash(script) for script in scripts]
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(allowed)}",
            f"style-src {_hash(style)} {_hash('')}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    named = [f'<meta id="{name}">' for name in _PLOTLY_STYLED.findall(plotly)]
    return Template(_file("page.html")).substitute(
        policy=policy,
        style=f'<style>{style}</style>\n<style id="{_PLOTLY_STYLE}"></style>',
        styled="\n".join(named),
        plotly="" if single else PLOTLY_FILE,
        content=_embedded(content),
        scripts="\n".join(f"<script>{_inline(script)}</script>" for script in scripts),
    )


def _file(name: str) -> str:
    return (resources.files(__package__) / "web" / name).read_text("utf-8")


def _hash(source: str) -> str:
    """How a policy names a script or style by its content."""
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _inline(script: str) -> str:
    """A script that cannot end its element early; HTML has no way to escape that."""
    for forbidden in ("</script", "<!--"):
        assert forbidden not in script.lower(), f"a script contains {forbidden}"
    return script


def _embedded(content: dict[str, Any]) -> str:
    """JSON within a script element: no character of it can end the element or the page's text."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def files(content: dict[str, Any], *, single: bool) -> dict[str, str]:
    """File name → text of the page.

    Raises:
        OptionError: plotly is not installed.
    """
    plotly = plotly_script()
    page = {"index.html": render(content, plotly, single=single)}
    return page if single else page | {PLOTLY_FILE: plotly}
