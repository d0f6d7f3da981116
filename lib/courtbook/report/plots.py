"""Figures for notebooks: coverage calendars, progress, distributions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from courtbook.backfill.runner import BackfillReport
from courtbook.calendar import Calendar
from courtbook.coverage import Coverage, DateState
from courtbook.gates import GOING_ON

if TYPE_CHECKING:
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


def _figure(width: float, height: float, rows: int = 1) -> "tuple[Figure, Sequence[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, squeeze=False).flatten().tolist()
    for axis in axes:
        axis.tick_params(labelsize=9, colors=INK, length=0)
        axis.spines[:].set_visible(False)
    return figure, axes


def _chart(
    height: float, title: str, ylabel: str = "", xlabel: str = "", grid: Literal["x", "y"] = "y"
) -> "tuple[Figure, Axes]":
    """Return a figure of one panel."""
    figure, (axis,) = _figure(10, height)
    axis.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold")
    axis.set_ylabel(ylabel, fontsize=9, color=INK)
    axis.set_xlabel(xlabel, fontsize=9, color=INK)
    axis.grid(axis=grid, color=GRID)
    axis.set_axisbelow(True)
    return figure, axis


def coverage_map(coverage: Mapping[str, Coverage], calendar: Calendar, title: str = "Coverage by date") -> Picture:
    """Draw table against date, a panel a season; white where no game was played."""
    from matplotlib.colors import ListedColormap
    from matplotlib.dates import DateFormatter, MonthLocator, date2num
    from matplotlib.patches import Patch

    number = {state: place for place, state in enumerate(DateState, start=1)}
    palette = ListedColormap(["#ffffff", *(COLOURS[state] for state in number)])
    seasons, rows = calendar.seasons(), len(coverage)
    figure, axes = _figure(12, 0.9 + len(seasons) * (0.45 + 0.17 * rows), rows=len(seasons))
    states = {name: item.frame.set_index("day")["state"].map(number) for name, item in coverage.items()}
    numbers, drawn = pd.DataFrame(states), set()
    for axis, season in zip(axes, seasons, strict=True):
        days = [item.day for item in calendar.days if item.season == season]
        grid = numbers.reindex(pd.date_range(days[0], days[-1]).date).fillna(0).to_numpy().T
        drawn |= set(grid.flat)
        left, right = date2num(days[0]), date2num(days[-1] + timedelta(days=1))
        axis.imshow(
            grid, aspect="auto", interpolation="nearest", cmap=palette, vmin=0, vmax=len(number),
            extent=(left, right, rows - 0.5, -0.5),
        )  # fmt: skip
        axis.set_yticks(range(rows), list(coverage), fontsize=8, family="monospace")
        axis.hlines([row + 0.5 for row in range(rows - 1)], left, right, color="white", linewidth=1.5)
        axis.xaxis_date()
        axis.xaxis.set_major_locator(MonthLocator())
        axis.xaxis.set_major_formatter(DateFormatter("%b"))
        axis.set_title(f"{season}-{(season + 1) % 100:02d}", loc="left", fontsize=10, color=INK, fontweight="bold")
    shown = [Patch(color=COLOURS[state], label=state.value) for state in number if number[state] in drawn]
    figure.legend(handles=shown, loc="outside upper right", ncols=len(number), frameon=False, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK, fontweight="bold")
    told = "; ".join(f"{name} {len(item.covered)} of {len(item.target)}" for name, item in coverage.items())
    return Picture(figure, f"{title}: {told}.")


def progress(report: BackfillReport, title: str = "Work done") -> Picture:
    """Draw when each batch ended and how many dates were done by then, a line a table."""
    figure, axis = _chart(3.2, title, "dates done", "seconds")
    lines: dict[str, list[tuple[float, int]]] = {}
    began = min((batch.ended - batch.seconds for batch in report.batches), default=0.0)
    for batch in report.batches:
        points = lines.setdefault(batch.table, [(batch.ended - batch.seconds - began, 0)])
        points.append((batch.ended - began, points[-1][1] + len(batch.done)))
    for number, (name, points) in enumerate(lines.items()):
        axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name, color=f"C{number}")
    axis.margins(x=0.02)
    axis.set(xlim=(0, None), ylim=(0, None))
    if lines:
        axis.legend(frameon=False, fontsize=8, loc="lower right")
    told = ", ".join(f"{name} {points[-1][1]}" for name, points in lines.items())
    if not told:
        told = "nothing had to be done"
        axis.text(0.5, 0.5, told, ha="center", transform=axis.transAxes, color=INK)
    return Picture(figure, f"{title}: {told}.")


def lines_by_month(
    data: pd.DataFrame, columns: Mapping[str, str], title: str, threshold: float | None = None
) -> Picture:
    """Draw shares by month; ``columns`` maps columns of ``data`` to the words that name them."""
    figure, axis = _chart(3.2, title, "percent")
    for number, (column, label) in enumerate(columns.items()):
        axis.plot(data["month"], 100 * data[column], marker=".", label=label, color=f"C{number}")
    if threshold is not None:
        axis.axhline(100 * threshold, color=COLOURS[DateState.MISSING], linestyle="--", linewidth=1)
    axis.set_ylim(0, 105)
    if len(data) == 1:  # left alone, the axis would span years
        axis.set_xlim(*(data["month"].iloc[0] + pd.Timedelta(days=days) for days in (-20, 20)))
    axis.legend(frameon=False, fontsize=9, ncols=len(columns), loc="lower right")
    told = ", ".join(f"{label} {100 * data[column].mean():.1f} %" for column, label in columns.items())
    return Picture(figure, f"{title}: on average {told}.")


def filled_map(filled: pd.DataFrame, title: str) -> Picture:
    """Draw how much of each column that has gaps is filled, month by month: a row a column, the emptiest on top."""
    from matplotlib.ticker import PercentFormatter

    smallest = filled.min().sort_values(kind="stable")
    full, smallest = int((smallest == 1).sum()), smallest[smallest < 1]
    told = f"{title}: {full} columns are full"
    figure, axis = _chart(1.1 + 0.2 * len(smallest), f"{title} ({full} more are full)")
    axis.grid(visible=False)
    if smallest.empty:
        axis.set_axis_off()
        return Picture(figure, f"{told}, none has gaps.")
    cells = filled[smallest.index].to_numpy().T
    image = axis.imshow(cells, aspect="auto", interpolation="nearest", cmap="cividis", vmin=0, vmax=1)
    axis.set_yticks(range(len(smallest)), smallest.index.tolist(), fontsize=8, family="monospace")
    shown = range(0, len(filled), max(1, len(filled) // 12))
    axis.set_xticks(shown, [f"{filled.index[place]:%Y-%m}" for place in shown], fontsize=8)
    figure.colorbar(image, ax=axis, format=PercentFormatter(1.0), label="rows with a value")
    low = ", ".join(f"{name} {100 * share:.1f} %" for name, share in smallest.items())
    return Picture(figure, f"{told}; smallest share of a month: {low}.")


def histogram(data: pd.DataFrame, title: str, xlabel: str) -> Picture:
    """Draw a distribution from bins: columns ``low``, ``width`` and ``count``."""
    figure, axis = _chart(2.8, title, "rows", xlabel)
    axis.bar(data["low"], data["count"], width=data["width"] * 0.92, align="edge", color=ACCENT)
    total = data["count"].sum()
    middle = float((data["count"] * (data["low"] + data["width"] / 2)).sum() / total) if total else float("nan")
    return Picture(figure, f"{title}: {total:,.0f} rows, mean about {middle:.1f} {xlabel}.")


def bars(
    labels: Sequence[str], values: Sequence[float], title: str, xlabel: str, limit: float | None = None
) -> Picture:
    """Draw one horizontal bar a label, first label on top."""
    figure, axis = _chart(0.8 + 0.22 * len(labels), title, xlabel=xlabel, grid="x")
    axis.barh(range(len(labels)), values, color=ACCENT)
    axis.set_yticks(range(len(labels)), labels, fontsize=8, family="monospace")
    axis.invert_yaxis()
    if limit is not None:
        axis.axvline(limit, color="black", linestyle="--", linewidth=1.5, zorder=3)
    highest = max(zip(values, labels, strict=True), default=(0.0, "none"))
    return Picture(figure, f"{title}: highest {highest[1]} with {highest[0]:.1f} {xlabel}.")


def verdicts(steps: Sequence[Mapping[str, Any]], title: str = "Time by step") -> Picture:
    """Draw the seconds of each step of a run, coloured by verdict."""
    figure, axis = _chart(0.8 + 0.3 * max(1, len(steps)), title, xlabel="seconds")
    axis.grid(visible=False)
    for number, item in enumerate(steps):
        verdict, seconds = item["verdict"], item["seconds"]
        axis.barh(number, seconds, color=ACCENT if verdict in GOING_ON else COLOURS[DateState.MISSING])
        axis.annotate(f" {verdict}  {seconds:.1f} s", (seconds, number), va="center", fontsize=9)
    axis.set_yticks(range(len(steps)), [item["step"] for item in steps], fontsize=9, family="monospace")
    axis.invert_yaxis()
    axis.margins(x=0.2)
    return Picture(figure, f"{title}: " + ", ".join(f"{item['step']} {item['verdict']}" for item in steps) + ".")
