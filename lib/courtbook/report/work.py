"""What plans and backfills look like: before, while they run, and after."""

from collections.abc import Sequence

from courtbook.backfill.choice import kind_of
from courtbook.backfill.runner import BackfillReport
from courtbook.calendar import Calendar
from courtbook.params import Params
from courtbook.plan import Plan
from courtbook.report.layout import Html, table
from courtbook.report.text import cost
from courtbook.status import RunStatus, TableStatus


def duration(seconds: float | None) -> str:
    """Write a time that a person can grasp."""
    if seconds is None:
        return "no history"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _size(count: int | None) -> str:
    return "" if count is None else f"; reads {cost(count)}"


def plan(planned: Plan, calendar: Calendar, params: Params, *, most: int = 40) -> Html:
    """Show which dates of which table will be written, in which order, why, by whom and in about what time."""
    rows = []
    for task in planned.tasks:
        reasons = list(task.dates.values())
        counts = ", ".join(f"{reasons.count(reason)} {reason}" for reason in dict.fromkeys(sorted(reasons)))
        left = f"; leaves {task.leaves} stale" if task.leaves else ""
        rows.append(
            [
                task.level + 1,
                task.table.name,
                len(task.dates),
                (counts or "nothing to do") + left,
                kind_of(task.table.name, params),
                duration(planned.seconds(task)) + _size(planned.sizes.get(task.table.name)) if task.dates else "",
                calendar.spans(task.dates, most=most),
            ]
        )
    cap = params.backfill
    caps = f"at most {cap.max_table_dates:,}" + (f" and {cap.max_hours:g} h" if cap.max_hours else "")
    caps += f" and {cost(cap.max_bytes)}" if cap.max_bytes is not None else ""
    took = "" if planned.estimate is None or not planned.table_dates else f", about {duration(planned.estimate)}"
    size = f"{planned.table_dates:,} table-dates{took}{_size(planned.bytes)}"
    title = f"Plan of {planned.layer.value}: {size} ({caps} allowed)"
    return table(rows, ["level", "table", "dates", "why", "by", "estimate", "which"], title)


def backfill(report: BackfillReport) -> Html:
    """Show what a backfill wrote."""
    names = list(dict.fromkeys([*(batch.table for batch in report.batches), *report.held_back]))
    rows = []
    for name in names:
        own = [batch for batch in report.batches if batch.table == name]
        wrong = {day: words for batch in own for day, words in batch.why.items()}
        said = ["held back"] if name in report.held_back else []
        said += [report.unsound[name]] if name in report.unsound else []
        said += [f"{day}: {words}" for day, words in sorted(wrong.items())[:5]]
        said += [f"and {len(wrong) - 5} more"] if len(wrong) > 5 else []
        rows.append(
            [
                name,
                sum(len(batch.done) for batch in own),
                sum(len(batch.failed) for batch in own),
                sum(batch.rows for batch in own),
                round(sum(batch.seconds for batch in own), 1),
                "\n".join(said),
            ]
        )
    return table(rows, ["table", "dates done", "failed", "rows", "seconds", ""], "Written, read back and counted")


def _status_table(tables: Sequence[TableStatus], caption: str) -> Html:
    rows = [
        [
            item.table,
            item.state.value,
            item.done,
            item.failed,
            item.left,
            item.planned,
            None if item.rate is None else round(item.rate),
            "" if item.eta is None else duration(item.eta),
            item.executor,
        ]
        for item in tables
    ]
    heads = ["table", "state", "done", "failed", "left", "planned", "dates/min", "time left", "by"]
    return table(rows, heads, caption, empty="nothing has to be done")


def progress(found: RunStatus) -> Html:
    """Show how far the work on the tables of the last plan is."""
    layer = found.tables[-1].layer if found.tables else ""
    own = [item for item in found.tables if item.layer == layer and item.planned]
    return _status_table(own, "Progress")


def status_text(found: RunStatus) -> str:
    """Return the status of a run for a terminal: its state, its tables, its jobs, and the errors found."""
    told = ", ".join(filter(None, (found.step, found.verdict, found.words)))
    lines = [f"{found.run}  {found.state.value}  ({told})", f"last event {found.updated}", ""]
    lines += _status_table(found.tables, "").text.splitlines() if found.tables else ["nothing is planned yet"]
    for item in found.tables:
        if item.job:
            job = item.job
            lines += [
                "",
                f"{item.table}: process {job['pid']}, {item.reported} dates reported, silent for {job['silent']} s",
            ]
            lines += [f"  {job['log']}", *(f"  | {line}" for line in item.last_lines)]
        if item.errors:
            lines += ["", f"{item.table}: errors", *(f"  {line}" for line in item.errors)]
    return "\n".join(lines)
