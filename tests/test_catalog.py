"""The catalog against what the SQL really does."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import courtbook
import duckdb
import pytest
import sqlglot
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Catalog, Check, Layer, Table, load_catalog
from courtbook.checks.runner import _MEASURES
from courtbook.nba.prepare import LOST
from courtbook.params import STEP_NAMES
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import render, to_duckdb
from sqlglot import exp

CATALOG = load_catalog()
PACKAGE = Path(courtbook.__file__).parent
PROCESSED = {table.name: table for table in CATALOG.processed}
CALENDAR = Calendar((GameDay(date(2024, 11, 20), 2024, date(2024, 10, 22), 5),), 14)
# What GoogleSQL puts into a column of a type without being asked.
FITS = {
    "STRING": {"VARCHAR"},
    "INT64": {"BIGINT", "INTEGER", "HUGEINT", "SMALLINT", "TINYINT"},
    "FLOAT64": {"DOUBLE", "FLOAT", "DECIMAL", "BIGINT", "INTEGER", "HUGEINT", "SMALLINT", "TINYINT"},
    "BOOL": {"BOOLEAN"},
    "DATE": {"DATE"},
    "TIMESTAMP": {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"},
    "ARRAY<STRING>": {"VARCHAR[]"},
    "ARRAY<FLOAT64>": {"DOUBLE[]"},
}


def levels(layer: Layer) -> list[set[str]]:
    return [{table.name for table in level} for level in CATALOG.levels(layer)]


def test_phase4_runs_in_three_levels() -> None:
    assert levels(Layer.PHASE4) == [
        {"team_defense_zone_analysis", "player_shot_zone_analysis"},
        {"player_daily_cache", "player_composite_factors"},
        {"ml_feature_store_v2"},
    ]


def test_phase3_runs_team_rows_before_players_before_context() -> None:
    assert levels(Layer.PHASE3) == [
        {"team_offense_game_summary", "team_defense_game_summary", "upcoming_team_game_context"},
        {"player_game_summary"},
        {"upcoming_player_game_context"},
    ]


@pytest.mark.parametrize("layer", [Layer.PHASE3, Layer.PHASE4])
def test_every_table_stands_after_those_that_it_reads(layer: Layer) -> None:
    seen: set[str] = set()
    for level in CATALOG.levels(layer):
        for table in level:
            inside = {name for name in table.reads if CATALOG.tables[name].layer is layer}
            assert inside <= seen
        seen |= {table.name for table in level}
    assert seen == {table.name for table in CATALOG.layer(layer)}


def test_no_layer_reads_a_later_one() -> None:
    order = list(Layer)
    for table in PROCESSED.values():
        assert all(order.index(CATALOG.tables[name].layer) <= order.index(table.layer) for name in table.reads)


def circle(**reads: tuple[str, ...]) -> Catalog:
    tables = {
        name: Table(name, "d", Layer.PHASE3, "day", ("day",), {"day": "DATE"}, reads=read)
        for name, read in reads.items()
    }
    return replace(CATALOG, tables=tables)


@pytest.mark.parametrize(
    ("reads", "named"),
    [
        ({"a": ("a",)}, ["a"]),
        ({"a": ("b",), "b": ("a",)}, ["a", "b"]),
        ({"a": ("b",), "b": ("c",), "c": ("a",), "d": ()}, ["a", "b", "c"]),
    ],
)
def test_circular_reads_are_named(reads: dict[str, tuple[str, ...]], named: list[str]) -> None:
    with pytest.raises(ValueError, match="circle") as caught:
        circle(**reads).levels(Layer.PHASE3)
    assert str(named) in str(caught.value)


def test_reads_of_other_layers_do_not_hold_a_table_back() -> None:
    found = circle(a=("nbac_schedule",), b=("a",)).levels(Layer.PHASE3)
    assert [[table.name for table in level] for level in found] == [["a"], ["b"]]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """Names and types of the columns that each processor yields over empty tables."""
    path = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    DuckDBWarehouse(path, create=True).create(CATALOG.tables.values())
    values = CALENDAR.values(CALENDAR.dates(), processed_at=datetime(2024, 11, 21))
    found = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for name in PROCESSED:
            sql, used = to_duckdb(render("nba", f"processors/{name}.sql").sql)
            done = connection.execute(sql, {key: values[key] for key in used})
            found[name] = [(column[0], str(column[1])) for column in done.description or ()]
    return found


@pytest.mark.parametrize("name", PROCESSED)
def test_a_processor_yields_the_columns_of_the_catalog_in_order(
    described: dict[str, list[tuple[str, str]]], name: str
) -> None:
    assert [column for column, _ in described[name]] == list(PROCESSED[name].columns)


@pytest.mark.parametrize("name", PROCESSED)
def test_a_processor_yields_values_that_fit_the_types_of_the_catalog(
    described: dict[str, list[tuple[str, str]]], name: str
) -> None:
    wrong = {
        column: kind
        for column, kind in described[name]
        if kind.partition("(")[0] not in FITS[PROCESSED[name].columns[column]]
    }
    assert wrong == {}


@pytest.mark.parametrize("name", PROCESSED)
def test_a_processor_reads_the_tables_that_it_declares(name: str) -> None:
    tree = sqlglot.parse_one(render("nba", f"processors/{name}.sql").sql, read="bigquery")
    read = {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}
    assert read == {CATALOG.tables[item].full_name for item in PROCESSED[name].reads}


@pytest.mark.parametrize("name", PROCESSED)
def test_an_expectation_never_asks_the_table_itself(name: str) -> None:
    expectation = PROCESSED[name].expectation
    assert expectation is not None
    sql = f"WITH {render('nba', f'expected/{expectation.rule}.sql').sql} SELECT * FROM expected"
    tables = sqlglot.parse_one(sql, read="bigquery").find_all(exp.Table)
    assert {table.db for table in tables if table.db} == {"nba_raw"}


@pytest.mark.parametrize("table", CATALOG.tables.values(), ids=lambda table: table.name)
def test_keys_dates_and_entities_are_columns(table: Table) -> None:
    assert set(table.key) <= set(table.columns)
    assert len(set(table.key)) == len(table.key)
    assert table.columns[table.date_column] == "DATE"
    assert table.dataset in ("nba_raw", "nba_analytics", "nba_precompute", "nba_predictions")
    assert table.full_name == f"{table.dataset}.{table.name}"
    if table.layer is not Layer.RAW:
        assert table.entity_column in table.key
        assert table.expectation is not None
        assert set(table.reads) <= set(CATALOG.tables)
        assert list(table.columns)[-1] == "processed_at"
    assert table.arrow_schema().names == list(table.columns)


def test_full_names_are_unique() -> None:
    assert len({table.full_name for table in CATALOG.tables.values()}) == len(CATALOG.tables) == 18
    assert len(CATALOG.processed) == 10


def test_ids_of_checks_are_unique() -> None:
    assert [name for name, count in Counter(check.id for check in CATALOG.checks).items() if count > 1] == []


@pytest.mark.parametrize("check", CATALOG.checks, ids=lambda check: check.id)
def test_a_check_can_be_run_and_understood(check: Check) -> None:
    assert check.measure in _MEASURES
    assert (check.measure in ("ratio", "count")) == bool(check.sql)
    if check.sql:
        places = [folder / "checks" / f"{check.sql}.sql" for folder in (PACKAGE / "sql", PACKAGE / "nba" / "sql")]
        assert sum(place.is_file() for place in places) == 1
    assert (check.minimum, check.maximum) != (None, None)
    assert check.minimum is None or check.maximum is None or check.minimum <= check.maximum
    if check.unit == "fraction":
        assert all(0 <= bound <= 1 for bound in (check.minimum, check.maximum) if bound is not None)
    assert check.table in {"", *CATALOG.tables}
    if "column" in check.names:
        assert check.names["column"] in CATALOG.tables[check.table].columns
    assert all((check.title, check.rule, check.source, check.repair))


def test_every_check_belongs_to_a_gate_that_somebody_looks_at() -> None:
    assert {check.phase for check in CATALOG.checks} == {"preflight", "phase3", "phase4", "ml"}
    assert set(CATALOG.gates) == {"phase3_backfill", "phase4_backfill"}
    assert all(CATALOG.checks_of(gate) for gate in CATALOG.gates.values())


@pytest.mark.parametrize("measure", ["coverage", "rows"])
def test_every_processed_table_is_checked_for_completeness(measure: str) -> None:
    assert {check.table for check in CATALOG.checks if check.measure == measure} == set(PROCESSED)


def test_steps_are_those_of_the_parameters_and_have_notebooks() -> None:
    assert tuple(step.name for step in CATALOG.steps) == STEP_NAMES
    numbers = [step.number for step in CATALOG.steps]
    assert numbers == sorted(set(numbers))
    notebooks = PACKAGE.parents[1] / "notebooks"
    assert {f"{step.notebook}.ipynb" for step in CATALOG.steps} == {path.name for path in notebooks.glob("*.ipynb")}


def test_the_incident_names_tables_of_the_catalog() -> None:
    assert set(LOST) <= set(PROCESSED)
