"""What has to run, in which order and why: fixed before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from courtbook.calendar import Calendar
from courtbook.catalog import Catalog, Layer, Table
from courtbook.coverage import Coverage, DateState

REASONS = {DateState.MISSING: "missing", DateState.PARTIAL: "partial"}


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


def make_plan(catalog: Catalog, layer: Layer, coverage: Mapping[str, Coverage]) -> Plan:
    """Plan what is missing or partial in a layer, tables that others read first."""
    tasks = []
    for number, level in enumerate(catalog.levels(layer)):
        for table in level:
            frame = coverage[table.name].frame
            wanted = frame[frame["state"].isin(list(REASONS))]
            dates = {day: REASONS[state] for day, state in zip(wanted["day"], wanted["state"], strict=True)}
            tasks.append(Task(table, number, dates))
    return Plan(layer, tuple(tasks))
