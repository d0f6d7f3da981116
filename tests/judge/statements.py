"""Every statement that the project can emit, rendered for every table and mode, with what it is declared to yield."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from courtbook.catalog import Layer, Severity, Table, load_catalog
from courtbook.checks.scope import profiled
from courtbook.fingerprint import WRITTEN
from courtbook.warehouse.statement import Statement, render

CATALOG = load_catalog()
LIBRARY = Path(__file__).resolve().parents[2] / "lib" / "courtbook"
COUNTS = "expected_rows obtainable_rows actual_rows found_rows unexpected_rows duplicate_rows"
# What the Python code reads, by name: one letter a type.
TYPES = {"s": "STRING", "i": "INT64", "f": "FLOAT64", "d": "DATE", "t": "TIMESTAMP"}
YIELDS = {
    "coverage.sql": f"d day i {COUNTS.replace(' ', ' i ')} t oldest_row s newer_inputs",
    "fingerprint.sql": "s day i row_count s digest",
    "newest.sql": "t newest",
    "calendar.sql": "d day i season d season_start i games",
    "incident/all_star_dates.sql": "d day",
    "views/baseline_by_season.sql": "i season i player_games f mean_absolute_error f bias",
    "views/features.sql": "i position s feature f minimum f mean f maximum f default_percent",
    "views/layers_by_month.sql": "d month f phase3 f phase4",
    "views/phase4_sample.sql": "d game_date s player f points_avg_last_10 f usage_season i fatigue f mismatch f pace"
    " f usage_spike f opponent f total",
    "views/spot_check.sql": "s league_id s game_id s player s team i points f minutes f usage_rate s source",
    "views/top_scorers.sql": "d game_date s player s team s opponent i points f minutes f usage_rate f ts_pct s source",
    "views/usage_bins.sql": "f low f width i count",
}
# The one check whose numerator is no count, and those whose words stand beside their numbers.
ERRORS = ("baseline_error", "quality.")
DETAILED = (
    *("unplayed", "raw_uncounted", "misdated", "raw_sizes", "orphans"),
    *("top_scorers", "feature_constant", "feature_default_share"),
)


@dataclass(frozen=True)
class Emitted:
    """A statement, what tells it from the others, its table, and the columns that it has to yield with their types.

    ``why`` says why the reference evaluator does not run it; empty where it does.
    """

    statement: Statement
    mode: str
    table: Table | None = None
    columns: tuple[tuple[str, str], ...] = ()
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.statement.name.removesuffix('.sql')} {self.mode}".strip()


def _yields(words: str) -> tuple[tuple[str, str], ...]:
    parts = words.split()
    return tuple((name, TYPES[letter]) for letter, name in zip(parts[::2], parts[1::2], strict=True))


def _of_table(name: str, table: Table, mode: str = "", why: str = "", **names: object) -> Emitted:
    statement = render("nba", name, table=table, **names)
    return Emitted(statement, f"{table.name} {mode}".strip(), table, _yields(YIELDS.get(name, "")), why)


def _coverage() -> Iterator[Emitted]:
    for table in CATALOG.processed:
        read = [edge for edge in table.edges if edge.window]
        dated = [edge for edge in read if edge.table.layer is not Layer.RAW]
        for mode, some, rewritten in (("alone", [], False), ("inputs", dated, False), ("rewritten", read, True)):
            yield _of_table("coverage.sql", table, mode, inputs=some, rewritten=rewritten)


def _profiles() -> Iterator[Emitted]:
    """Those of a table's checks that some gates hold together, that a regression compares, or one alone; or of none."""
    compared = {check.of for check in CATALOG.checks}
    for table in CATALOG.tables.values():
        checks = [check for check in CATALOG.checks if check.table == table.name and profiled(check)]
        groups = {
            "+".join(gates): [check for check in checks if check.phase in gates]
            for count in range(len(CATALOG.phases), 0, -1)
            for gates in combinations(CATALOG.phases, count)
        }
        groups |= {"baseline": [check for check in checks if check.id in compared]}
        # What is asked of a table's own rows once they are written.
        grave = [check for check in checks if check.severity is Severity.CRITICAL and not check.scale]
        groups |= {"written": [check for check in grave if check.numerator]}
        groups |= {check.id: [check] for check in checks} | {"columns": []}
        for mode, some in groups.items():
            if not some and mode != "columns":
                continue
            filled = not some or any(check.measure == "columns filled" for check in some)
            columns = list(table.fill) if filled else []
            found = _of_table("profile.sql", table, mode, checks=some, columns=columns)
            counted = [check for check in some if check.numerator]
            parts = [
                f"{'f' if check.id.startswith(ERRORS) else 'i'} numerator_{place} i denominator_{place}"
                for place, check in enumerate(counted)
            ]
            words = ["d month i row_count i date_count", *parts, *(f"i filled_{column}" for column in columns)]
            yield Emitted(found.statement, found.mode, table, _yields(" ".join(words)))


def _checks() -> Iterator[Emitted]:
    for check in CATALOG.checks:
        if check.sql:
            table = CATALOG.tables.get(check.table)
            statement = render("nba", f"checks/{check.sql}.sql", table=table, catalog=CATALOG)
            words = f"{'f' if check.id.startswith(ERRORS) else 'i'} numerator i denominator"
            words += " s detail" if check.id.startswith(DETAILED) else ""
            yield Emitted(statement, check.id, table, _yields(words))


def _fingerprints() -> Iterator[Emitted]:
    for table in CATALOG.tables.values():
        columns = {name: kind for name, kind in table.columns.items() if name != WRITTEN}
        # Another table's date column may be gone, or all that was read before.
        yield _of_table("fingerprint.sql", table, "by date", columns=columns, dated=True)
        undated = {name: kind for name, kind in columns.items() if name != table.date_column}
        yield _of_table("fingerprint.sql", table, "undated", columns=undated, dated=False)
        yield _of_table("fingerprint.sql", table, "no columns", columns={}, dated=True)


def _writing() -> Iterator[Emitted]:
    for table in CATALOG.tables.values():
        copied = render("nba", "copy.sql", table=table, columns=list(table.columns))
        yield Emitted(copied, table.name, table, tuple(table.columns.items()))
        yield _of_table("create_table.sql", table, why="creates a table")
    for table in CATALOG.processed:
        columns = tuple(table.columns.items())
        insert = render("nba", "insert.sql", table=table)
        yield Emitted(insert, table.name, table, columns, "writes; its query is evaluated")
        yield Emitted(render("nba", f"processors/{table.name}.sql"), "", table, columns)
        delete = render("nba", "delete_dates.sql", table=table)
        yield Emitted(delete, table.name, table, (), "writes; the rows that it deletes are evaluated")
        # The rows that it deletes, so that both engines can be asked.
        rows = Statement(delete.name, delete.sql.replace("DELETE FROM", "SELECT * FROM"))
        yield Emitted(rows, f"{table.name} rows", table, columns)


def _single() -> Iterator[Emitted]:
    folder = LIBRARY / "nba" / "sql"
    for path in sorted([*folder.glob("views/*.sql"), *folder.glob("incident/*.sql"), folder / "calendar.sql"]):
        name = path.relative_to(folder).as_posix()
        writes = "" if name in YIELDS else "writes"
        yield Emitted(render("nba", name), "", None, _yields(YIELDS.get(name, "")), writes)
    newest = render("nba", "newest.sql", tables=CATALOG.processed)
    yield Emitted(newest, "", None, _yields(YIELDS["newest.sql"]))


def faults() -> Iterator[Emitted]:
    """The damage that a rehearsal does, to a copy of an embedded warehouse only: no partitions to prune there."""
    for path in sorted((LIBRARY / "nba" / "sql" / "faults").glob("*.sql")):
        whole = render("nba", f"faults/{path.name}")
        for place, part in enumerate(re.split(r"(?m)^;$", whole.sql), start=1):
            yield Emitted(Statement(whole.name, part.strip() + "\n"), str(place), None, (), "damages an embedded copy")


def emitted() -> tuple[Emitted, ...]:
    """Return all statements but the faults; what is the same text in two modes stands once, with both."""
    found: dict[tuple[str, str], Emitted] = {}
    for group in (_writing(), _coverage(), _checks(), _profiles(), _fingerprints(), _single()):
        for item in group:
            found.setdefault((item.statement.name, item.statement.sql), item)
    return tuple(found.values())


# Only ever DuckDB's own: files are read with it, and its file is filled by it.
OWN_DIALECT = {
    **{
        path.relative_to(LIBRARY).as_posix(): "reads files of real data"
        for path in sorted((LIBRARY / "nba" / "real_data").rglob("*.sql"))
    },
    "warehouse/duckdb.py": "opens the file, begins and ends transactions, takes raw tables from Arrow, lists columns",
}
