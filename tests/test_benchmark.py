"""The arithmetic behind docs/scale.md, and that its page names what a run sends."""

import re
import sys
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from courtbook.catalog import load_catalog
from courtbook.warehouse.statement import render

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from billing import LEAST, MIB, TABLES, Sizes, billed, scans  # noqa: E402

DAYS = [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)]
SCHEDULE = "nba_raw.nbac_schedule"


def test_values_count_as_bigquery_counts_them():
    store = TABLES["nba_predictions.ml_feature_store_v2"]
    with duckdb.connect() as connection:
        for dataset in {table.dataset for table in TABLES.values()}:
            connection.execute(f"CREATE SCHEMA {dataset}")
        for table in TABLES.values():
            connection.register("empty", table.arrow_schema().empty_table())
            connection.execute(f"CREATE TABLE {table.full_name} AS FROM empty")
        connection.execute(
            f"INSERT INTO {store.full_name} BY NAME SELECT * FROM (VALUES"
            " (DATE '2024-01-01', 'jokić', 7, TRUE, [0.5, 1.5], ['a', 'bcd'], now()),"
            " (DATE '2024-01-01', NULL, NULL, NULL, NULL, [], NULL))"
            " AS v(game_date, player_lookup, feature_count, is_home, features, feature_names, processed_at)"
        )
        sizes = Sizes.read(connection)
    found = sizes.frames[store.full_name].loc[DAYS[0]]
    assert found[found > 0].to_dict() == {
        "rows": 2, "game_date": 2 * 8, "player_lookup": 2 + 6, "feature_count": 8, "is_home": 1,
        "features": 2 * 8, "feature_names": (2 + 1) + (2 + 3), "processed_at": 8,
    }  # fmt: skip


@pytest.fixture
def sizes():
    """A schedule with 100 MiB a date in the column of the status and 1 MiB in each other."""
    columns = dict.fromkeys(TABLES[SCHEDULE].columns, [MIB] * 3) | {"rows": [1] * 3, "game_status": [100 * MIB] * 3}
    return Sizes({SCHEDULE: pd.DataFrame(columns, index=DAYS)})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # Two columns of two dates; what the inner query passes on and nobody uses is not read.
        ("SELECT game_id FROM (SELECT * FROM {t} WHERE game_date BETWEEN @a AND @b)", 2 * 2),
        # The same columns twice behind one filter count once, behind another filter once more.
        (
            "SELECT x.season_year FROM {t} AS x JOIN {t} AS y"
            " ON y.game_id = x.game_id AND y.game_date BETWEEN @a AND @b WHERE x.game_date BETWEEN @a AND @b",
            2 * 3,
        ),
        (
            "SELECT game_id FROM {t} WHERE game_date BETWEEN @a AND @b UNION ALL"
            " SELECT game_id FROM {t} WHERE game_date BETWEEN @a AND @c",
            2 * 2 + 3 * 2,
        ),
        ("SELECT COUNT(*) AS n FROM {t} WHERE game_status = 3", 3 * 100),
        ("SELECT n FROM {t} CROSS JOIN UNNEST([season_year]) AS n WHERE game_date BETWEEN @a AND @a", 1 * 2),
        ("SELECT COUNT(*) AS n FROM {t} WHERE game_date IS NULL OR game_date > CURRENT_DATE()", 0),
    ],
)
def test_only_named_columns_of_the_dates_that_are_read_count(sizes, sql, expected):
    values = dict(zip("abc", DAYS, strict=True))
    assert sizes.read_by(sql.format(t=SCHEDULE), values) == {SCHEDULE: expected * MIB}


def test_dates_that_are_deleted_count_with_all_columns(sizes):
    statement = "DELETE FROM {t} WHERE game_date BETWEEN @a AND @c AND game_date IN (SELECT day FROM UNNEST(@d) AS day)"
    whole = 100 + len(TABLES[SCHEDULE].columns) - 1
    found = sizes.read_by(statement.format(t=SCHEDULE), {"a": DAYS[0], "c": DAYS[2], "d": DAYS[:2]}, DAYS[:2])
    assert found == {SCHEDULE: (3 + 2 * whole) * MIB}


def test_each_table_is_billed_with_the_least_and_in_whole_megabytes():
    assert billed({"a": 1, "b": 0}) == 2 * LEAST
    assert billed({"a": 1, "b": 0}, 1000) == 2 * LEAST
    assert billed({"a": 2 * MIB, "b": 20 * MIB + 1}) == LEAST + 21 * MIB
    assert billed({"a": 2 * MIB, "b": 20 * MIB}, 10) == 220 * MIB


@pytest.mark.parametrize("table", load_catalog().processed, ids=lambda table: table.name)
def test_every_table_that_a_processor_reads_is_read_between_dates(table):
    assert all(len(scan.window) == 2 and scan.columns for scan in scans(render("nba", "insert.sql", table=table).sql))


def test_the_page_names_the_statements_of_a_run_and_no_others():
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    rows = page.partition("<!-- statements -->")[2].partition("<!-- end of statements -->")[0].splitlines()[3:]
    named = [pattern for row in rows for pattern in re.findall(r"`([^`]+\.sql)`", row.split("|")[2])]
    folders = (ROOT / "lib/courtbook/sql", ROOT / "lib/courtbook/nba/sql")
    files = {file.relative_to(folder).as_posix() for folder in folders for file in folder.rglob("*.sql")}
    # What other files include, what builds a warehouse, and what damages a copy of one.
    unsent = re.compile(r"(shared|expected|processors|incident|faults)/|create_table\.sql")
    sent = {name for name in files if not unsent.match(name)}
    matched = [(name, pattern) for name in sent for pattern in named if Path(name).match(pattern)]
    assert sorted(name for name, _ in matched) == sorted(sent)  # each by one
    assert {pattern for _, pattern in matched} == set(named)
