"""Figures for notebooks: coverage calendars, progress, distributions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

from courtbook.backfill.runner import BackfillReport
from courtbook.calendar import Calendar
from courtbook.coverage import Coverage, DateState
from courtbook.gates import GOING_ON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by people with any kind of colour vision.
COLOURS = {
    DateState.COMPLETE: "#0072b2",
    DateState.PARTIAL: "#e69f00",
    DateState.MISSING: "#d55e00",
    DateState.STALE: "#f0e442",
    DateState.UNEXPECTED: "#cc79a7",
    DateState.SOURCE_GAP: "#7f7f7f",
    DateState.EMPTY_BY_RULE: "#d9d9d9",
}
INK, GRID, ACCENT = "#333333", "#e5e5e5", "#0072b2"


@dataclass(frozen=True)
class Picture:
    """A figure with words for those who cannot see it; shown by any front end, whatever backend is set."""

    figure: "Figure"
    alt: str

    def png(self) -> bytes:
        """Return the figure as PNG."""
        buffer = BytesIO()
        self.figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white")
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> "tuple[Figure, Sequence[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for axis in axes:
        axis.tick_params(labelsize=9, colors=INK, length=0)
        for side in ("top", "right", "left", "bottom"):
            axis.spines[side].set_visible(False)
    return figure, axes


def _titled(axis: "Axes", title: str, ylabel: str = "", xlabel: str = "") -> None:
    axis.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold")
    axis.set_ylabel(ylabel, fontsize=9, color=INK)
    axis.set_xlabel(xlabel, fontsize=9, color=INK)
    axis.grid(axis="y", color=GRID)
    axis.set_axisbelow(True)


def coverage_map(coverage: Mapping[str, Coverage], calendar: Calendar, title: str = "Coverage by date") -> Picture:
    """Draw table against date, a panel a season; white where no game was played."""
    from matplotlib.colors import ListedColormap
    from matplotlib.dates import DateFormatter, MonthLocator, date2num
    from matplotlib.patches import Patch

    states = list(DateState)
    palette = ListedColormap(["#ffffff", *(COLOURS[state] for state in states)])
    seasons = calendar.seasons()
    names = list(coverage)
    figure, axes = _figure(12, 0.9 + len(seasons) * (0.45 + 0.17 * len(names)), rows=len(seasons))
    by_day = {name: dict(zip(item.frame["day"], item.frame["state"], strict=True)) for name, item in coverage.items()}
    drawn: set[DateState] = set()
    for axis, season in zip(axes, seasons, strict=True):
        days = [item.day for item in calendar.days if item.season == season]
        first = days[0]
        width = (days[-1] - first).days + 1
        grid = [[0] * width for _ in names]
        for row, name in enumerate(names):
            for day, state in by_day[name].items():
                if not first <= day <= days[-1]:
                    continue
                grid[row][(day - first).days] = 1 + states.index(state)
                drawn.add(state)
        left, right = date2num(first), date2num(first + timedelta(days=width))
        axis.imshow(
            grid, aspect="auto", interpolation="nearest", cmap=palette, vmin=0, vmax=len(states),
            extent=(left, right, len(names) - 0.5, -0.5),
        )  # fmt: skip
        axis.set_yticks(range(len(names)), names, fontsize=8, family="monospace")
        axis.hlines([row + 0.5 for row in range(len(names) - 1)], left, right, color="white", linewidth=1.5)
        axis.xaxis_date()
        axis.xaxis.set_major_locator(MonthLocator())
        axis.xaxis.set_major_formatter(DateFormatter("%b"))
        axis.set_title(f"{season}-{(season + 1) % 100:02d}", loc="left", fontsize=10, color=INK, fontweight="bold")
    shown = [state for state in states if state in drawn]
    figure.legend(
        handles=[Patch(color=COLOURS[state], label=state.value) for state in shown],
        loc="outside upper right", ncols=len(states), frameon=False, fontsize=9,
    )  # fmt: skip
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK, fontweight="bold")
    told = "; ".join(f"{name} {len(item.covered)} of {len(item.target)}" for name, item in coverage.items())
    return Picture(figure, f"{title}: {told}.")


def progress(report: BackfillReport, title: str = "Work done") -> Picture:
    """Draw when each batch ended and how many dates were done by then, a line a table."""
    figure, (axis,) = _figure(10, 3.2)
    clock, done = 0.0, dict.fromkeys((batch.table for batch in report.batches), 0)
    lines: dict[str, list[tuple[float, int]]] = {name: [] for name in done}
    for batch in report.batches:
        if not lines[batch.table]:
            lines[batch.table].append((clock, 0))
        clock += batch.seconds
        done[batch.table] += len(batch.done)
        lines[batch.table].append((clock, done[batch.table]))
    for number, (name, points) in enumerate(lines.items()):
        axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name, color=f"C{number}")
        axis.annotate(f" {name}", points[-1], fontsize=8, color=f"C{number}", va="center")
    _titled(axis, title, "dates done", "seconds")
    axis.margins(x=0.25)
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    told = ", ".join(f"{name} {count}" for name, count in done.items()) or "nothing had to be done"
    if not done:
        axis.text(0.5, 0.5, "nothing had to be done", ha="center", transform=axis.transAxes, color=INK)
    return Picture(figure, f"{title}: {told}.")


def lines_by_month(
    data: "pd.DataFrame", columns: Mapping[str, str], title: str, threshold: float | None = None
) -> Picture:
    """Draw shares by month; ``columns`` maps columns of ``data`` to the words that name them."""
    figure, (axis,) = _figure(10, 3.2)
    for number, (column, label) in enumerate(columns.items()):
        axis.plot(data["month"], 100 * data[column], marker=".", label=label, color=f"C{number}")
    if threshold is not None:
        axis.axhline(100 * threshold, color=COLOURS[DateState.MISSING], linestyle="--", linewidth=1)
    _titled(axis, title, "percent")
    axis.set_ylim(0, 105)
    axis.legend(frameon=False, fontsize=9, ncols=len(columns), loc="lower right")
    told = ", ".join(f"{label} {100 * data[column].mean():.1f} %" for column, label in columns.items())
    return Picture(figure, f"{title}: on average {told}.")


def histogram(data: "pd.DataFrame", title: str, xlabel: str) -> Picture:
    """Draw a distribution from bins: columns ``low``, ``width`` and ``count``."""
    figure, (axis,) = _figure(10, 2.8)
    axis.bar(data["low"], data["count"], width=data["width"] * 0.92, align="edge", color=ACCENT)
    _titled(axis, title, "rows", xlabel)
    total = data["count"].sum()
    middle = float((data["count"] * (data["low"] + data["width"] / 2)).sum() / total) if total else float("nan")
    return Picture(figure, f"{title}: {total:,.0f} rows, mean about {middle:.1f} {xlabel}.")


def bars(
    labels: Sequence[str], values: Sequence[float], title: str, xlabel: str, limit: float | None = None
) -> Picture:
    """Draw one horizontal bar a label, first label on top."""
    figure, (axis,) = _figure(10, 0.8 + 0.22 * len(labels))
    axis.barh(range(len(labels)), values, color=ACCENT)
    axis.set_yticks(range(len(labels)), labels, fontsize=8, family="monospace")
    axis.invert_yaxis()
    if limit is not None:
        axis.axvline(limit, color="black", linestyle="--", linewidth=1.5, zorder=3)
    _titled(axis, title, xlabel=xlabel)
    axis.grid(axis="y", visible=False)
    axis.grid(axis="x", color=GRID)
    highest = max(zip(values, labels, strict=True), default=(0.0, "none"))
    return Picture(figure, f"{title}: highest {highest[1]} with {highest[0]:.1f} {xlabel}.")


def verdicts(steps: Sequence[Mapping[str, Any]], title: str = "Time by step") -> Picture:
    """Draw the seconds of each step of a run, coloured by verdict."""
    figure, (axis,) = _figure(10, 0.8 + 0.3 * max(1, len(steps)))
    for number, item in enumerate(steps):
        good = item["verdict"] in GOING_ON
        axis.barh(number, item["seconds"], color=ACCENT if good else COLOURS[DateState.MISSING])
        axis.annotate(
            f" {item['verdict']}  {item['seconds']:.1f} s", (item["seconds"], number), va="center", fontsize=9
        )
    axis.set_yticks(range(len(steps)), [item["step"] for item in steps], fontsize=9, family="monospace")
    axis.invert_yaxis()
    axis.margins(x=0.2)
    _titled(axis, title, xlabel="seconds")
    axis.grid(axis="y", visible=False)
    return Picture(figure, f"{title}: " + ", ".join(f"{item['step']} {item['verdict']}" for item in steps) + ".")
