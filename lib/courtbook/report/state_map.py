"""Coverage as a drawing that needs no library: table against date, a panel a season, from recorded states alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from itertools import groupby, pairwise

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
    gaps = [pair for pair in pairwise(days) if pair[1] - pair[0] > _GAP]
    return zip([days[0], *(after for _, after in gaps)], [*(before for before, _ in gaps), days[-1]], strict=True)


def _bars(days: Sequence[date], first: date, last: date, top: int) -> str:
    """Return the path of one row: a bar for each row of days without a gap, in units of a day."""
    places = enumerate((day - first).days for day in days if first <= day <= last)
    bars = [[place for _, place in own] for _, own in groupby(places, key=lambda item: item[1] - item[0])]
    return "".join(f"M{bar[0]} {top}h{len(bar)}v{ROW - 2}h-{len(bar)}z" for bar in bars)


def state_map(tables: Mapping[str, Mapping[str, Sequence[str]]], words: str) -> StateMap:
    """Draw the state of every table on every date.

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
    drawn, top = [], 0
    for first, last in _seasons(days):
        count = (last - first).days + 1
        scale = min((WIDTH - LEFT) / count, _WIDEST)
        drawn.append(f'<text class="t" x="0" y="{top + 13}">{first} to {last}</text>')
        drawn += [
            f'<text x="{LEFT + (day - first).days * scale:.1f}" y="{top + HEAD - 5}">{day:%b}</text>'
            for day in (first + timedelta(number) for number in range(count))
            if day.day == 1 and (last - day).days * scale > 20  # or its name would stand in the margin
        ]
        paths: dict[DateState, str] = {}
        for number, (name, states) in enumerate(read.items()):
            line = HEAD + number * ROW
            drawn.append(f'<text class="m" x="0" y="{top + line + 10}">{escape(name)}</text>')
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
