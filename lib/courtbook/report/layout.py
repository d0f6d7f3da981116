"""How tables look: plain HTML that reads well in JupyterLab, in exported pages and on paper, and the same as text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# Text colours with a contrast of at least 4.5 : 1 on white; each state has a sign too, for those who see no colours.
STATE_STYLE: dict[str, tuple[str, str]] = {
    "GO": ("#1a6b3a", "✓"),
    "PASS": ("#1a6b3a", "✓"),
    "WARN": ("#8a5a00", "!"),
    "MARGINAL": ("#8a5a00", "!"),
    "DEGRADED": ("#8a2a6b", "▼"),
    "open": ("#555555", "☐"),
    "FAIL": ("#a3241c", "✗"),
    "NO-GO": ("#a3241c", "✗"),
    "NO_DATA": ("#a3241c", "∅"),
    "ERROR": ("#a3241c", "⚠"),
    "INTERRUPTED": ("#a3241c", "…"),
}
_HELD = re.compile(r"(\d{4}-\d\d-\d\d(?: \.\. \d{4}-\d\d-\d\d)?)")
_TABLE = "border-collapse:collapse;margin:0.4em 0 1em;font-size:13px;text-align:left"
_CELL = "padding:4px 8px;border-bottom:1px solid #ddd;text-align:{align};vertical-align:top;white-space:{wrap}"


@dataclass(frozen=True)
class Html:
    """Something that a notebook shows: HTML, and the same as text for terminals."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def cell(value: object) -> str:
    """Write one value."""
    if value is None or str(value) in ("nan", "NaT", "<NA>"):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        text = f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"
        return "0" if text == "-0" else text
    return str(value)


def table(rows: Sequence[Sequence[object]], columns: Sequence[str], caption: str, *, empty: str = "nothing") -> Html:
    """Lay out rows under column heads; numbers to the right, states in colour with a sign."""
    if not rows:
        return Html(f"<p>{escape(caption)}: {empty}.</p>", f"{caption}: {empty}.")
    numeric = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    head = "".join(
        f'<th scope="col" style="{_CELL.format(align="right" if right else "left", wrap="nowrap")};'
        f'border-bottom:2px solid #555">{escape(name)}</th>'
        for name, right in zip(columns, numeric, strict=True)
    )
    body = []
    for row in rows:
        cells = []
        for value, right in zip(row, numeric, strict=True):
            text = cell(value)
            colour, sign = STATE_STYLE.get(text, ("", ""))
            style = _CELL.format(align="right" if right else "left", wrap="nowrap" if len(text) < 40 else "normal")
            if len(text) >= 40:
                style += ";min-width:16em"
            if sign:
                cells.append(f'<td style="{style};color:{colour};font-weight:600">{sign} {escape(text)}</td>')
            else:
                # A date, a range of dates and a name stay in one line; sentences and lists break between words.
                held = _HELD.sub(r'<span style="white-space:nowrap">\1</span>', escape(text)).replace("\n", "<br>")
                cells.append(f'<td style="{style}">{held}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    html = (
        f'<div style="overflow-x:auto"><table style="{_TABLE}">'
        f'<caption style="text-align:left;font-weight:600;padding:4px 8px">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
    return Html(html, text_table(rows, columns, caption))


def text_table(rows: Sequence[Sequence[object]], columns: Sequence[str], caption: str = "") -> str:
    """Lay out the same rows for a terminal."""
    cells = [[cell(value).replace("\n", ": ") for value in row] for row in rows]
    widths = [max([len(column), *(len(row[i]) for row in cells)]) for i, column in enumerate(columns)]
    numeric = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in ([list(columns), ["-" * width for width in widths], *cells])
    ]
    return "\n".join([caption, *lines] if caption else lines)


def percent(value: float | None) -> str:
    """Write a fraction as percent; 100.0 % only if it is all."""
    if value is None:
        return "–"
    text = f"{100 * value:.1f}"
    return f"{'99.9' if text == '100.0' and value < 1 else text} %"
