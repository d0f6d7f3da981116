"""Pages that need nothing but a browser: templates, and how values look in them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from courtbook.evidence.signatures import SignOff, Standing
from courtbook.report.layout import STATE_STYLE, cell, percent
from courtbook.report.work import duration

# What colour says is said by the word and its sign too.
_TONES = {
    "good": ("GO", "PASS", Standing.VALID, SignOff.SIGNED_OFF),
    "warn": ("WARN", "MARGINAL", Standing.UNAUTHENTICATED, Standing.UNCHECKED, SignOff.UNCHECKED, "not sealed"),
    "degraded": ("DEGRADED",),
    "bad": ("FAIL", "NO-GO", "NO_DATA", "ERROR", "INTERRUPTED", "cannot be read", SignOff.REJECTED, SignOff.BROKEN),
    "void": (Standing.VOID, Standing.REVOKED, Standing.INVALID),
    "quiet": ("not run", SignOff.UNSIGNED, SignOff.EXECUTED, SignOff.REVIEWED),
}
_TONE_OF = {getattr(word, "value", word): tone for tone, words in _TONES.items() for word in words}
_SIGN_OF_TONE = {"good": "✓", "warn": "!", "bad": "✗", "void": "✗"}


def _sign(word: str) -> str:
    return STATE_STYLE[word][1] if word in STATE_STYLE else _SIGN_OF_TONE.get(_TONE_OF.get(word, ""), "")


def _numeric(rows: Sequence[Sequence[object]], column: int) -> bool:
    return any(isinstance(row[column], int | float) for row in rows) and all(
        isinstance(row[column], int | float) or row[column] is None for row in rows
    )


def _breadth(value: object) -> str:
    if value in ("", [], ()):
        return "none"
    if isinstance(value, str):
        return "short" if len(value) < 25 else "long"
    texts = value if isinstance(value, list | tuple) else [value]
    return "short" if all(isinstance(text, str) and len(text) < 25 for text in texts) else ""


def moment(text: str) -> str:
    """Write an ISO time as people read it; what is none is shown as it stands."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if time.tzinfo else text


def flat(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield parameters that are set, by dotted key, as ``--set`` takes them."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from flat(item, f"{key}.{name}" if key else str(name))
    elif value is not None:
        yield key, value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


def link(text: str, path: str) -> dict[str, str]:
    """Return a link to a file, relative to the page; blanks and the like in its name are quoted."""
    return {"text": text, "href": quote(path)}


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"cell": cell, "percent": percent, "duration": duration, "moment": moment, "sign": _sign}
    found.filters |= {**filters, "tone": lambda word: _TONE_OF.get(word, ""), "numeric": _numeric, "breadth": _breadth}
    return found


def render(template: str, **values: object) -> str:
    """Return a page from a template; whatever stands in the values is text and never markup.

    Half of a surrogate pair, which no file can hold, becomes a question mark.
    """
    page = _environment().get_template(template).render(values)
    return page.encode("utf-8", "replace").decode("utf-8")
