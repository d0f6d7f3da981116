"""Google's own analyzer reads every statement against the schemas of the catalog."""

import re
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from courtbook.catalog import Layer, load_catalog
from courtbook.checks.scope import profiled
from courtbook.warehouse.statement import render, to_duckdb

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("googlesql")]
CATALOG = load_catalog()
SQL = Path(__file__).resolve().parents[1] / "lib" / "courtbook" / "nba" / "sql"
PARAMETERS = {
    "dates": "ARRAY<DATE>", "first_date": "DATE", "last_date": "DATE", "history_from": "DATE", "seasons_from": "DATE",
    "skip_days": "INT64", "min_games": "INT64", "bootstrap_days": "INT64", "last_season": "INT64",
    "processed_at": "TIMESTAMP", "games": "ARRAY<STRING>", "counts": "BOOL", "day": "DATE",
    "range_start": "DATE", "range_end": "DATE", "rewritten": "ARRAY<STRING>",
}  # fmt: skip


def statements():
    for table in CATALOG.processed:
        read = [edge for edge in table.edges if edge.window]
        dated = [edge for edge in read if edge.table.layer is not Layer.RAW]
        for ends, some, rewritten in (("inputs", dated, False), ("rewritten", read, True), ("alone", [], False)):
            names = {"table": table, "inputs": some, "rewritten": rewritten}
            yield pytest.param("coverage.sql", names, id=f"coverage-{table.name}-{ends}")
        for name in ("delete_dates", "insert"):
            yield pytest.param(f"{name}.sql", {"table": table}, id=f"{name}-{table.name}")
    for table in CATALOG.tables.values():
        checks = [check for check in CATALOG.checks if check.table == table.name and profiled(check)]
        for name, some in [("profile", checks), *((f"profile-{check.id}", [check]) for check in checks)]:
            names = {"table": table, "checks": some, "columns": list(table.fill)}
            yield pytest.param("profile.sql", names, id=f"{name}-{table.name}")
    for check in CATALOG.checks:
        if check.sql:
            names = {"table": CATALOG.tables.get(check.table), "catalog": CATALOG}
            yield pytest.param(f"checks/{check.sql}.sql", names, id=f"check-{check.id}")
    for table in CATALOG.tables.values():
        for dated in (True, False):
            names = {"table": table, "columns": table.columns, "dated": dated}
            yield pytest.param("fingerprint.sql", names, id=f"fingerprint-{table.name}-{'dates' if dated else 'whole'}")
    yield pytest.param(
        "fingerprint.sql", {"table": CATALOG.processed[0], "columns": {}, "dated": True}, id="no-columns"
    )
    yield pytest.param("newest.sql", {"tables": CATALOG.processed}, id="newest")
    for path in chain(SQL.glob("views/*.sql"), SQL.glob("incident/*.sql"), SQL.glob("calendar.sql")):
        yield pytest.param(path.relative_to(SQL).as_posix(), {}, id=path.stem)


@pytest.fixture(scope="module")
def analyze():
    """A function that analyses a statement and returns names and types of its columns."""
    from zetasql.api import Analyzer, CatalogBuilder, TableBuilder, TypeFactory
    from zetasql.types import AnalyzerOptions, LanguageOptions, TypeKind, ZetaSQLBuiltinFunctionOptions

    kinds = {
        "STRING": TypeKind.TYPE_STRING, "INT64": TypeKind.TYPE_INT64, "FLOAT64": TypeKind.TYPE_DOUBLE,
        "BOOL": TypeKind.TYPE_BOOL, "DATE": TypeKind.TYPE_DATE, "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
    }  # fmt: skip

    def kind(name):
        if name.startswith("ARRAY<"):
            return TypeFactory.create_array_type(kind(name[6:-1]))
        return TypeFactory.create_simple_type(kinds[name])

    language = LanguageOptions.maximum_features()
    builder = CatalogBuilder("warehouse")
    for table in CATALOG.tables.values():
        declared = TableBuilder(table.name)
        for column, name in table.columns.items():
            declared = declared.add_column(column, kind(name))
        builder = builder.add_table(declared.build())
    functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
    parameters = [AnalyzerOptions.QueryParameter(name=name, type=kind(of)) for name, of in PARAMETERS.items()]
    options = AnalyzerOptions(language_options=language, query_parameters=parameters)
    analyzer = Analyzer(options, builder.with_builtin_functions(functions).build())
    names_of = {int(value): name for name, value in kinds.items()}

    def run(sql):
        # The analyzer's catalog is flat; names of tables are unique without their dataset.
        resolved = analyzer.analyze_statement(re.sub(r"\bnba_(raw|analytics|precompute|predictions)\.", "", sql))
        columns = getattr(resolved, "output_column_list", None) or []
        return [(item.name, names_of.get(item.column.type.type_kind, "ARRAY")) for item in columns]

    return run


@pytest.mark.parametrize(("name", "names"), statements())
def test_statement_is_googlesql(analyze, name, names):
    analyze(render("nba", name, **names).sql)


@pytest.mark.parametrize("path", sorted(SQL.glob("faults/*.sql")), ids=lambda path: path.stem)
def test_fault_is_googlesql(analyze, path):
    for part in re.split(r"(?m)^;$", render("nba", f"faults/{path.name}").sql):
        if not re.search(r"(?m)^(ALTER|CREATE|DROP)\b", part):
            analyze(part)


@pytest.mark.parametrize("table", CATALOG.processed, ids=lambda table: table.name)
def test_processor_yields_the_declared_columns_and_types(analyze, table):
    found = analyze(render("nba", f"processors/{table.name}.sql").sql)
    assert found == [(column, kind.partition("<")[0]) for column, kind in table.columns.items()]


def test_the_analyzer_refuses_what_is_not_googlesql(analyze):
    with pytest.raises(Exception, match="Unrecognized name: nonsense"):
        analyze("SELECT nonsense FROM nba_raw.nbac_schedule")


@pytest.fixture(scope="module")
def evaluate():
    """A function that runs a statement without parameters in Google's reference evaluator and returns its rows."""
    from zetasql.api import CatalogBuilder, PreparedQuery
    from zetasql.types import AnalyzerOptions, LanguageOptions, ZetaSQLBuiltinFunctionOptions

    language = LanguageOptions.maximum_features()
    functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
    catalog = CatalogBuilder("nothing").with_builtin_functions(functions).build()
    builder = PreparedQuery.builder().set_analyzer_options(AnalyzerOptions(language_options=language))

    def run(sql):
        with builder.set_catalog(catalog).set_sql(sql).prepare() as query:
            rows = query.execute().content.table_data.row
        return [tuple(cell.string_value or cell.int64_value for cell in row.cell) for row in rows]

    return run


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
def test_the_reference_evaluator_finds_the_fingerprints_that_duckdb_finds(evaluate, columns, dated):
    table = SimpleNamespace(full_name="things", date_column="day")
    sql = THINGS + render("nba", "fingerprint.sql", table=table, columns=columns, dated=dated).sql
    sql = sql.replace("@first_date", "DATE '2024-01-01'").replace("@last_date", "DATE '2024-01-04'")
    with duckdb.connect() as connection:
        ours = connection.execute(to_duckdb(sql)[0]).fetchall()
    assert [row[:2] for row in ours] == (
        [("2024-01-01", 2), ("2024-01-02", 1), ("2024-01-03", 2)] if dated else [("undated", 6)]
    )
    assert evaluate(sql) == ours


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e300", "0.3", "1e-300"])
def test_the_reference_evaluator_takes_any_number(evaluate, number):
    table = SimpleNamespace(full_name="things", date_column="day")
    columns = {"f": "FLOAT64", "numbers": "ARRAY<FLOAT64>"}
    things = f"WITH things AS (SELECT f, [f, f] AS numbers FROM (SELECT CAST('{number}' AS FLOAT64) AS f))\n"
    ((day, rows, digest),) = evaluate(
        things + render("nba", "fingerprint.sql", table=table, columns=columns, dated=False).sql
    )
    assert (day, rows, len(digest)) == ("undated", 1, 64)
