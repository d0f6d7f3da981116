"""What has to run, in which order and why: fixed before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from courtbook.calendar import Calendar
from courtbook.catalog import Catalog, Layer, Table
from courtbook.coverage import Coverage, DateState

REASONS = {DateState.MISSING: "missing", DateState.PARTIAL: "partial"}
MORE = {
    "missing": {},
    "stale": {DateState.STALE: "stale"},
    "all": {DateState.STALE: "stale", DateState.COMPLETE: "forced", DateState.SOURCE_GAP: "forced"},
}


@dataclass(frozen=True)
class Task:
    """The dates of one table that have to be written, each with its reason."""

    table: Table
    level: int
    dates: Mapping[date, str]

    def batches(self, calendar: Calendar, size: int) -> tuple[tuple[date, ...], ...]:
        """Cut the dates into batches of at most ``size``, none of which spans two seasons."""
        season = {item.day: item.season for item in calendar.days}
        batches: list[list[date]] = []
        for day in sorted(self.dates):
            if batches and len(batches[-1]) < size and season[batches[-1][0]] == season[day]:
                batches[-1].append(day)
            else:
                batches.append([day])
        return tuple(tuple(batch) for batch in batches)


@dataclass(frozen=True)
class Plan:
    """The tasks of one layer, in the order in which they run."""

    layer: Layer
    tasks: tuple[Task, ...]

    @property
    def table_dates(self) -> int:
        """Number of (table, date) pairs to write."""
        return sum(len(task.dates) for task in self.tasks)

    def sample(self, count: int) -> "Plan":
        """Return the plan for the ``count`` last dates that every task has to write."""
        needed = [set(task.dates) for task in self.tasks if task.dates]
        common = sorted(set.intersection(*needed))[-count:] if needed and count else []
        return Plan(
            self.layer,
            tuple(
                Task(task.table, task.level, {day: task.dates[day] for day in common if day in task.dates})
                for task in self.tasks
            )
            if common
            else (),
        )

    def without(self, other: "Plan") -> "Plan":
        """Return what is left when the dates of another plan are done."""
        done = {task.table.name: set(task.dates) for task in other.tasks}
        return Plan(
            self.layer,
            tuple(
                Task(
                    task.table,
                    task.level,
                    {day: why for day, why in task.dates.items() if day not in done.get(task.table.name, ())},
                )
                for task in self.tasks
            ),
        )

    def record(self) -> dict[str, Any]:
        """Return the plan as it is frozen in ``plan.json``."""
        return {
            "layer": self.layer.value,
            "tasks": [
                {
                    "table": task.table.name,
                    "level": task.level,
                    "dates": {day.isoformat(): reason for day, reason in sorted(task.dates.items())},
                }
                for task in self.tasks
            ],
        }


def _looks_back(window: str, day: date, at: date, seasons: Mapping[date, int]) -> bool:
    """Tell whether a row of ``day`` may depend on one of ``at``; windows of games are taken as season to date."""
    if window == "same date":
        return at == day
    if window.endswith(" days"):
        return 0 < (day - at).days <= int(window.removesuffix(" days"))
    return at < day and seasons.get(at) == seasons.get(day)


def make_plan(
    catalog: Catalog, layer: Layer, coverage: Mapping[str, Coverage], calendar: Calendar, mode: str = "missing"
) -> Plan:
    """Plan what a layer needs, tables that others read first.

    Parameters
    ----------
    mode : str
        ``missing``: missing and partial dates. ``stale``: these, what is older than its inputs, and what this plan will
        make older than its inputs. ``all``: every date on which rows are expected.
    """
    reasons = {**REASONS, **MORE[mode]}
    seasons = {item.day: item.season for item in calendar.days}
    planned: dict[str, Mapping[date, str]] = {}
    tasks = []
    for number, level in enumerate(catalog.levels(layer)):
        for table in level:
            frame = coverage[table.name].frame
            looks = [(window, planned.get(edge.table.name, {})) for edge in table.edges for window in edge.window]
            dates: dict[date, str] = {}
            for day, state in zip(frame["day"], frame["state"], strict=True):
                if state in reasons:
                    dates[day] = reasons[state]
                elif (
                    mode == "stale"
                    and state is DateState.COMPLETE
                    and any(_looks_back(window, day, at, seasons) for window, inputs in looks for at in inputs)
                ):
                    dates[day] = "stale"
            planned[table.name] = dates
            tasks.append(Task(table, number, dates))
    return Plan(layer, tuple(tasks))
