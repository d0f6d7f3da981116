"""The tables of docs/scale.md: what statements, runs and parts of runs cost, and how long they take."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from billing import GIB, MIB, TIB, Sizes, billed, dollars, scans
from courtbook.catalog import Layer, load_catalog
from courtbook.warehouse.statement import Statement, parameters_of
from document import table

FACTORS = (1, 10, 1000)
LAST = 7  # dates of the incremental run
# Statements by the files that they come from, and when a run sends them.
GROUPS = {
    "calendar": (("calendar.sql",), "at the beginning of a run and of every step"),
    "coverage": (("coverage.sql",), "ten tables wherever their state is shown or judged; a table after each batch"),
    "profile": (("profile.sql",), "a table for each gate that checks its values; a table after it was written"),
    "checks": (("checks/*.sql", "checks/*/*.sql"), "one for each check that a profile cannot answer"),
    "processors": (("delete_dates.sql", "insert.sql"), "one job of both for each batch of dates"),
    "newest": (("newest.sql",), "before each batch"),
    "views": (("views/*.sql",), "one for each plot or table of a notebook"),
    "fingerprints": (("fingerprint.sql",), "18 tables before the run and after it"),
    "copy": (("copy.sql",), "`courtbook copy` only: a table each"),
}


@dataclass(frozen=True)
class Sent:
    """A statement that a run sent: in which step, with which values, and the dates with rows that it deleted."""

    step: str
    statement: Statement
    values: Mapping[str, Any]
    held: tuple[date, ...]

    @property
    def group(self) -> str:
        """The group that its file belongs to."""
        return next(
            name for name, (files, _) in GROUPS.items() if any(Path(self.statement.name).match(f) for f in files)
        )


def amount(size: float) -> str:
    """Write bytes in the largest unit that they fill."""
    for unit, name in ((TIB, "TiB"), (GIB, "GiB")):
        if size >= unit:
            return f"{size / unit:,.2f} {name}"
    return f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size / 1024:,.0f} KiB"


def cost(sent: Sequence[Sent], sizes: Sizes, factor: int) -> int:
    """Return what is billed for statements."""
    return sum(billed(sizes.read_by(item.statement.sql, item.values, item.held), factor) for item in sent)


def processed(sent: Sequence[Sent], sizes: Sizes) -> int:
    """Return the bytes that statements process, without the least that is billed."""
    return sum(sum(sizes.read_by(item.statement.sql, item.values, item.held).values()) for item in sent)


def repeated(sent: Sequence[Sent]) -> list[Sent]:
    """Return the statements that repeat an earlier one while no table that they read was written."""
    again, known = [], {}
    written: Counter[str] = Counter()
    for item in sent:
        if item.group == "processors":
            written[item.statement.table] += 1
            continue
        read = tuple((scan.table, written[scan.table.rpartition(".")[2]]) for scan in scans(item.statement.sql))
        key = (item.statement.sql, repr([item.values.get(name) for name in sorted(parameters_of(item.statement.sql))]))
        if known.get(key) == read and "CURRENT_" not in item.statement.sql:
            again.append(item)
        known[key] = read
    return again


def statements_table(sizes: Sizes, runs: Mapping[str, Sequence[Sent]]) -> str:
    """Return what each kind of statement costs in a run."""
    rows = []
    for name, (files, when) in GROUPS.items():
        sent = [item for item in (*runs["incident"], *runs["copy"]) if item.group == name]
        prices = tuple(amount(cost(sent, sizes, factor)) for factor in FACTORS)
        rows.append(
            (
                name,
                ", ".join(f"`{file}`" for file in files),
                when,
                str(len(sent)),
                amount(processed(sent, sizes)),
                *prices,
            )
        )
    return table(("group", "files", "sent", "in a run", "processed", *(f"billed {f:,}x" for f in FACTORS)), rows)


def runs_table(sizes: Sizes, runs: Mapping[str, Sequence[Sent]]) -> str:
    """Return what parts of a run and whole runs cost."""
    backfills = ("phase3_backfill", "phase4_backfill")
    lines = [
        ("preflight", "incident", ("preflight",), False),
        ("Phase 3 validation", "incident", ("phase3_validation",), False),
        ("Phase 4 validation", "incident", ("phase4_validation",), False),
        ("ML readiness", "incident", ("ml_readiness",), False),
        ("both backfill steps: the incident's holes", "incident", backfills, False),
        ("both backfill steps: every date anew", "all", backfills, False),
        (f"both backfill steps: the {LAST} newest dates", "last", backfills, False),
        ("**whole run: the incident**", "incident", (), False),
        ("the same with fingerprints", "incident", (), True),
        ("**whole run: every date anew**", "all", (), False),
        (f"**whole run: range of the {LAST} newest dates**", "last", (), False),
        ("the same with fingerprints", "last", (), True),
        ("`courtbook copy` of all tables", "copy", (), True),
    ]
    rows = []
    for words, run, steps, prints in lines:
        sent = [s for s in runs[run] if (not steps or s.step in steps) and (prints or s.group != "fingerprints")]
        sums = [cost(sent, sizes, factor) for factor in FACTORS]
        rows.append((words, str(len(sent)), *(f"{amount(size)}, ${dollars(size):,.2f}" for size in sums)))
    return table(("what", "statements", *(f"{factor:,}x" for factor in FACTORS)), rows)


def limits_table(sizes: Sizes, runs: Mapping[str, Sequence[Sent]]) -> str:
    """Return what the caps have to allow, and what the cache may save."""
    plain = [item for item in runs["incident"] if item.group != "fingerprints"]
    prints = [item for item in runs["incident"] if item.group == "fingerprints"]
    writing = [item for item in runs["all"] if item.group == "processors"]
    again = repeated(plain)
    largest = max(int(frame.drop(columns="rows").sum(axis="columns").max()) for frame in sizes.frames.values())
    rows = []
    for words, find in (
        ("largest statement without fingerprints", lambda f: max(cost([item], sizes, f) for item in plain)),
        ("largest fingerprint", lambda f: max(cost([item], sizes, f) for item in prints)),
        ("what `plan` estimates for every date anew", lambda f: f * processed(writing, sizes)),
        (
            f"{len(again)} of {len(plain)} statements that repeat one over unchanged tables",
            lambda f: cost(again, sizes, f),
        ),
        ("largest partition, of one table and date", lambda f: f * largest),
    ):
        rows.append((words, *(amount(find(factor)) for factor in FACTORS)))
    return table(("", *(f"{factor:,}x" for factor in FACTORS)), rows)


def sizes_table(sizes: Sizes) -> str:
    """Return rows and bytes of the layers."""
    rows = []
    for layer in Layer:
        names = [item.full_name for item in load_catalog().layer(layer)]
        size = sum(sizes.of(name) for name in names)
        count = sum(int(sizes.frames[name]["rows"].sum()) for name in names)
        rows.append((layer.value, str(len(names)), f"{count:,}", *(amount(size * factor) for factor in FACTORS)))
    return table(("layer", "tables", "rows", *(f"{factor:,}x" for factor in FACTORS)), rows)


def times_table(found: Mapping[int, Sequence[Mapping[str, Any]]]) -> str:
    """Return the least CPU seconds of each part, and what else was measured."""
    parts = list(found[1][0]["took"])
    least = {n: {part: min(one["took"][part][0] for one in runs) for part in parts} for n, runs in found.items()}
    rows = [
        (f"`{part}`" if part in load_catalog().tables else part, *(f"{least[n][part]:,.1f}" for n in found))
        for part in parts
    ]
    rows.append(("**together, CPU s**", *(f"{sum(least[n].values()):,.0f}" for n in found)))
    rows.append(("rows expected, and found", *(f"{r[0]['expected']:,}, {r[0]['found']:,}" for r in found.values())))
    rows.append(
        ("checks", *(", ".join(f"{n} {word}" for word, n in sorted(r[0]["statuses"].items())) for r in found.values()))
    )
    rows.append(("file", *(amount(max(one["file"] for one in runs)) for runs in found.values())))
    most = [(max(one["memory"] for one in runs), runs[0]["limit"]) for runs in found.values()]
    rows.append(("memory at most, `warehouse.memory`", *(f"{amount(size)}, {limit}" for size, limit in most)))
    return table(("CPU seconds", *(f"{n} league{'s' if n > 1 else ''}" for n in found)), rows)


def services_table(dates: int) -> str:
    """Return how long the service takes for Phase 4, by the documents' seconds a date and its pauses."""
    tables = len(load_catalog().layer(Layer.PHASE4))
    rows = []
    for days, unit, size in ((LAST, "min", 60), (dates, "h", 3600)):
        spans = [[days * (least + 2 * tables) / size / at_once for least in (30, 100)] for at_once in (1, 4, 8)]
        rows.append(
            (f"{days} dates, {days * tables:,} calls", *(f"{low:.1f} to {high:.1f} {unit}" for low, high in spans))
        )
    return table(("Phase 4 by the service", "one call at a time", "4", "8"), rows)
