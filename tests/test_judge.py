"""The judge: every statement is GoogleSQL to Google's own analyzer, and both engines make the same rows of it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import nbformat
import pyarrow as pa
import pytest
from courtbook.archive import open_run
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import load_catalog
from courtbook.params import Params
from courtbook.params_file import load_params
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.stand_ins import StandIns
from courtbook.warehouse.statement import Statement, _environment, render, to_duckdb
from judge.google import TABLES, Google
from judge.league import BAD, ODD, contents, damage, differences, inject, make, rows
from judge.statements import LIBRARY, OWN_DIALECT, Emitted, emitted, faults
from production_shape import production_tables
from small_run import ROOT, Small

pytestmark = pytest.mark.slow
CATALOG = load_catalog()
EMITTED, FAULTS = emitted(), tuple(faults())


def name(item: Emitted) -> str:
    return item.id


@dataclass
class Verdict:
    """What became of one statement."""

    compiled: bool = False
    rows: int | None = None
    differences: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def verdicts() -> Iterator[Mapping[str, Verdict]]:
    """What became of each statement; the list of it is written when all are judged."""
    found = {item.id: Verdict() for item in (*EMITTED, *FAULTS)}
    yield found
    lines = [f"{'statement':<72}{'compiled':>9}{'rows':>8}{'differences':>12}"]
    for item in (*EMITTED, *FAULTS):
        verdict = found[item.id]
        told = f"  {item.why}" if verdict.rows is None else f"{verdict.rows:>8,}{len(verdict.differences):>12,}"
        lines += [f"{item.id:<72}{'yes' if verdict.compiled else 'no':>9}{told}"]
        lines += [f"    {words}" for words in verdict.differences[:3]]
    lines += ["", "Not GoogleSQL by design, DuckDB's own:", *(f"{file}: {why}" for file, why in OWN_DIALECT.items())]
    judged = [verdict for verdict in found.values() if verdict.rows is not None]
    summary = f"statements {len(found)}, compiled {sum(item.compiled for item in found.values())}, "
    compared = f"evaluated {len(judged)}, equal {sum(not item.differences for item in judged)}"
    rest = f", analysed only {len(found) - len(judged)}"
    lines += [summary + (compared + rest if judged else "rows are compared by the thorough tests")]
    file = ROOT / "test-artifacts" / "judge.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def google() -> Google:
    return Google()


@pytest.fixture(scope="module")
def undated(google: Google) -> int:
    """A catalog whose tables have all lost the column of their date."""
    return google.register(
        columns={
            name: {column: kind for column, kind in table.columns.items() if column != table.date_column}
            for name, table in TABLES.items()
        }
    )


@pytest.fixture(scope="module")
def production(google: Google) -> int:
    """A catalog with the operator's own tables."""
    return google.register(columns={name: table["columns"] for name, table in production_tables().items()})


@pytest.mark.parametrize("item", EMITTED, ids=name)
def test_statement_is_googlesql(google: Google, undated: int, verdicts: Mapping[str, Verdict], item: Emitted) -> None:
    found = google.analyze(item.statement.sql, undated if item.mode.endswith("undated") else 0)
    verdicts[item.id].compiled = True
    assert found.columns == item.columns
    assert not found.unpruned, "the production tables refuse a query without a condition on their partitions"
    if item.statement.name.startswith(("processors/", "insert")):
        assert item.table is not None
        assert found.scanned == set(item.table.reads)
    elif item.statement.name in ("delete_dates.sql", "profile.sql", "fingerprint.sql", "copy.sql"):
        assert item.table is not None
        assert found.scanned == {item.table.name}


@pytest.mark.parametrize("item", FAULTS, ids=name)
def test_fault_is_googlesql(google: Google, verdicts: Mapping[str, Verdict], item: Emitted) -> None:
    google.analyze(item.statement.sql.replace("_kept", ""))  # a table that the statement before it renames
    verdicts[item.id].compiled = True


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nonsense FROM nba_raw.nbac_schedule", "Unrecognized name: nonsense"),
        ("SELECT game_id FROM nba_analytics.nbac_schedule", "nba_analytics.nbac_schedule"),
        ("SELECT ABS(game_id) FROM nba_raw.nbac_schedule", "No matching signature"),
    ],
)
def test_what_is_not_googlesql_is_refused(google: Google, sql: str, words: str) -> None:
    with pytest.raises(Exception, match=words):
        google.analyze(sql)


SCHEDULE = "SELECT 1 FROM nba_raw.nbac_schedule AS s"


@pytest.mark.parametrize(
    ("sql", "pruned"),
    [
        (SCHEDULE, False),
        (f"{SCHEDULE} WHERE game_date BETWEEN @first_date AND @last_date", True),
        (f"{SCHEDULE} WHERE game_date IS NULL OR game_date > DATE_ADD(CURRENT_DATE(), INTERVAL 7 DAY)", True),
        (f"{SCHEDULE} WHERE game_date IN UNNEST(@dates) AND is_playoffs", True),
        (f"{SCHEDULE} WHERE game_date = @day OR is_playoffs", False),
        (f"{SCHEDULE} WHERE game_date IN (SELECT day FROM UNNEST(@dates) AS day)", False),
        (f"{SCHEDULE} JOIN UNNEST(@dates) AS day ON s.game_date = day", False),
        (f"{SCHEDULE} RIGHT JOIN UNNEST(@dates) AS day ON day = s.game_date AND s.game_date <= @last_date", False),
        (f"SELECT day FROM UNNEST(@dates) AS day LEFT JOIN ({SCHEDULE} WHERE game_date <= @last_date) ON TRUE", True),
        (f"{SCHEDULE} LEFT JOIN UNNEST(@dates) AS day ON day = s.game_date AND s.game_date <= @last_date", False),
        (f"{SCHEDULE} WHERE EXTRACT(YEAR FROM game_date) = 2024", False),
        ("DELETE FROM nba_raw.nbac_schedule WHERE game_id = 'x'", False),
        ("SELECT (SELECT COUNT(*) FROM nba_raw.nbac_schedule)", False),
    ],
)
def test_a_scan_of_all_partitions_is_seen(google: Google, sql: str, pruned: bool) -> None:
    assert google.analyze(sql).unpruned == (set() if pruned else {"nbac_schedule"})


READING = [
    item
    for item in EMITTED
    if item.statement.name.startswith(("coverage", "checks/", "views/", "calendar", "newest")) or "+" in item.mode
]


@pytest.mark.parametrize("item", READING, ids=name)
def test_statement_is_googlesql_over_the_operators_tables(google: Google, production: int, item: Emitted) -> None:
    fit = StandIns("nba", lambda: {name: table["columns"] for name, table in production_tables().items()})
    assert not google.analyze(fit(item.statement.sql), production).unpruned


@dataclass(frozen=True)
class League:
    """A warehouse that both engines hold, and what is asked about it."""

    connection: duckdb.DuckDBPyConnection
    catalog: int
    values: Mapping[str, Any]
    calendar: Calendar

    def ask(self, google: Google, item: Emitted, **changed: Any) -> tuple[list[Any], list[str]]:
        """Return the rows of the reference evaluator, and where those of DuckDB differ."""
        values = {**self.values, **changed}
        columns, theirs = google.evaluate(item.statement.sql, values, self.catalog)
        sql, names = to_duckdb(item.statement.sql)
        ours = rows(self.connection, sql, columns.values(), {name: values[name] for name in names})
        return theirs, differences(columns, theirs, ours)

    def about(self, item: Emitted, dates: list[date] | None = None) -> dict[str, Any]:
        """Return what a statement is given about its table: some dates, by default all, and the table's own rule."""
        asked = dates or list(self.calendar.dates())
        if item.table is not None and item.table.expectation:
            return dict(self.calendar.table_values(item.table, asked))
        return dict(self.calendar.values(asked))


@pytest.fixture(scope="module")
def leagues(
    google: Google, league_tables: Mapping[str, pa.Table], warehouse_params: Params, tmp_path_factory: Any
) -> Iterator[dict[str, League]]:
    """The small league as it is; damaged; and with what is no finite number besides."""
    path = tmp_path_factory.mktemp("judge") / "small.duckdb"
    params = make(path, league_tables, warehouse_params)
    calendar = read_calendar(DuckDBWarehouse(path), params)
    dates, span = calendar.dates(), params.range
    values = {
        **calendar.values(dates, processed_at=datetime(2025, 1, 1)),
        "range_start": span.start,
        "range_end": span.end,
        "seasons_from": span.start - timedelta(days=400),
        "bootstrap_days": params.bootstrap_days,
        "last_season": 2023,
        "day": date(2023, 11, 20),
        "games": ["0022300002", "0022300061", "0022300064"],
        "rewritten": [f"{table}/{day}" for table in CATALOG.tables for day in dates[5:40:9]],
    }
    made = {}
    for kind in ("sound", "damaged", "odd"):
        if made:
            path = Path(shutil.copyfile(path, path.with_name(f"{kind}.duckdb")))
        connection = duckdb.connect(str(path))
        connection.execute("SET TimeZone = 'UTC'")
        if kind == "damaged":
            damage(connection, BAD, doubles="r % 67 = 0")
            inject(connection, values)
        elif kind == "odd":
            damage(connection, ODD)
        connection.execute("CHECKPOINT")
        made[kind] = League(connection, google.register(contents(connection)), values, calendar)
    yield made
    for league in made.values():
        league.connection.close()


@pytest.mark.thorough
@pytest.mark.parametrize("item", [item for item in EMITTED if not item.why], ids=name)
def test_both_engines_make_the_same_rows(
    google: Google, verdicts: Mapping[str, Verdict], leagues: Mapping[str, League], item: Emitted
) -> None:
    sound = leagues["sound"]
    dates = list(sound.calendar.dates())
    if item.statement.name.startswith("processors/"):
        asked = [("sound", dates), ("sound", dates[21:22]), ("damaged", dates)]
    elif item.statement.name.startswith(("checks/", "views/")):
        asked = [("sound", dates), ("odd", dates)]
    else:
        asked = [("odd", dates)]
    found = [leagues[league].ask(google, item, **sound.about(item, some)) for league, some in asked]
    verdict = verdicts[item.id]
    verdict.compiled = True
    verdict.rows = sum(len(theirs) for theirs, _ in found)
    verdict.differences = [words for _, wrong in found for words in wrong]
    assert all(theirs for theirs, _ in found), "there is nothing to compare"
    assert not verdict.differences
    if item.statement.name.startswith("checks/"):
        assert found[0][0] != found[1][0], "the damage leaves it cold"


@pytest.mark.thorough
def test_every_statement_is_on_the_list(google: Google, verdicts: Mapping[str, Verdict]) -> None:
    for item in (*EMITTED, *FAULTS):
        if not verdicts[item.id].compiled:
            google.analyze(item.statement.sql.replace("_kept", ""))
            verdicts[item.id].compiled = True
    assert len(verdicts) == len(EMITTED) + len(FAULTS), "two statements share a name"


def test_differences_are_seen() -> None:
    columns = {"day": "DATE", "value": "FLOAT64"}
    day = date(2024, 1, 1)
    assert differences(columns, [(day, 1.0), (day, 2.0)], [(day, 2.0 + 1e-10), (day, 1.0)]) == []
    assert differences(columns, [(day, 1.0)], [(day, 1.0 + 1e-7)])
    assert differences(columns, [(day, 1.0)], [(day, None)])
    assert differences(columns, [(day, float("nan"))], [(day, float("inf"))])
    assert differences(columns, [(day, 1.0)], [])
    assert differences({"ok": "BOOL"}, [(True,)], [(1,)])


def test_every_statement_that_a_run_sends_is_among_those_that_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, str] = {}
    execute = DuckDBWarehouse._execute

    def record(self: DuckDBWarehouse, statement: Statement, values: Any) -> Any:
        sent[statement.sql] = statement.name
        return execute(self, statement, values)

    monkeypatch.setattr(DuckDBWarehouse, "_execute", record)
    small = Small.make(tmp_path)
    assert small.here("prepare", small.params).returncode == 0
    steps = [step.name for step in CATALOG.steps]
    with chdir(ROOT), open_run(load_params(Path(small.params)), small.runs, "small", steps) as (run, _):
        for notebook in sorted(Path("notebooks").glob("*.ipynb")):
            names: dict[str, Any] = {}
            for cell in nbformat.read(notebook, 4).cells:
                if cell.cell_type == "code":
                    exec(compile(cell.source, notebook.name, "exec"), names)
                    if "tags" in cell.metadata and "parameters" in cell.metadata.tags:
                        names |= {"params_file": small.params, "run_dir": str(run)}
    judged = {item.statement.sql for item in EMITTED}
    assert {text: name for text, name in sent.items() if text not in judged} == {}
    written = {name.partition("/")[0] for name in sent.values()}
    assert {"coverage.sql", "profile.sql", "checks", "views", "insert.sql", "fingerprint.sql"} <= written


def test_every_sql_file_of_the_package_is_judged_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[Path] = set()
    source = jinja2.PackageLoader.get_source

    def record(self: jinja2.PackageLoader, environment: jinja2.Environment, template: str) -> Any:
        found = source(self, environment, template)
        read.add(Path(found[1]).resolve())
        return found

    monkeypatch.setattr(jinja2.PackageLoader, "get_source", record)
    _environment.cache_clear()
    emitted()
    tuple(faults())
    own = {(LIBRARY / file).resolve() for file in OWN_DIALECT}
    assert {path for path in LIBRARY.rglob("*.sql") if path.resolve() not in read | own} == set()


THINGS = """\
WITH things AS (
  SELECT DATE '2024-01-01' AS day, 'x' AS s, 1 AS n, TRUE AS b, ['a'] AS words, 1.5 AS f, [0.5, 1.5] AS numbers
  UNION ALL SELECT DATE '2024-01-01', 'null', NULL, NULL, NULL, NULL, NULL
  UNION ALL SELECT DATE '2024-01-02', 'a "quoted", é', 9007199254740991, FALSE, ['b', 'c'], 0.1 + 0.2, [0.25]
  UNION ALL SELECT DATE '2024-01-03', NULL, -2, FALSE, [], -1.25, [0.5]
  UNION ALL SELECT DATE '2024-01-03', '', -2, FALSE, [''], CAST('1e-9' AS FLOAT64) + 0.125, [0.5]
  UNION ALL SELECT DATE '2024-01-05', 'outside', 1, TRUE, ['a'], 1.5, [0.5]
)
"""


@pytest.mark.parametrize(
    "columns",
    [
        {"day": "DATE", "s": "STRING", "n": "INT64", "b": "BOOL", "words": "ARRAY<STRING>"},
        {"f": "FLOAT64", "numbers": "ARRAY<FLOAT64>"},
        {},
    ],
)
@pytest.mark.parametrize("dated", [True, False])
def test_both_engines_find_the_same_fingerprints(google: Google, columns: dict[str, str], dated: bool) -> None:
    table = SimpleNamespace(full_name="things", date_column="day")
    sql = THINGS + render("nba", "fingerprint.sql", table=table, columns=columns, dated=dated).sql
    values = {"first_date": date(2024, 1, 1), "last_date": date(2024, 1, 4)}
    text, names = to_duckdb(sql)
    with duckdb.connect() as connection:
        ours = connection.execute(text, {name: values[name] for name in names}).fetchall()
    assert [row[:2] for row in ours] == (
        [("2024-01-01", 2), ("2024-01-02", 1), ("2024-01-03", 2)] if dated else [("undated", 6)]
    )
    assert google.evaluate(sql, values)[1] == ours


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e300", "0.3", "1e-300", "-0.0", "25.0", "-1234567.891"])
def test_both_engines_fingerprint_any_number(google: Google, number: str) -> None:
    table = SimpleNamespace(full_name="things", date_column="day")
    columns = {"f": "FLOAT64", "numbers": "ARRAY<FLOAT64>"}
    things = f"WITH things AS (SELECT f, [f, f] AS numbers FROM (SELECT CAST('{number}' AS FLOAT64) AS f))\n"
    sql = things + render("nba", "fingerprint.sql", table=table, columns=columns, dated=False).sql
    with duckdb.connect() as connection:
        assert google.evaluate(sql, {})[1] == connection.execute(to_duckdb(sql)[0]).fetchall()
