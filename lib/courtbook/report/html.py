"""Executed notebooks as HTML pages: what they show, with their code folded, for people who have only a browser."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

_ACTIVE = ("script", "iframe", "frame", "object", "embed", "base", "meta", "link", "form")


def export_notebook(notebook: Path, verdict: str = "", why: str = "") -> str:
    """Return an executed notebook as one HTML page: figures inside, code folded, nothing loaded from elsewhere.

    Parameters
    ----------
    verdict, why : str
        What the record says of the attempt; shown above everything else.
    """
    # jsonschema compiles a grammar for it, for a format that no notebook has: most of the time that all this takes.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import nbformat
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    from courtbook.report.page import render

    markdown = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True))
    content = nbformat.read(notebook, as_version=4)
    cells = [
        {
            "source": cell,
            "text": "" if cell.cell_type == "code" else _inert(markdown.render(cell.source)),
            "outputs": [shown for output in cell.get("outputs", []) for shown in _output(output, markdown)],
        }
        for cell in content.cells
    ]
    return render(
        "notebook.html.j2",
        light=True,  # what notebooks show is made for white paper
        name=notebook.stem,
        place=f"{notebook.parents[2].name} · {notebook.parent.name}",
        titled=any("<h1" in cell["text"] for cell in cells),
        verdict=verdict,
        why=why,
        cells=cells,
    )


def _output(output: Mapping[str, Any], markdown: Any) -> Iterator[Markup]:
    """Yield what one output looks like: of its forms the one that says most and needs no script."""
    kind = output["output_type"]
    if kind == "stream":
        yield _text(output["text"], "stderr" if output["name"] == "stderr" else "stdout")
        return
    if kind == "error":
        lines = output["traceback"] or [f"{output['ename']}: {output['evalue']}"]
        yield _text("\n".join(lines), "error")
        return
    data, words = output["data"], output["data"].get("text/plain", "")
    if "text/html" in data:
        yield _inert(data["text/html"])
    elif image := next((name for name in ("image/png", "image/jpeg") if name in data), None):
        alt = output["metadata"].get(image, {}).get("alt") or words or "a figure without a description"
        source = f"data:{image};base64,{''.join(data[image].split())}"
        yield Markup('<img alt="{}" src="{}">').format(alt, source)
    elif "text/markdown" in data:
        yield _inert(markdown.render(data["text/markdown"]))
    else:
        yield _text(words or f"(no text; {', '.join(data) or 'nothing'})", "plain")


def _text(text: str, kind: str) -> Markup:
    from nbconvert.filters.ansi import ansi2html

    # Of a progress bar, which writes over its line, only what it said last.
    text = "\n".join(line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n"))
    label = Markup("<small>{}</small>").format(kind) if kind in ("stderr", "error") else ""
    return Markup('{}<pre class="{}">{}</pre>').format(label, escape(kind), Markup(ansi2html(text)))  # noqa: S704


def _inert(html: str) -> Markup:
    """Return HTML of an output without what would run or load something."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for tag in soup(_ACTIVE):
        tag.decompose()
    for tag in soup(True):
        for name, value in list(tag.attrs.items()):
            plain = "".join(str(value).lower().split())
            elsewhere = name in ("src", "srcset") and not plain.startswith("data:")
            if name.startswith("on") or plain.startswith("javascript:") or elsewhere:
                del tag[name]
    return Markup(str(soup))  # noqa: S704 - outputs are HTML; the page's policy lets none of it run or load anything
