"""Coverage as a drawing that needs no library: table against date, a panel a season, from recorded states alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

from markupsafe import Markup

from courtbook.coverage import DateState
from courtbook.report.plots import COLOURS

WIDTH, LEFT, ROW, HEAD = 1000, 226, 15, 34
_GAP = timedelta(days=45)  # without any date for longer than that, another season begins
_WIDEST = 14.0


@dataclass(frozen=True)
class StateMap:
    """A drawing as inline SVG, and the states that occur in it with their colours and numbers of dates."""

    svg: Markup
    legend: tuple[tuple[str, str, int], ...]


def _seasons(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    first = before = days[0]
    for day in days[1:]:
        if day - before > _GAP:
            yield first, before
            first = day
        before = day
    yield first, before


def _bars(days: Sequence[date], first: date, last: date, top: int) -> str:
    """Return the path of one row: a bar for each row of days without a gap, in units of a day."""
    places = [(day - first).days for day in days if first <= day <= last]
    path, start = [], None
    for number, place in enumerate(places):
        start = place if start is None else start
        if number + 1 == len(places) or places[number + 1] != place + 1:
            wide = place + 1 - start
            path.append(f"M{start} {top}h{wide}v{ROW - 2}h-{wide}z")
            start = None
    return "".join(path)


def _months(first: date, last: date) -> Iterator[date]:
    day = first.replace(day=1)
    while day <= last:
        if day >= first:
            yield day
        day = (day + timedelta(days=32)).replace(day=1)


def state_map(tables: Mapping[str, Mapping[str, Sequence[str]]], words: str) -> StateMap | None:
    """Draw the state of every table on every date; None where no table has any date.

    Parameters
    ----------
    tables : mapping
        Dates (ISO 8601) by state by table.
    words : str
        What the drawing shows, for those who cannot see it.
    """
    read = {
        name: {DateState(state): sorted(map(date.fromisoformat, days)) for state, days in states.items()}
        for name, states in tables.items()
    }
    days = sorted({day for states in read.values() for own in states.values() for day in own})
    if not days:
        return None
    drawn, top = [], 0
    for first, last in _seasons(days):
        count = (last - first).days + 1
        scale = min((WIDTH - LEFT) / count, _WIDEST)
        drawn.append(f'<text class="t" x="0" y="{top + 13}">{first} to {last}</text>')
        drawn += [
            f'<text x="{LEFT + (day - first).days * scale:.1f}" y="{top + HEAD - 5}">{day:%b}</text>'
            for day in _months(first, last)
            if (last - day).days * scale > 20  # or its name would stand in the margin
        ]
        paths: dict[DateState, str] = {}
        for number, (name, states) in enumerate(read.items()):
            line = HEAD + number * ROW
            drawn.append(f'<text class="m" x="0" y="{top + line + 10}">{escape(_short(name))}</text>')
            for state, own in states.items():
                paths[state] = paths.get(state, "") + _bars(own, first, last, line)
        bars = "".join(f'<path fill="{COLOURS[state]}" d="{path}"/>' for state, path in paths.items() if path)
        drawn.append(f'<g transform="translate({LEFT} {top}) scale({scale:.4f} 1)">{bars}</g>')
        top += HEAD + len(read) * ROW + 10
    style = "text{font:11px sans-serif;fill:#333}.t{font-weight:bold;font-size:12px}.m{font:10.5px monospace}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img" aria-label="{escape(words)}">'
        f"<style>{style}</style>{''.join(drawn)}</svg>"
    )
    counts = {state: sum(len(states.get(state, ())) for states in read.values()) for state in DateState}
    return StateMap(Markup(svg), tuple((s.value, COLOURS[s], n) for s, n in counts.items() if n))  # noqa: S704 - escaped


def _short(name: str) -> str:
    return name if len(name) <= 34 else f"{name[:33]}…"
