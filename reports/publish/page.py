"""A report as a page of one file, to mail or to open anywhere: its Markdown, with its pictures inside.

Rendered by markdown-it-py. A saved run may come from anybody, so of raw HTML only what folds a table away
is let through, and the page's own policy forbids scripts and any request.
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


def page(markdown: str, folder: Path) -> str:
    """The page of a report.

    Args:
        markdown: the report, as written to its `README.md`.
        folder: where its pictures lie.
    """
    parser = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer).enable("table")
    title = markdown.partition("\n")[0].lstrip("# ")
    return _PAGE.substitute(
        title=html.escape(title), body=parser.render(markdown, {"folder": folder})
    )


class _Renderer(RendererHTML):
    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        # The parser has encoded what is not ASCII in the name.
        picture = Path(env["folder"], Path(unquote(str(tokens[idx].attrs["src"]))).name)
        content = base64.b64encode(picture.read_bytes()).decode("ascii")
        tokens[idx].attrs["src"] = f"data:image/png;base64,{content}"
        return super().image(tokens, idx, options, env)

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        found = tokens[idx].content
        return found if _FOLD.fullmatch(found.strip()) else html.escape(found)

    def html_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return html.escape(tokens[idx].content)
