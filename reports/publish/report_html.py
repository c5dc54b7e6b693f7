"""A report as one HTML file, with its pictures inside.

markdown-it-py renders the Markdown. A saved run can come from anyone: the only raw HTML that passes is
that of folds and of the glossary's anchors, and the page's content security policy forbids scripts and
requests.
"""

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_FOLD = re.compile(r"<details><summary>[^<>]*</summary>|</details>")
_ANCHOR = re.compile(r'<a id="term-[a-z0-9-]+">|</a>')

_PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 0.85rem; margin: 1rem 0 }
th, td { border: 1px solid #8888; padding: 0.25rem 0.6rem }
td { white-space: nowrap }
tbody tr:nth-child(even) { background: #8881 }
img { max-width: 100%; border-radius: 4px }
</style>
$body
</html>
""")


def as_html(markdown: str, folder: Path) -> str:
    """A report as HTML.

    Args:
        markdown: the report, as in its `README.md`.
        folder: contains its pictures.

    Raises:
        OSError: a picture cannot be read.
    """
    parser = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer).enable("table")
    title = markdown.partition("\n")[0].lstrip("# ")
    return _PAGE.substitute(
        title=html.escape(title), body=parser.render(markdown, {"folder": folder})
    )


class _Renderer(RendererHTML):
    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        # The parser has percent-encoded letters that are not ASCII.
        picture = Path(env["folder"], Path(unquote(str(tokens[idx].attrs["src"]))).name)
        content = base64.b64encode(picture.read_bytes()).decode("ascii")
        tokens[idx].attrs["src"] = f"data:image/png;base64,{content}"
        return super().image(tokens, idx, options, env)

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        block = tokens[idx].content
        return block if _FOLD.fullmatch(block.strip()) else html.escape(block)

    def html_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        inline = tokens[idx].content
        return inline if _ANCHOR.fullmatch(inline) else html.escape(inline)
