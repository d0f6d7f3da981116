"""Text as documents and the command line show it: 100 columns wide, and safe whatever people typed."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from jinja2.filters import do_filesizeformat

from courtbook.report.layout import cell

WIDTH = 100
DOLLARS_A_TEBIBYTE = 6.25
# Control characters, those that turn the direction of writing, and halves of letters, which no file can hold.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
# What Markdown or HTML would take for markup, at the beginning of a line too, since lines are broken anywhere.
_MARKUP = re.compile(r"[\\`*\[\]<>|]|(?<!\w)_|_(?!\w)|~~|&(?=#?\w+;)|(?<!\S)(?:#{1,6}|[-+]|=+|-{2,})(?!\S)")
_NUMBERED = re.compile(r"(?<!\S)(\d{1,9})([.)])(?!\S)")


def cost(size: int) -> str:
    """Write how many bytes a statement reads, and what that is at list price (on demand, in the US)."""
    dollars = size / 2**40 * DOLLARS_A_TEBIBYTE
    return f"{do_filesizeformat(size)}, {'less than 0.01' if dollars < 0.01 else f'about {dollars:,.2f}'} $"


def one_line(text: object) -> str:
    """Write something in one line, without anything that a terminal or a reader would stumble over."""
    return _UNSEEN.sub(" ", str(text)).strip()


def plain(text: object) -> str:
    """Write a text that others gave so that Markdown shows it as it is."""
    marked = _MARKUP.sub(lambda found: "".join(f"\\{sign}" for sign in found[0]), one_line(text))
    return _NUMBERED.sub(r"\1\\\2", marked)


def wrapped(text: str, indent: str = "", *, width: int = WIDTH) -> str:
    """Break a text between words; ``indent`` stands before every line but the first."""
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def fenced(text: str) -> list[str]:
    """Return text that Markdown shows as it stands, as lines."""
    return ["```", *text.replace("```", "'''").split("\n"), "```"]


def fitted(rows: Sequence[Sequence[object]], columns: Sequence[str], *, width: int = WIDTH) -> str:
    """Lay out rows as text that is no wider than ``width``: what is too long goes on below in its column.

    Without column heads there are no lines for them.
    """
    texts = [[one_line(cell(value)) for value in row] for row in rows]
    head = [list(columns)] if any(columns) else []
    numeric = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    widths = [max([1, *(len(row[i]) for row in [*head, *texts])]) for i in range(len(columns))]
    room = width - 2 * (len(columns) - 1)
    words = [max((len(word) for row in texts for word in row[i].split()), default=1) for i in range(len(columns))]
    while sum(widths) > room and max(widths) > 8:
        loose = [i for i, size in enumerate(widths) if size > max(words[i], 8)] or range(len(columns))
        widths[max(loose, key=widths.__getitem__)] -= 1
    ruled = [*head, *(["-" * size for size in widths] for _ in head), *texts]
    lines = []
    for row in ruled:
        broken = [
            textwrap.wrap(text, size, break_on_hyphens=False) or [""] for text, size in zip(row, widths, strict=True)
        ]
        for parts in zip_longest(*broken, fillvalue=""):
            aligned = zip(parts, widths, numeric, strict=True)
            line = "  ".join(part.rjust(size) if right else part.ljust(size) for part, size, right in aligned)
            lines.append(line.rstrip())
    return "\n".join(lines)


def listed(texts: Iterable[str]) -> list[str]:
    """Return texts that others gave as points of a list."""
    return [wrapped(f"- {plain(text)}", "  ") for text in texts]
