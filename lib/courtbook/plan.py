"""What has to run, in which order and why: fixed before anything runs."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from courtbook.calendar import read_span
from courtbook.catalog import Catalog, Layer, Table
from courtbook.coverage import Coverage, DateState, Rewritten
from courtbook.errors import CourtbookError, ParameterError, Reason

MISSING, PARTIAL, STALE, FAILED, FORCED = "missing", "partial", "stale", "failed before", "forced"
_LACKING = {DateState.MISSING: MISSING, DateState.PARTIAL: PARTIAL}
_HELD = (DateState.STALE, DateState.COMPLETE, DateState.SOURCE_GAP)

# Reads the coverage of a table as if some dates of the tables that it reads were written anew.
Reread = Callable[[Table, Rewritten], Coverage]
Dates = Mapping[str, Collection[date]]  # by table


@dataclass(frozen=True)
class Task:
    """The dates of one table that have to be written, each with its reason.

    Attributes
    ----------
    leaves : int
        Dates of this table that the plan makes stale and does not write.
    """

    table: Table
    level: int
    dates: Mapping[date, str]
    leaves: int = 0

    def keep(self, wanted: Collection[date]) -> "Task":
        """Return the task for some of its dates."""
        return replace(self, dates={day: why for day, why in self.dates.items() if day in wanted})


@dataclass(frozen=True)
class Plan:
    """The tasks of one layer, in the order in which they run.

    Attributes
    ----------
    rates : mapping
        Seconds that a date of a table took in earlier runs, by table; without history a table is not in it.
    sizes : mapping
        Bytes that the statements of a table would read, by table; without where nothing is billed, or not by us.
    """

    layer: Layer
    tasks: tuple[Task, ...]
    rates: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def table_dates(self) -> int:
        """Number of (table, date) pairs to write."""
        return sum(len(task.dates) for task in self.tasks)

    @property
    def dates(self) -> dict[str, frozenset[date]]:
        """The dates to write, by table."""
        return {task.table.name: frozenset(task.dates) for task in self.tasks}

    def seconds(self, task: Task) -> float | None:
        """Estimate what a task takes from the history of earlier runs; None without history."""
        rate = self.rates.get(task.table.name)
        return None if rate is None else rate * len(task.dates)

    @property
    def estimate(self) -> float | None:
        """Seconds that the plan takes, one table after the other; None if a table has no history."""
        parts = [self.seconds(task) for task in self.tasks if task.dates]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    @property
    def bytes(self) -> int | None:
        """Bytes that the plan would read; None where nothing is known of them."""
        return sum(self.sizes.values()) if self.sizes else None

    def sample(self, count: int) -> "Plan":
        """Return the plan for the ``count`` last dates that every task has to write."""
        needed = [set(task.dates) for task in self.tasks if task.dates]
        common = sorted(set.intersection(*needed))[-count:] if needed and count else []
        return replace(self, tasks=tuple(task.keep(common) for task in self.tasks if common))

    def without(self, other: "Plan") -> "Plan":
        """Return what is left when the dates of another plan are done."""
        done = other.dates
        rest = (task.keep(set(task.dates) - done.get(task.table.name, frozenset())) for task in self.tasks)
        return replace(self, tasks=tuple(rest))

    def refuse_above(self, table_dates: int, hours: float | None, size: int | None = None) -> None:
        """Raise if the plan is larger than its caps allow: table-dates, hours, bytes."""
        took = None if self.estimate is None else round(self.estimate / 3600, 2)
        asked: dict[str, tuple[float | None, float | None, str]] = {
            "backfill.max_table_dates": (self.table_dates, table_dates, "table-dates"),
            "backfill.max_hours": (took, hours, "hours by the history of earlier runs"),
            "backfill.max_bytes": (self.bytes, size, "bytes by dry runs"),
        }
        for name, (value, cap, unit) in asked.items():
            if value is not None and cap is not None and value > cap:
                raise CourtbookError(
                    Reason.OVER_CAP,
                    f"The plan of {self.layer.value} is {value:,} {unit}, more than the {cap:,} allowed.",
                    where=name,
                    next_action="Choose a shorter range, or raise the cap if all of it is meant. Nothing was written.",
                )

    def record(self) -> dict[str, Any]:
        """Return the plan as it is frozen in ``plan.json``."""
        return {
            "layer": self.layer.value,
            "table_dates": self.table_dates,
            "estimate": {"seconds": self.estimate, "bytes": self.bytes},
            "tasks": [
                {
                    "table": task.table.name,
                    "level": task.level,
                    "estimate": {"seconds": self.seconds(task), "bytes": self.sizes.get(task.table.name)},
                    "leaves_stale": task.leaves,
                    "dates": {day.isoformat(): reason for day, reason in sorted(task.dates.items())},
                }
                for task in self.tasks
            ],
        }


def read_plan(file: Path, catalog: Catalog) -> Plan:
    """Read a plan that was frozen."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        tasks = tuple(
            Task(
                catalog.tables[item["table"]],
                int(item["level"]),
                {date.fromisoformat(day): str(why) for day, why in item["dates"].items()},
                int(item["leaves_stale"]),
            )
            for item in content["tasks"]
        )
        return Plan(Layer(content["layer"]), tasks)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"The frozen plan cannot be read: {error}.",
            where=str(file),
            next_action="This run cannot be resumed; start a new one.",
        ) from error


@dataclass(frozen=True)
class Selection:
    """Which dates a plan may hold, and why.

    Attributes
    ----------
    mode : str
        ``missing``: missing and partial dates. ``missing_and_failed``: these, and dates whose last attempt failed.
        ``stale``: missing and partial dates, what is older than its inputs, and what the plan itself will make older
        than its inputs. ``all``: every date on which rows are expected.
    only : mapping, optional
        The only dates that may be written, by table.
    failed : mapping
        Dates whose last attempt failed, by table.
    changed : collection of date
        Dates whose raw data was corrected.
    frozen : Plan, optional
        The plan of a run that is resumed. Then it decides, not the mode: what of it is not done is written, and what is
        done is written again only if its inputs changed since.
    done : mapping
        Dates of the frozen plan that are on record as done, by table.
    """

    mode: str = "missing"
    only: Dates | None = None
    failed: Dates = field(default_factory=dict)
    changed: Collection[date] = ()
    frozen: Plan | None = None
    done: Dates = field(default_factory=dict)

    @property
    def follows(self) -> bool:
        """Whether what the plan itself makes older than its inputs is written too."""
        return self.mode == "stale" or bool(self.changed) or self.frozen is not None

    def reason(self, table: str, day: date, state: DateState) -> str | None:
        """Return why a date has to be written, None if it has not."""
        why = _LACKING.get(state)
        if state is DateState.STALE and (self.follows or self.mode == "all"):
            why = FORCED if day in self.changed else STALE
        forced = {"all": True, "missing_and_failed": day in self.failed.get(table, ())}
        if why is None and state in _HELD and forced.get(self.mode, False):
            why = FORCED if self.mode == "all" else FAILED
        if self.only is not None and day not in self.only.get(table, ()):
            return None
        return why if self.frozen is None else self._resumed(self.frozen, table, day, state)

    def _resumed(self, frozen: Plan, table: str, day: date, state: DateState) -> str | None:
        """Return why a date of the frozen plan has to be written still."""
        planned = next((task.dates.get(day) for task in frozen.tasks if task.table.name == table), None)
        now = STALE if state is DateState.STALE else _LACKING.get(state)
        if planned is None or now is not None:
            return planned and now
        # Rows decide: what was missing and is complete now is done, recorded or not. Of what was there before, rows do
        # not tell whether it was written since.
        again = planned not in (MISSING, PARTIAL) and state in _HELD and day not in self.done.get(table, ())
        return planned if again else None


def make_plan(
    catalog: Catalog,
    layer: Layer,
    coverage: Mapping[str, Coverage],
    reread: Reread,
    selection: Selection | None = None,
    *,
    before: Iterable[Plan] = (),
    rates: Mapping[str, float] | None = None,
) -> Plan:
    """Plan what a layer needs, tables that others read first.

    Parameters
    ----------
    coverage : mapping
        Coverage of the tables of the layer, by name.
    reread : callable
        Reads the coverage of a table once more, as if dates of its inputs were written anew.
    before : iterable of Plan
        Plans of earlier layers that will have run by then.
    rates : mapping, optional
        Seconds a date, by table, for the estimate.
    """
    chosen = selection or Selection()
    corrected = frozenset(chosen.changed)
    written: dict[str, Collection[date]] = {table.name: corrected for table in catalog.layer(Layer.RAW) if corrected}
    for plan in before:
        written |= plan.dates
    # Corrected dates on which no game counts any more: nothing is written there, yet windows look back at them.
    gone = corrected - {day for item in coverage.values() for day in item.dates_in(*_HELD, *_LACKING)}
    for table in catalog.processed:
        written[table.name] = frozenset(written.get(table.name, ())) | gone
    tasks = []
    for number, level in enumerate(catalog.levels(layer)):
        for table in level:
            frame = coverage[table.name].frame
            now = dict(zip(frame["day"], frame["state"], strict=True))
            then = now
            held = {DateState.COMPLETE, DateState.SOURCE_GAP} & set(now.values())
            if held and any(written.get(name) for name in table.reads):
                frame = reread(table, written).frame
                then = dict(zip(frame["day"], frame["state"], strict=True))
            seen = then if chosen.follows else now
            reasons = {day: chosen.reason(table.name, day, state) for day, state in seen.items()}
            dates = {day: why for day, why in reasons.items() if why is not None}
            behind = sum(
                state is DateState.STALE and now[day] is not DateState.STALE and day not in dates
                for day, state in then.items()
            )
            written[table.name] = gone | set(dates)
            tasks.append(Task(table, number, dates, behind))
    return Plan(layer, tuple(tasks), rates or {})


def choose_dates(text: str, known: Collection[date]) -> frozenset[date]:
    """Read dates as the command line gives them: ``2024-01-05,2024-01-08..2024-01-12``.

    Parameters
    ----------
    known : collection of date
        The game dates of the range.

    Raises
    ------
    ParameterError
        If a part is no date, if no game was played on a date that is named, or if nothing is selected.
    """
    chosen: set[date] = set()
    for part in (item.strip() for item in text.split(",") if item.strip()):
        span = read_span(part, "Write YYYY-MM-DD, or FIRST..LAST, separated by commas.")
        found = {day for day in known if span[0] <= day <= span[1]}
        if not found:
            raise ParameterError(
                f"No game that counts was played on {part} in the range of the parameters.",
                where="--dates",
                next_action="Name game dates inside the range, or change the range by --set range.start=... .",
            )
        chosen |= found
    if not chosen:
        raise ParameterError(
            "An empty selection is refused.", where="--dates", next_action="Name the dates that are meant."
        )
    return frozenset(chosen)
