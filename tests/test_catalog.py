"""The catalog against what the SQL really does."""

import re
import shlex
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import courtbook
import duckdb
import pytest
import sqlglot
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Catalog, Check, Layer, Table, load_catalog
from courtbook.checks.measures import MEASURES
from courtbook.nba.prepare import LOST
from courtbook.params import STEP_NAMES
from courtbook.params_file import load_params
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


CATALOG_OF_THINGS = """
raw:
  counted: {{dataset: d, date_column: day, key: [day], columns: {{day: DATE}}}}
phase3:
  first:
    dataset: d
    date_column: day
    entity_column: day
    key: [day]
    reads: {{{reads}}}
    columns: {{day: DATE, n: INT64, m: INT64}}
    fill: {{n: 0.5}}
  other: {{dataset: d, date_column: day, entity_column: day, key: [day], reads: {{counted: }}, columns: {{day: DATE}}}}
steps: {{only: {{number: 7, title: The only one}}}}
"""
CHECKS_OF_THINGS = """
common: &common {phase: phase3, title: T, severity: warning, rule: R, source: S, causes: C, repair: R, command: C}
checks:
  - {id: rows, tables: [other, counted], sql: "rows/{table}", <<: *common}
  - {id: alone, <<: *common}
"""


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Catalog]:
    """A function that declares a domain of its own and reads its catalog."""

    def declared(reads: str) -> Catalog:
        domain = tmp_path.name  # a name of its own: packages and catalogs are kept
        folder = tmp_path / domain
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "catalog.yaml").write_text(CATALOG_OF_THINGS.format(reads=reads), encoding="utf-8")
        (folder / "checks.yaml").write_text(CHECKS_OF_THINGS, encoding="utf-8")
        monkeypatch.setattr(courtbook, "__path__", [*courtbook.__path__, str(tmp_path)])
        return load_catalog(domain)

    return declared


@pytest.mark.parametrize(
    ("reads", "above"),
    [("first: ", "first"), ("other: ", "other"), ("counted: , nowhere: ", "nowhere")],
    ids=["itself", "one below", "none"],
)
def test_a_table_reads_only_what_is_declared_above_it(
    declare: Callable[[str], Catalog], reads: str, above: str
) -> None:
    with pytest.raises(ValueError, match=f"first reads {above}, which must be declared above it"):
        declare(reads)


def test_another_domain_can_be_declared(declare: Callable[[str], Catalog]) -> None:
    found = declare("counted: {window: [same date, 3 days], join: {day: c.day}}")
    first = found.tables["first"]
    assert first.reads == ("counted",)
    assert first.edges[0].table is found.tables["counted"]
    assert (first.edges[0].window, first.edges[0].join) == (("same date", "3 days"), {"day": "c.day"})
    assert (first.fill, found.tables["other"].fill) == ({"n": 0.5, "m": 0.95}, {})
    assert [[table.name for table in level] for level in found.levels(Layer.PHASE3)] == [["first", "other"]]
    assert found.step("only").notebook == "07_only"
    assert [(check.id, check.table, check.sql) for check in found.checks] == [
        ("rows.other", "other", "rows/other"),
        ("rows.counted", "counted", "rows/counted"),
        ("alone", "", ""),
    ]


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


COUNTING = ("ratio", "count", "worst month")


def columns_of(expression: str, table: Table) -> set[str]:
    """Return the columns that an expression of a check names."""
    key, filled = (f"CONCAT({', '.join(table.key)})", " AND ".join(f"{name} IS NOT NULL" for name in table.key))
    written = expression.replace("{{ key }}", key).replace("{{ filled }}", filled)
    return {column.name for column in sqlglot.parse_one(written, read="bigquery").find_all(exp.Column)} - {"issue"}


@pytest.mark.parametrize("check", CATALOG.checks, ids=lambda check: check.id)
def test_a_check_can_be_run_and_understood(check: Check) -> None:
    assert check.measure in MEASURES
    assert bool(check.sql) + bool(check.numerator) == (check.measure in COUNTING)
    assert check.measure != "worst month" or check.numerator
    assert check.table in {"", *CATALOG.tables}
    if check.sql:
        places = [folder / "checks" / f"{check.sql}.sql" for folder in (PACKAGE / "sql", PACKAGE / "nba" / "sql")]
        assert sum(place.is_file() for place in places) == 1
    if check.numerator:
        table = CATALOG.tables[check.table]
        assert columns_of(check.numerator, table) | columns_of(check.denominator, table) <= set(table.columns)
        assert check.denominator == "COUNT(*)" or check.measure != "worst month"
    texts = (check.title, check.rule, check.source, check.causes, check.repair, check.command)
    assert all(text and "\n" not in text and "{{" not in text for text in (*texts, check.why or "-"))


@pytest.mark.parametrize("check", CATALOG.checks, ids=lambda check: check.id)
def test_the_bounds_of_a_check_make_sense(check: Check) -> None:
    assert (check.minimum, check.maximum) != (None, None)
    ordered = [bound for bound in (check.floor, check.minimum, check.maximum) if bound is not None]
    assert ordered == sorted(ordered)
    if check.unit == "fraction":
        assert all(0 <= bound <= 1 for bound in ordered)
    if check.scale:
        assert check.scale.keys() == {"by", "at"}
        assert check.scale["at"] > 0
        assert CALENDAR.amount(check.scale["by"]) > 0
        assert check.maximum is None


@pytest.mark.parametrize("check", [check for check in CATALOG.checks if check.of], ids=lambda check: check.id)
def test_a_regression_compares_what_another_check_of_its_table_counts(check: Check) -> None:
    of = next(item for item in CATALOG.checks if item.id == check.of)
    assert (check.measure, of.table, of.phase) == ("regression", check.table, check.phase)
    assert of.measure == "ratio"
    assert of.numerator
    assert check.values["dates"] > 0
    assert None not in (check.minimum, check.floor)


def test_regressions_and_only_they_compare_with_another_check() -> None:
    assert {check.id for check in CATALOG.checks if check.of} == {
        check.id for check in CATALOG.checks if check.measure == "regression"
    }


def test_what_follows_layer_three_by_the_week_names_a_table_of_it() -> None:
    for check in (check for check in CATALOG.checks if check.measure == "weeks"):
        assert CATALOG.tables[check.values[check.table]].layer is Layer.PHASE3
        assert CATALOG.tables[check.table].layer is Layer.PHASE4


@pytest.mark.parametrize("command", sorted({check.command for check in CATALOG.checks}))
def test_a_command_of_repair_names_steps_and_parameters_that_exist(tmp_path: Path, command: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(
        "name: try\nwarehouse: {path: w.duckdb}\nrange: {start: 2024-03-05, end: 2024-03-05}\n", encoding="utf-8"
    )
    program, *words = shlex.split(command.replace("DAY", "2024-03-05"))
    assert program in ("courtbook", "git")
    pairs = list(pairwise(words))
    assert {step for option, step in pairs if option in ("--from", "--to")} <= set(STEP_NAMES)
    assert {phase for option, phase in pairs if option == "--phase"} <= {"preflight", "3", "4", "ml"}
    read = load_params(file, [setting for option, setting in pairs if option == "--set"])
    assert read.name == "try"


def test_every_check_belongs_to_a_gate_that_somebody_looks_at() -> None:
    assert {check.phase for check in CATALOG.checks} == {"preflight", "phase3", "phase4", "ml"}
    assert set(CATALOG.gates) == {"phase3_backfill", "phase4_backfill"}
    assert all(CATALOG.checks_of(gate) for gate in CATALOG.gates.values())


WINDOW = re.compile(r"same date|season|[1-9]\d* (days|games)")


@pytest.mark.parametrize("table", PROCESSED.values(), ids=lambda table: table.name)
def test_what_a_table_reads_is_declared_with_how_far_it_looks_back(table: Table) -> None:
    for edge in table.edges:
        assert edge.window or (edge.table.layer is Layer.RAW and table.layer is Layer.PHASE4)
        # A window of games needs to know whose games they are.
        assert (edge.by in table.columns) == any(window.endswith("games") for window in edge.window)
        assert all(WINDOW.fullmatch(window) for window in edge.window)
        assert set(edge.join) <= set(edge.table.columns)
        own = {
            column.name
            for expression in edge.join.values()
            for column in sqlglot.parse_one(expression, read="bigquery").find_all(exp.Column)
        }
        assert own <= set(table.columns)
    assert all(0 <= share <= 1 for share in table.fill.values())
    assert set(table.fill) == set(table.columns) - set(table.key)


def test_only_tables_with_a_fallback_may_be_accepted_incomplete() -> None:
    assert {table.name for table in CATALOG.tables.values() if table.fallback} == {
        "upcoming_team_game_context",
        "upcoming_player_game_context",
    }


def test_every_check_proves_a_box_of_the_checklist_of_its_phase() -> None:
    kinds = {(check.phase, check.id.partition(".")[0]) for check in CATALOG.checks}
    boxes = [(item.phase, name) for item in CATALOG.checklist for name in item.checks]
    assert set(boxes) == kinds
    assert len(boxes) == len(set(boxes))
    assert len({(item.phase, item.item) for item in CATALOG.checklist}) == len(CATALOG.checklist)
    assert all(item.source and item.phase in ("preflight", "phase3", "phase4", "ml") for item in CATALOG.checklist)


@pytest.mark.parametrize("phase", ["phase3", "phase4", "ml"])
def test_every_phase_has_a_box_that_only_a_person_can_tick(phase: str) -> None:
    assert [item for item in CATALOG.checklist if item.phase == phase and not item.checks]


@pytest.mark.parametrize("measure", ["coverage", "rows", "partial", "gaps", "unexpected", "columns filled"])
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
