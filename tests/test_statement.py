"""Statements: what the translation keeps, and that no value ever becomes part of their text."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import courtbook
import duckdb
import pytest
from courtbook.calendar import Calendar, GameDay, read_calendar
from courtbook.catalog import Layer, load_catalog
from courtbook.checks.runner import run_checks
from courtbook.checks.scope import Scope, profiled
from courtbook.coverage import read_all
from courtbook.errors import ParameterError
from courtbook.params import Params, ThresholdParams
from courtbook.warehouse.base import Values
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement, _environment, render, to_duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CATALOG = load_catalog()
SQL = Path(courtbook.__file__).parent
CALENDAR = Calendar((GameDay(date(2024, 11, 20), 2024, date(2024, 10, 22), 5),), 14)
VALUES = {**CALENDAR.values(CALENDAR.dates(), processed_at=datetime(2024, 11, 21)), "rewritten": ["x/2024-11-20"]}
SMALL = st.integers(-12, 12)
QUICK = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory."""
    with duckdb.connect() as connection:
        yield connection


def value(engine: duckdb.DuckDBPyConnection, expression: str, **names: Any) -> Any:
    """Evaluate a GoogleSQL expression over named numbers."""
    columns = ", ".join(f"@{name} AS {name}" for name in names)
    sql, used = to_duckdb(f"SELECT {expression} AS result FROM (SELECT {columns}) AS given")
    assert used == set(names)
    row = engine.execute(sql, names).fetchone()
    assert row is not None
    return row[0]


def div(a: int, b: int) -> int:
    """Divide like GoogleSQL's DIV: towards zero."""
    return int(math.copysign(abs(a) // abs(b), a * b)) if a else 0


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("DIV(a, b)", lambda a, b, c: div(a, b)),
        ("DIV(a + c, b)", lambda a, b, c: div(a + c, b)),
        ("DIV((a + c), b)", lambda a, b, c: div(a + c, b)),
        ("DIV(a - c, b)", lambda a, b, c: div(a - c, b)),
        ("DIV(a * c, b)", lambda a, b, c: div(a * c, b)),
        ("DIV(a - 240, b)", lambda a, b, c: div(a - 240, b)),
        ("DIV(a, b * b)", lambda a, b, c: div(a, b * b)),
        ("DIV(DIV(a, b), b)", lambda a, b, c: div(div(a, b), b)),
        ("c - DIV(a, b)", lambda a, b, c: c - div(a, b)),
        ("DIV(a, b) / 10", lambda a, b, c: div(a, b) / 10),
        ("c * DIV(a, b)", lambda a, b, c: c * div(a, b)),
        ("c * DIV(DIV(a + c, b), b)", lambda a, b, c: c * div(div(a + c, b), b)),
        ("c * DIV(a - DIV(a + c, b), b * b)", lambda a, b, c: c * div(a - div(a + c, b), b * b)),
        ("MOD(a + c, b)", lambda a, b, c: int(math.fmod(a + c, b))),
        ("a / b", lambda a, b, c: a / b),
        ("c - (a - b)", lambda a, b, c: c - (a - b)),
        ("a / (b * 2) * c", lambda a, b, c: a / (b * 2) * c),
        ("SAFE_DIVIDE(a + c, b)", lambda a, b, c: (a + c) / b),
        ("c - SAFE_DIVIDE(a - c, b)", lambda a, b, c: c - (a - c) / b),
        ("2 * SAFE_DIVIDE(a, b + b) / 3", lambda a, b, c: 2 * (a / (b + b)) / 3),
        ("IF(a > c, a, c)", lambda a, b, c: max(a, c)),
        ("ABS(a - c)", lambda a, b, c: abs(a - c)),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
@given(a=SMALL, b=SMALL.filter(bool), c=SMALL)
@QUICK
def test_arithmetic_keeps_its_meaning(
    engine: duckdb.DuckDBPyConnection, expression: str, expected: Any, a: int, b: int, c: int
) -> None:
    names = {name: number for name, number in {"a": a, "b": b, "c": c}.items() if re.search(rf"\b{name}\b", expression)}
    assert value(engine, expression, **names) == pytest.approx(expected(a, b, c), abs=1e-12)


@given(a=SMALL, b=SMALL, c=SMALL)
@QUICK
def test_safe_divide_by_a_sum_that_is_zero_is_null(engine: duckdb.DuckDBPyConnection, a: int, b: int, c: int) -> None:
    found = value(engine, "SAFE_DIVIDE(a - b, b + c)", a=a, b=b, c=c)
    assert found == (None if b + c == 0 else pytest.approx((a - b) / (b + c)))


@pytest.mark.parametrize(("a", "b"), [(None, 2), (2, None), (None, None), (None, 0)])
@pytest.mark.parametrize("function", ["SAFE_DIVIDE(a, b)", "SAFE_DIVIDE(a + 1, b * 2)"])
def test_safe_divide_with_unknown_operands_is_unknown(
    engine: duckdb.DuckDBPyConnection, function: str, a: int | None, b: int | None
) -> None:
    assert value(engine, function, a=a, b=b) is None


@given(items=st.lists(SMALL, min_size=1, max_size=5), position=st.integers(0, 7))
@QUICK
def test_safe_offset_counts_from_zero(engine: duckdb.DuckDBPyConnection, items: list[int], position: int) -> None:
    found = value(engine, "items[SAFE_OFFSET(CAST(place AS INT64))]", items=items, place=position)
    assert found == (items[position] if position < len(items) else None)
    assert value(engine, "items[SAFE_OFFSET(0)]", items=items) == items[0]


@given(text=st.text("ab:", max_size=6))
@QUICK
def test_parts_of_minutes(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    parts = text.split(":")
    assert value(engine, "SPLIT(t, ':')[SAFE_OFFSET(0)]", t=text) == parts[0]
    assert value(engine, "SPLIT(t, ':')[SAFE_OFFSET(1)]", t=text) == (parts[1] if len(parts) > 1 else None)
    assert (value(engine, "STRPOS(t, ':')", t=text) > 0) == (":" in text)


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("-3", -3), ("DNP", None), ("", None), (None, None), ("1:2", None)]
)
def test_safe_cast_of_text(engine: duckdb.DuckDBPyConnection, text: str | None, number: int | None) -> None:
    assert value(engine, "SAFE_CAST(t AS INT64)", t=text) == number


def macro(name: str, *arguments: object) -> str:
    """Render a macro of the shared SQL."""
    listed = ", ".join(repr(argument) for argument in arguments)
    template = f"{{% from 'shared/macros.sql' import {name} %}}{{{{ {name}({listed}) }}}}"
    return _environment("nba").from_string(template).render()


@given(number=st.none() | st.floats(-30, 30), limit=st.integers(1, 20))
@QUICK
def test_clamp_keeps_unknown_values_unknown(
    engine: duckdb.DuckDBPyConnection, number: float | None, limit: int
) -> None:
    found = value(engine, macro("clamp", "x", limit), x=number)
    assert found == (None if number is None else pytest.approx(max(-limit, min(limit, number))))


@given(number=st.none() | st.sampled_from([-6.0, -5.0, -4.9, -2.0, -1.9, 0.0, 1.9, 2.0, 4.9, 5.0, 6.0]))
@QUICK
def test_steps(engine: duckdb.DuckDBPyConnection, number: float | None) -> None:
    found = value(engine, macro("steps", "x", 2, 5), x=number)
    if number is None:
        assert found is None
    else:
        size = 2 if abs(number) >= 5 else 1 if abs(number) >= 2 else 0
        assert float(found) == math.copysign(size, number) if size else float(found) == 0


@pytest.mark.parametrize(
    ("score", "tier"),
    [(100, "gold"), (95, "gold"), (94.9, "silver"), (75, "silver"), (74.9, "bronze"), (50, "bronze"), (49.9, "poor"),
     (25, "poor"), (24.9, "unusable"), (0, "unusable"), (None, "unusable")],
)  # fmt: skip
def test_quality_tiers(engine: duckdb.DuckDBPyConnection, score: float | None, tier: str) -> None:
    assert value(engine, macro("quality_tier", "x"), x=score) == tier


@given(items=st.lists(st.none() | SMALL, min_size=1, max_size=5))
@QUICK
def test_a_strict_sum_with_an_unknown_part_is_unknown(
    engine: duckdb.DuckDBPyConnection, items: list[int | None]
) -> None:
    sql, _ = to_duckdb(f"SELECT {macro('strict_sum', 'x')} FROM UNNEST(@items) AS x")
    row = engine.execute(sql, {"items": items}).fetchone()
    known = [item for item in items if item is not None]
    assert row == (sum(known) if len(known) == len(items) else None,)


@given(items=st.lists(st.none() | SMALL, max_size=5), limit=SMALL)
@QUICK
def test_conditions_that_are_unknown_count_for_nothing(
    engine: duckdb.DuckDBPyConnection, items: list[int | None], limit: int
) -> None:
    sql, _ = to_duckdb(
        "SELECT COUNTIF(x > @limit) AS a, COUNTIF(NOT (x > @limit OR x IS NULL)) AS b, 2 * COUNTIF(x > @limit) + 1 AS c"
        " FROM UNNEST(@items) AS x"
    )
    row = engine.execute(sql, {"items": items, "limit": limit}).fetchone()
    above = sum(item is not None and item > limit for item in items)
    assert row == (above, sum(item is not None and item <= limit for item in items), 2 * above + 1)


@pytest.mark.parametrize("condition", ["x > 0", "x > 0 AND y", "NOT y", "x BETWEEN 0 AND 5 OR y"])
def test_a_count_where_no_condition_is_known_is_zero_and_not_unknown(
    engine: duckdb.DuckDBPyConnection, condition: str
) -> None:
    nothing = "FROM (SELECT CAST(NULL AS INT64) AS x, CAST(NULL AS BOOL) AS y) AS t"
    sql, _ = to_duckdb(f"SELECT COUNTIF({condition}) AS n, SUM(COUNTIF({condition})) OVER () AS w {nothing}")
    assert engine.execute(sql).fetchall() == [(0, 0)]
    sql, _ = to_duckdb(f"SELECT COUNTIF({condition}) AS n {nothing} WHERE FALSE")
    assert engine.execute(sql).fetchall() == [(0,)]


@given(a=st.dates(date(2020, 1, 1), date(2026, 1, 1)), b=st.dates(date(2020, 1, 1), date(2026, 1, 1)))
@QUICK
def test_dates(engine: duckdb.DuckDBPyConnection, a: date, b: date) -> None:
    assert value(engine, "DATE_DIFF(a, b, DAY)", a=a, b=b) == (a - b).days
    assert value(engine, "FORMAT_DATE('%Y%m%d', a)", a=a) == f"{a:%Y%m%d}"
    assert value(engine, "CAST(DATE_TRUNC(a, MONTH) AS DATE)", a=a) == a.replace(day=1)
    assert value(engine, "UNIX_DATE(a)", a=a) == (a - date(1970, 1, 1)).days
    assert value(engine, "DATE_SUB(a, INTERVAL 7 DAY) < b", a=a, b=b) == ((a - b).days < 7)


def test_parameters_are_found_by_name() -> None:
    sql, names = to_duckdb("SELECT @a + @b AS x, '@c' AS t FROM UNNEST(@dates) AS d WHERE d > @a -- @e")
    assert names == {"a", "b", "dates"}
    assert "$a" in sql
    assert "'@c'" in sql


def test_a_table_loses_its_partitions_only() -> None:
    sql, names = to_duckdb(render("nba", "create_table.sql", table=CATALOG.tables["ml_feature_store_v2"]).sql)
    assert not names
    assert "PARTITION" not in sql.upper()
    assert "IF NOT EXISTS nba_predictions.ml_feature_store_v2" in sql


STATEMENTS: dict[str, tuple[Statement, Mapping[str, Any]]] = {
    "newest.sql": (render("nba", "newest.sql", tables=CATALOG.processed), VALUES)
}
for _table in CATALOG.processed:
    for _name in ("insert.sql", "delete_dates.sql"):
        STATEMENTS[f"{_name}/{_table.name}"] = (render("nba", _name, table=_table), VALUES)
    _read = [edge for edge in _table.edges if edge.window]
    _dated = [edge for edge in _read if edge.table.layer is not Layer.RAW]
    for _name, _inputs, _new in (("", _dated, False), (" rewritten", _read, True), (" alone", [], False)):
        STATEMENTS[f"coverage.sql/{_table.name}{_name}"] = (
            render("nba", "coverage.sql", table=_table, inputs=_inputs, rewritten=_new),
            VALUES,
        )
for _table in CATALOG.tables.values():
    STATEMENTS[f"create_table.sql/{_table.name}"] = (render("nba", "create_table.sql", table=_table), {})
    STATEMENTS[f"profile.sql/{_table.name}"] = (
        render(
            "nba",
            "profile.sql",
            table=_table,
            checks=[check for check in CATALOG.checks if check.table == _table.name and profiled(check)],
            columns=list(_table.fill),
        ),
        VALUES,
    )
    _dated_one = _table.date_column in _table.columns
    STATEMENTS[f"fingerprint.sql/{_table.name}"] = (
        render("nba", "fingerprint.sql", table=_table, columns=_table.columns, dated=_dated_one),
        {"first_date": date(2024, 1, 1), "last_date": date(2024, 6, 1)} if _dated_one else {},
    )
for _check in CATALOG.checks:
    if _check.sql:
        STATEMENTS[f"check/{_check.id}"] = (
            render("nba", f"checks/{_check.sql}.sql", table=CATALOG.tables.get(_check.table), catalog=CATALOG),
            {
                **CALENDAR.values(CALENDAR.dates()),
                "range_start": CALENDAR.dates()[0],
                "range_end": CALENDAR.dates()[-1],
            },
        )
for _file in sorted((SQL / "nba" / "sql" / "views").glob("*.sql")):
    STATEMENTS[f"view/{_file.stem}"] = (
        render("nba", f"views/{_file.name}"),
        {
            **CALENDAR.values(CALENDAR.dates()),
            "bootstrap_days": 14,
            **({"games": ["0022400061"]} if _file.stem == "spot_check" else {}),
        },
    )
_WINDOW = {"first_date": date(2024, 1, 1), "last_date": date(2024, 6, 1)}
STATEMENTS["calendar"] = (render("nba", "calendar.sql"), {**_WINDOW, "seasons_from": date(2023, 1, 1)})
STATEMENTS["all_star_dates"] = (render("nba", "incident/all_star_dates.sql"), {**_WINDOW, "last_season": 2023})
STATEMENTS["count_all_star"] = (
    render("nba", "incident/count_all_star.sql"),
    {**_WINDOW, "dates": [date(2024, 2, 18)], "counts": True},
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """A warehouse with all tables and no rows."""
    warehouse = DuckDBWarehouse(tmp_path_factory.mktemp("empty") / "empty.duckdb", create=True)
    warehouse.create(CATALOG.tables.values())
    return warehouse


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_translates_and_runs_on_empty_tables(empty: DuckDBWarehouse, name: str) -> None:
    statement, values = STATEMENTS[name]
    assert to_duckdb(statement.sql)[1] <= set(values)
    assert "{{" not in statement.sql
    assert "{%" not in statement.sql
    empty.apply([(statement, values)])


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_contains_a_date_of_its_own(name: str) -> None:
    code = re.sub(r"--.*", "", STATEMENTS[name][0].sql)
    assert not re.search(r"\b(19|20)\d\d-?[01]\d-?[0-3]\d\b", code)


def test_a_missing_name_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(Exception, match="undefined"):
        render("nba", "checks/games.sql")


def test_values_never_reach_the_text_of_a_statement(
    league_warehouse: Path, warehouse_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ranges, thresholds and games apart: the same statements, letter by letter."""
    texts: list[str] = []
    execute = DuckDBWarehouse._execute

    def spying(self: DuckDBWarehouse, statement: Statement, values: Values) -> Any:
        texts.append(statement.sql)
        return execute(self, statement, values)

    monkeypatch.setattr(DuckDBWarehouse, "_execute", spying)
    seen = []
    for start, end, days, game in (
        (date(2024, 1, 8), date(2024, 1, 14), 14, "0022300001"),
        (date(2024, 11, 11), date(2024, 11, 13), 9, "'); DROP TABLE nba_raw.nbac_schedule; --"),
    ):
        texts.clear()
        params = warehouse_params.model_copy(
            update={
                "range": warehouse_params.range.model_copy(update={"start": start, "end": end}),
                "bootstrap_days": days,
                "thresholds": {"usage_rate": ThresholdParams(minimum=days / 20)},
            }
        )
        warehouse = DuckDBWarehouse(league_warehouse)
        calendar = read_calendar(warehouse, params)
        read = read_all(warehouse, CATALOG.processed, calendar)
        assert read.keys() == {table.name for table in CATALOG.processed}
        run_checks(Scope(CATALOG, warehouse, calendar, params, declared=CATALOG.checks), CATALOG.checks)
        found = warehouse.query(
            render("nba", "views/spot_check.sql"), {**calendar.values(calendar.dates()), "games": [game]}
        )
        assert len(found) == 0
        seen.append(list(texts))
    assert seen[0] == seen[1]
    assert len(seen[0]) > 60
    assert "nba_raw.nbac_schedule" in warehouse.columns()


def test_a_range_without_games_reaches_no_statement(league_warehouse: Path, warehouse_params: Params) -> None:
    summer = warehouse_params.range.model_copy(update={"start": date(2024, 8, 1), "end": date(2024, 8, 31)})
    with pytest.raises(ParameterError, match="No game that counts"):
        read_calendar(DuckDBWarehouse(league_warehouse), warehouse_params.model_copy(update={"range": summer}))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of translations."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    to_duckdb.cache_clear()
    return tmp_path / "courtbook" / "sql"


def test_a_translation_is_kept_and_read_back(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = to_duckdb("SELECT DIV(@a + 1, 2) AS half")
    (file,) = kept.iterdir()
    to_duckdb.cache_clear()
    monkeypatch.setattr("courtbook.warehouse.statement._translate", None)  # nothing is translated again
    assert to_duckdb("SELECT DIV(@a + 1, 2) AS half") == first
    assert first[1] == {"a"}
    assert [path.name for path in kept.iterdir()] == [file.name]


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"sql": "SELECT 2"}', '{"sql": "SELECT'])
def test_a_damaged_translation_is_made_anew(kept: Path, damage: str) -> None:
    first = to_duckdb("SELECT COUNTIF(x) AS n FROM t")
    (file,) = kept.iterdir()
    whole = file.read_text()
    file.write_text(damage)
    to_duckdb.cache_clear()
    assert to_duckdb("SELECT COUNTIF(x) AS n FROM t") == first
    assert file.read_text() == whole


def test_another_version_of_the_translator_shares_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_duckdb("SELECT 1 AS one")
    to_duckdb.cache_clear()
    monkeypatch.setattr("courtbook.warehouse.statement._translator", lambda: b"another")
    to_duckdb("SELECT 1 AS one")
    assert len(list(kept.iterdir())) == 2


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_where_nothing_can_be_kept_it_is_translated_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    to_duckdb.cache_clear()
    assert to_duckdb("SELECT 1 AS one") == ("SELECT 1 AS one", frozenset())
