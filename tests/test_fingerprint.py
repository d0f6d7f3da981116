"""Fingerprints of tables: any change of content shows, on its date; order and time of writing do not."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from courtbook.backfill.sql import replace_dates
from courtbook.calendar import read_calendar
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.errors import CourtbookError, Reason, WarehouseError
from courtbook.fingerprint import Fingerprint, differences, read_fingerprints
from courtbook.params import Params
from courtbook.warehouse.duckdb import DuckDBWarehouse
from hypothesis import given, settings
from hypothesis import strategies as st

CATALOG = load_catalog()
SUMMARY = CATALOG.tables["player_game_summary"]
FIRST, LAST = date(2024, 1, 1), date(2024, 1, 31)
DAY, NEXT = "2024-01-10", "2024-01-11"
SOME = f"SELECT player_lookup FROM {SUMMARY.full_name} WHERE game_date = DATE '{DAY}' AND points"

Prints = dict[str, Fingerprint]


def read(params: Params, *tables: Table, **more: Any) -> Prints:
    return read_fingerprints(DuckDBWarehouse(Path(params.warehouse.path)), tables, FIRST, LAST, **more)


def edit(params: Params, *statements: str) -> None:
    with duckdb.connect(params.warehouse.path) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def january(league_warehouse: Path) -> Prints:
    """The fingerprints of all tables of the league in one month."""
    return read_fingerprints(DuckDBWarehouse(league_warehouse), CATALOG.tables.values(), FIRST, LAST)


def test_every_table_is_read_by_date_with_one_query_each(league_warehouse: Path, january: Prints) -> None:
    warehouse = DuckDBWarehouse(league_warehouse)
    again = read_fingerprints(warehouse, CATALOG.tables.values(), FIRST, LAST)
    assert warehouse.queries == len(CATALOG.tables) + 1
    assert again == january
    with duckdb.connect(str(league_warehouse), read_only=True) as connection:
        for name, table in CATALOG.tables.items():
            days = connection.execute(
                f"SELECT {table.date_column}::VARCHAR, count(*) FROM {table.full_name}"
                f" WHERE {table.date_column} BETWEEN DATE '{FIRST}' AND DATE '{LAST}' GROUP BY ALL"
            ).fetchall()
            assert {day: rows for day, (rows, _) in january[name].dates.items()} == dict(days), name
            assert january[name].rows == sum(rows for _, rows in days), name
            assert january[name].columns == tuple(column for column in table.columns if column != "processed_at")
    assert len(january["player_game_summary"].dates) > 20


CHANGES = {
    "a changed value": (
        f"UPDATE $t SET points = points + 1 WHERE $d AND player_lookup = ({SOME} > 5 ORDER BY 1 LIMIT 1)",
        f"1 date changed ({DAY})",
    ),
    "a value of a list": (
        "UPDATE $t SET quality_issues = list_append(quality_issues, 'x') WHERE $d",
        f"1 date changed ({DAY})",
    ),
    "values swapped between two rows": (
        f"UPDATE $t SET points = CASE points WHEN a THEN b ELSE a END FROM (SELECT min(points) AS a, max(points) AS b"
        f" FROM $t WHERE $d) WHERE $d AND player_lookup IN (({SOME} = a ORDER BY 1 LIMIT 1),"
        f" ({SOME} = b ORDER BY 1 LIMIT 1))",
        f"1 date changed ({DAY})",
    ),
    "two columns swapped": (
        "ALTER TABLE $t RENAME points TO keep; ALTER TABLE $t RENAME minutes_played TO points;"
        "ALTER TABLE $t RENAME keep TO minutes_played",
        "dates changed (2024-01-01 .. 2024-01-31)",
    ),
    "a row twice": (
        "INSERT INTO $t SELECT * FROM $t WHERE $d ORDER BY player_lookup LIMIT 1",
        f"1 date changed ({DAY}), {{more}} rows instead of {{rows}}",
    ),
    "all rows twice": ("INSERT INTO $t SELECT * FROM $t WHERE $d", f"1 date changed ({DAY}), "),
    "a row gone": (
        f"DELETE FROM $t WHERE $d AND player_lookup = ({SOME} > 5 ORDER BY 1 LIMIT 1)",
        f"1 date changed ({DAY}), {{less}} rows instead of {{rows}}",
    ),
    "a row moved to another date": (
        f"UPDATE $t SET game_date = DATE '{NEXT}' WHERE $d AND player_lookup = ({SOME} > 5 ORDER BY 1 LIMIT 1)",
        f"2 dates changed ({DAY} .. {NEXT})",
    ),
    "a date gone": ("DELETE FROM $t WHERE $d", f"1 date gone ({DAY}), "),
    "a date out of the range": ("UPDATE $t SET game_date = DATE '1999-01-01' WHERE $d", f"1 date gone ({DAY}), "),
    "a date lost": ("UPDATE $t SET game_date = NULL WHERE $d", f"1 date gone ({DAY}), "),
    "no rows at all": ("DELETE FROM $t", "dates gone (2024-01-01 .. 2024-01-31), 0 rows instead of {rows}"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_shows_on_its_date(copy_warehouse: Callable[[], Params], january: Prints, change: str) -> None:
    statement, words = CHANGES[change]
    params = copy_warehouse()
    edit(params, statement.replace("$t", SUMMARY.full_name).replace("$d", f"game_date = DATE '{DAY}'"))
    then = {SUMMARY.name: january[SUMMARY.name]}
    rows = then[SUMMARY.name].rows
    assert rows is not None
    now = read(params, SUMMARY)
    (line,) = differences(then, now)
    assert words.format(rows=f"{rows:,}", more=f"{rows + 1:,}", less=f"{rows - 1:,}") in line
    assert line.startswith(f"{SUMMARY.name}: ")
    assert now[SUMMARY.name].digest != then[SUMMARY.name].digest


SAME = {
    "another order": "CREATE TABLE o AS FROM $t ORDER BY points DESC, player_lookup; DELETE FROM $t;"
    "INSERT INTO $t FROM o",
    "a newer time of writing": "UPDATE $t SET processed_at = processed_at + INTERVAL 1 DAY",
    "no time of writing": "ALTER TABLE $t DROP processed_at",
    "a column that nobody declared": "ALTER TABLE $t ADD COLUMN extra VARCHAR DEFAULT 'x'",
    "columns in another order": "ALTER TABLE $t ADD COLUMN c BIGINT; UPDATE $t SET c = points;"
    "ALTER TABLE $t DROP points; ALTER TABLE $t RENAME c TO points",
    "dates outside the range": "UPDATE $t SET points = points + 1"
    " WHERE game_date NOT BETWEEN '2024-01-01' AND '2024-01-31'",
}


@pytest.mark.parametrize("change", SAME)
def test_what_is_not_content_does_not_show(copy_warehouse: Callable[[], Params], january: Prints, change: str) -> None:
    params = copy_warehouse()
    edit(params, SAME[change].replace("$t", SUMMARY.full_name))
    assert read(params, SUMMARY)[SUMMARY.name] == january[SUMMARY.name]


def test_dates_written_anew_with_the_same_content_keep_their_fingerprint(
    copy_warehouse: Callable[[], Params], january: Prints
) -> None:
    params = copy_warehouse()
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    calendar = read_calendar(warehouse, params)
    days = [date.fromisoformat(DAY), date.fromisoformat(NEXT)]
    for table in CATALOG.processed:
        replace_dates(warehouse, table, calendar, days, processed_at=datetime(2030, 1, 1))
    with duckdb.connect(params.warehouse.path) as connection:
        newest = connection.execute(f"SELECT max(processed_at)::VARCHAR FROM {SUMMARY.full_name}").fetchone()
    assert newest is not None
    assert str(newest[0]).startswith("2030-01-01")
    assert differences(january, read(params, *CATALOG.tables.values())) == ()


def test_a_table_that_is_gone_or_new_is_named(copy_warehouse: Callable[[], Params], january: Prints) -> None:
    params = copy_warehouse()
    edit(params, f"DROP TABLE {SUMMARY.full_name}")
    now = read(params, SUMMARY)
    assert now[SUMMARY.name] == Fingerprint(SUMMARY.name, None, "", {})
    then = {SUMMARY.name: january[SUMMARY.name]}
    assert differences(then, now) == ("player_game_summary is gone",)
    assert differences(now, then) == ("player_game_summary is new",)
    assert differences(now, now) == ()


def test_an_empty_table_is_not_a_missing_one(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"DELETE FROM {SUMMARY.full_name}")
    empty = read(params, SUMMARY)
    assert (empty[SUMMARY.name].rows, empty[SUMMARY.name].dates) == (0, {})
    edit(params, f"DROP TABLE {SUMMARY.full_name}")
    assert differences(empty, read(params, SUMMARY)) == ("player_game_summary is gone",)


def test_a_lost_column_is_named_even_where_no_date_is_left(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"DELETE FROM {SUMMARY.full_name}")
    then = read(params, SUMMARY)
    edit(params, f"ALTER TABLE {SUMMARY.full_name} DROP points")
    assert differences(then, read(params, SUMMARY)) == ("player_game_summary: column points gone",)


def test_a_lost_column_of_dates_leaves_the_table_as_a_whole(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    table = CATALOG.tables["player_daily_cache"]
    then = read(params, table)
    edit(params, f"ALTER TABLE {table.full_name} DROP {table.date_column}")
    now = read(params, table)
    assert list(now[table.name].dates) == ["undated"]
    (line,) = differences(then, now)
    assert line.startswith(f"{table.name}: column cache_date gone, {len(then[table.name].dates)} dates gone (")
    assert ", 1 new (undated), " in line
    edit(
        params,
        f"DELETE FROM {table.full_name} WHERE player_lookup = (SELECT min(player_lookup) FROM {table.full_name})",
    )
    assert "1 date changed (undated), " in differences(now, read(params, table))[0]


def test_a_table_without_any_declared_column_still_has_its_rows_counted(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"CREATE OR REPLACE TABLE {SUMMARY.full_name} AS SELECT * FROM range(3) AS t(other)")
    now = read(params, SUMMARY)[SUMMARY.name]
    assert (now.rows, now.columns) == (3, ())


def test_a_column_declared_since_then_changes_nothing_if_the_same_ones_are_asked_for(
    copy_warehouse: Callable[[], Params], january: Prints
) -> None:
    params = copy_warehouse()
    edit(params, f"ALTER TABLE {SUMMARY.full_name} ADD COLUMN pace DOUBLE DEFAULT 1.5")
    today = replace(SUMMARY, columns={"pace": "FLOAT64", **SUMMARY.columns})
    then = {SUMMARY.name: january[SUMMARY.name]}
    assert differences(then, read(params, today, then=january)) == ()
    (line,) = differences(then, read(params, today))
    assert line.startswith("player_game_summary: column pace new, ")
    edit(params, f"ALTER TABLE {SUMMARY.full_name} DROP points")
    (line,) = differences(then, read(params, today, then=january))
    assert line.startswith("player_game_summary: column points gone, ")


def test_a_recorded_name_that_is_no_column_never_reaches_the_statement(league_warehouse: Path, january: Prints) -> None:
    forged = replace(january[SUMMARY.name], columns=("points", "1)))), (SELECT 1"))
    now = read_fingerprints(DuckDBWarehouse(league_warehouse), [SUMMARY], FIRST, LAST, then={SUMMARY.name: forged})
    assert now[SUMMARY.name].columns == ("points",)


def test_a_range_that_ends_before_it_begins_is_refused(league_warehouse: Path) -> None:
    with pytest.raises(CourtbookError, match="before it begins") as caught:
        read_fingerprints(DuckDBWarehouse(league_warehouse), [SUMMARY], LAST, FIRST)
    assert caught.value.reason is Reason.BAD_PARAMETER


def test_a_statement_that_fails_is_an_error(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"CREATE OR REPLACE TABLE {SUMMARY.full_name} AS SELECT [1] AS game_date, 2 AS points")
    with pytest.raises(WarehouseError, match=r"fingerprint\.sql") as caught:
        read(params, *CATALOG.processed)
    assert caught.value.reason is Reason.QUERY_FAILED


def test_records_survive_json_and_are_canonical(january: Prints) -> None:
    for item in january.values():
        text = json.dumps(item.record(), sort_keys=True)
        assert Fingerprint.from_record(json.loads(text)) == item
    item = january[SUMMARY.name]
    turned = replace(item, dates=dict(reversed(item.dates.items())))
    assert json.dumps(turned.record()) == json.dumps(item.record())
    gone = Fingerprint("t", None, "", {})
    assert Fingerprint.from_record(gone.record()) == gone


GOOD = Fingerprint("t", 3, "d" * 64, {"2024-01-01": (1, "a"), "2024-01-02": (2, "b")}, ("x",)).record()


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {key: value for key, value in GOOD.items() if key != "columns"},
        {**GOOD, "rows": 4},
        {**GOOD, "rows": None},
        {**GOOD, "digest": ""},
        {**GOOD, "dates": {"2024-01-01": [3]}},
        {**GOOD, "dates": {"2024-01-01": ["3", "a"]}},
        {**GOOD, "dates": [3]},
        {**GOOD, "columns": "x"},
        {**GOOD, "columns": None},
        {**GOOD, "more": 1},
    ],
    ids=str,
)
def test_a_record_of_another_form_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(CourtbookError, match="not the fingerprint of a table") as caught:
        Fingerprint.from_record(bad)
    assert caught.value.reason is Reason.BAD_FILE


def prints(days: str, rows: int = 9, digest: str = "d") -> Prints:
    """Return one fingerprint; each letter is the content of a day of January, a blank a day without rows."""
    dates = {f"2024-01-{number:02}": (1, letter) for number, letter in enumerate(days, 1) if letter != " "}
    return {"t": Fingerprint("t", rows, digest, dates)}


@pytest.mark.parametrize(
    ("then", "now", "line"),
    [
        (
            prints("aaa aaaa"),
            prints("aba bb a"),
            "t: 3 dates changed (2024-01-02 .. 2024-01-06), 1 gone (2024-01-07)",
        ),
        (
            prints("aaa"),
            prints("b  xx", 8),
            "t: 1 date changed (2024-01-01), 2 gone (2024-01-02 .. 2024-01-03), 2 new (2024-01-04 .. 2024-01-05),"
            " 8 rows instead of 9",
        ),
        (prints("a"), prints("aa", 1_000), "t: 1 date new (2024-01-02), 1,000 rows instead of 9"),
        (prints("a"), prints("a", digest="e"), "t: another digest, although its dates agree"),
        (prints("a"), {}, "t was read then only"),
        ({}, prints("a"), "t was read now only"),
    ],
)
def test_differences_in_words(then: Prints, now: Prints, line: str) -> None:
    assert differences(then, now) == (line,)


def test_only_tables_that_differ_are_named(january: Prints) -> None:
    other = replace(january["nbac_schedule"], digest="0")
    (line,) = differences(january, {**january, "nbac_schedule": other})
    assert line.startswith("nbac_schedule: ")
    assert differences(january, dict(reversed(january.items()))) == ()


THINGS = Table(
    name="things",
    dataset="lab",
    layer=Layer.RAW,
    date_column="day",
    key=("s",),
    columns={
        "day": "DATE", "s": "STRING", "u": "STRING", "n": "INT64", "f": "FLOAT64", "b": "BOOL", "t": "TIMESTAMP",
        "words": "ARRAY<STRING>", "numbers": "ARRAY<FLOAT64>",
    },
)  # fmt: skip
BOTH = (THINGS, replace(THINGS, name="others"))
TEXT = st.sampled_from(
    [None, "", "null", "a", '"', "a,b", '","', "é", "e\u0301", "\u2028", "\\", "\x00", "NaN"]
) | st.text(st.characters(exclude_categories=("Cs",)), max_size=3)
NUMBER = st.sampled_from(
    [0.0, -0.0, 0.1 + 0.2, 0.3, 0.300001, 1.0, 5e-324, 1e22, float("nan"), float("inf"), float("-inf")]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.sampled_from([date(2024, 1, 1), date(2024, 1, 2)]),
            "s": TEXT,
            "u": TEXT,
            "n": st.sampled_from([None, 0, 1, 2**53, 2**53 + 1, -(2**63)]),
            "f": st.none() | NUMBER,
            "b": st.sampled_from([None, True, False]),
            "t": st.sampled_from([None, datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 0, 1)]),
            "words": st.sampled_from([None, [], [""], ["a", "b"], ["a,b"], ["b", "a"], ["null"]]),
            "numbers": st.none() | st.lists(NUMBER, max_size=2),
        }
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    """A warehouse with two small tables of every type, held open for all examples."""
    warehouse = DuckDBWarehouse(tmp_path_factory.mktemp("things") / "unité 1.duckdb", create=True)
    warehouse.create(BOTH)
    with warehouse.session(write=True):
        yield warehouse


def content(row: dict[str, Any]) -> str:
    """Return what counts of a row, in words that differ where the content does."""

    def number(value: float | None) -> float | None:
        return None if value is None else round(value, 6) + 0.0

    numbers = None if row["numbers"] is None else list(map(number, row["numbers"]))
    return repr(sorted({**row, "f": number(row["f"]), "numbers": numbers}.items()))


def fill(warehouse: DuckDBWarehouse, *contents: list[dict[str, Any]]) -> list[Fingerprint]:
    """Return the fingerprints of tables that hold these rows, all under one name."""
    schema = BOTH[0].arrow_schema()
    pairs = [(table, pa.Table.from_pylist(rows, schema=schema)) for table, rows in zip(BOTH, contents, strict=False)]
    warehouse.refill(pairs)
    found = read_fingerprints(warehouse, [table for table, _ in pairs], FIRST, LAST)
    return [replace(item, table="things") for item in found.values()]


@st.composite
def two(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rows, and either the same in another order or almost the same."""
    rows = draw(ROWS)
    other = [dict(row) for row in draw(st.permutations(rows))]
    kind = draw(st.sampled_from(["order", "value", "swap", "copy", "drop", "anything"]))
    if kind == "anything":
        return rows, draw(ROWS)
    if other and kind != "order":
        place = draw(st.integers(0, len(other) - 1))
        column = draw(st.sampled_from(sorted(THINGS.columns)))
        if kind == "value":
            given_rows = draw(ROWS.filter(bool))
            other[place][column] = given_rows[0][column]
        elif kind == "swap":
            other[0][column], other[place][column] = other[place][column], other[0][column]
        elif kind == "copy":
            other.append(other[place])
        else:
            del other[place]
    return rows, other


@settings(max_examples=100, deadline=None)
@given(pair=two())
def test_equal_rows_and_equal_fingerprints_are_the_same(
    things: DuckDBWarehouse, pair: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    one, other = pair
    first, second = fill(things, one, other)
    assert (first == second) == (Counter(map(content, one)) == Counter(map(content, other)))
    assert (first.digest == second.digest) == (first == second) == (not differences({"t": first}, {"t": second}))


@pytest.mark.parametrize("column", ["s", "words", "f", "numbers"])
def test_values_that_look_alike_differ(things: DuckDBWarehouse, column: str) -> None:
    nan, inf = float("nan"), float("inf")
    alike: dict[str, list[Any]] = {
        "s": [None, "", "null", "NULL", " ", "\x00", "\\u0000", "é", "e\u0301"],
        "words": [None, [], [""], ["null"], ["a", "b"], ["a,b"], ['a","b']],
        "f": [None, nan, inf, -inf, 0.0, 0.3, 0.300001, 1.0, 1e15, 1e15 + 1],
        "numbers": [
            *(None, [], [nan], [inf], [0.3], [0.300001], [0.3, 0.4], [0.4, 0.3]),
            *([0.0] * 31, [0.0] * 32, [0.0] * 33, [*[0.0] * 31, 1.0], [*[0.0] * 32, 1.0]),
        ],
    }
    found = {fill(things, [{"day": FIRST, column: value}])[0].digest for value in alike[column]}
    assert len(found) == len(alike[column])


@pytest.mark.parametrize(
    ("column", "value", "noisy"),
    [
        ("f", 0.3, 0.1 + 0.2),
        ("f", 0.0, -0.0),
        ("f", 0.0, -1e-17),
        ("numbers", [0.3, 0.0], [0.1 + 0.2, -1e-17]),
    ],
)
def test_the_last_digits_of_a_sum_do_not_count(
    things: DuckDBWarehouse, column: str, value: object, noisy: object
) -> None:
    assert (
        len({item.digest for item in fill(things, [{"day": FIRST, column: value}], [{"day": FIRST, column: noisy}])})
        == 1
    )
