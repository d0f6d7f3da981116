"""BigQuery as a warehouse: what it is asked, what comes back, and what it may cost."""

import io
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bigquery_answers import Answer, Request
from bigquery_calls import DAY, DELETE, INSERT, READ, ROWS, TABLE, VALUES, WRITES, Open, calls, opener, replay
from bigquery_server import BigQueryServer
from courtbook.calendar import read_calendar
from courtbook.catalog import load_catalog
from courtbook.coverage import read_all
from courtbook.errors import CourtbookError, ExitCode
from courtbook.params import Params
from courtbook.warehouse.bigquery import BigQueryWarehouse
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement, render
from small_run import Small

CATALOG = load_catalog()
N = {"n": "INT64"}


# What every request carries.


def test_a_query_is_named_labelled_capped_and_located(server: BigQueryServer, connect: Open) -> None:
    server.on("SELECT", Answer(N, [(3,)], bytes=5))
    warehouse, told = connect(maximum_bytes_billed=20_000_000, timeout=77), []
    warehouse.listener = told.append
    frame = warehouse.query(READ, VALUES)
    warehouse.query(READ, VALUES)
    first, second = server.submitted()
    reference, settings = first.body["jobReference"], first.configuration
    assert frame["n"].tolist() == [3]
    assert frame.attrs["job"] == reference["jobId"] != second.body["jobReference"]["jobId"]
    assert reference["location"] == "US"
    assert reference["jobId"].startswith("courtbook-20260102t030405z-")
    assert settings["labels"] == {
        "tool": "courtbook", "run": "20260102t030405z--ber", "step": "30_phase4_backfill", "table": "t",
    }  # fmt: skip
    assert int(settings["query"]["maximumBytesBilled"]) == 20_000_000
    assert (int(settings["jobTimeoutMs"]), settings["query"]["useLegacySql"]) == (77_000, False)
    assert [(item["name"], item["parameterType"]["type"]) for item in settings["query"]["queryParameters"]] == [
        ("day", "DATE")
    ]
    assert [(query.name, query.job, query.bytes, query.failed) for query in told[:1]] == [
        ("read.sql", reference["jobId"], 10 * 2**20, False)
    ]


def test_what_is_written_is_one_transaction_under_the_given_id(server: BigQueryServer, connect: Open) -> None:
    connect(maximum_bytes_billed=20_000_000).apply(WRITES, job="courtbook-run-t-abc-1")
    [sent] = server.submitted()
    assert sent.sql == f"BEGIN TRANSACTION;\n{DELETE.sql};\n{INSERT.sql};\nCOMMIT TRANSACTION;\n"
    assert sent.body["jobReference"]["jobId"] == "courtbook-run-t-abc-1"
    assert sent.configuration["labels"]["table"] == "t"
    assert int(sent.configuration["query"]["maximumBytesBilled"]) == 20_000_000
    [parameter] = sent.configuration["query"]["queryParameters"]
    assert parameter["parameterType"] == {"type": "ARRAY", "arrayType": {"type": "DATE"}}
    assert parameter["parameterValue"] == {"arrayValues": [{"value": "2024-11-05"}]}


def test_every_statement_is_written_with_its_own_values(server: BigQueryServer, connect: Open) -> None:
    """Both statements have the parameter; each was given a value of its own, as DuckDB would use it."""
    other = date(2024, 11, 6)
    try:
        connect().apply([(DELETE, {"dates": [DAY]}), (INSERT, {"dates": [other]})])
    except (CourtbookError, ValueError):
        assert not server.submitted()  # to refuse it is as good
    else:
        [sent] = server.submitted()
        assert str(DAY) in str(sent.body)
        assert str(other) in str(sent.body)


def test_threads_do_not_mix_their_jobs(server: BigQueryServer, connect: Open) -> None:
    def answer(request: Request) -> Answer:
        threading.Event().wait(0.05)  # meanwhile the other threads begin
        return Answer({"sql": "STRING"}, [(request.sql,)], bytes=int(request.sql.split()[1]) * 2**20)

    server.on("SELECT", answer)
    warehouse, told = connect(), []
    warehouse.listener = told.append
    texts = [f"SELECT {number} AS n" for number in range(11, 17)]
    with ThreadPoolExecutor(6) as pool:
        frames = list(pool.map(lambda text: warehouse.query(Statement("read.sql", text)), texts))
    jobs = {request.body["jobReference"]["jobId"]: request.sql for request in server.submitted()}
    assert [frame["sql"].iloc[0] for frame in frames] == texts
    assert [jobs[frame.attrs["job"]] for frame in frames] == texts
    assert {query.job: query.bytes for query in told} == {job: int(sql.split()[1]) * 2**20 for job, sql in jobs.items()}


@pytest.mark.parametrize("polls", [0, 2])
def test_everything_works_in_a_region(monkeypatch: pytest.MonkeyPatch, polls: int) -> None:
    """Outside of the multi-regions a job is found only by who names its location."""
    with BigQueryServer(location="europe-west1") as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        server.on("", Answer(polls=polls))
        warehouse = opener(server)(location="europe-west1")
        for call in calls(warehouse).values():
            call()
        for _ in range(2):
            warehouse.apply(WRITES, job="again")
        assert warehouse.finished("again")
        assert {request.body["location"] for request in server.sent("POST", "/datasets$")} == {"europe-west1"}


def test_datasets_may_lie_elsewhere(server: BigQueryServer, connect: Open) -> None:
    moved = {"nba_analytics": "other-project.stats", "nba_precompute": "pre"}
    warehouse = connect(datasets=moved)
    warehouse.query(Statement("s.sql", "SELECT 1 FROM nba_analytics.a JOIN nba_precompute.b JOIN nba_raw.c"))
    assert server.submitted()[0].sql == "SELECT 1 FROM `other-project.stats`.a JOIN `pre`.b JOIN nba_raw.c"
    warehouse.create([table for table in CATALOG.processed if table.dataset in moved][:1])
    [made] = server.sent("POST", "/datasets$")
    assert made.path == "/bigquery/v2/projects/other-project/datasets"
    assert "`other-project.stats`." in server.submitted()[-1].sql


# What comes back.


LITERALS = {
    "DATE": "DATE '2024-01-02'", "INT64": "CAST(7 AS INT64)", "FLOAT64": "CAST(0.5 AS FLOAT64)", "BOOL": "TRUE",
    "STRING": "'x'", "TIMESTAMP": "TIMESTAMP '2024-01-02 03:04:05.678901+00'", "NUMERIC": "CAST(1.5 AS NUMERIC)",
}  # fmt: skip
FULL, NULL = "SELECT {} AS x", "SELECT CAST(NULL AS {}) AS x"


@pytest.mark.parametrize("rows", ["a value", "a value and NULL", "NULL", "nothing"])
@pytest.mark.parametrize("kind", LITERALS)
def test_frames_are_those_of_duckdb(
    server: BigQueryServer, connect: Open, tmp_path: Path, kind: str, rows: str
) -> None:
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    full, null = FULL.format(LITERALS[kind]), NULL.format(kind)
    sql = {
        "a value": full, "a value and NULL": f"{full} UNION ALL {null} ORDER BY x", "NULL": null,
        "nothing": f"SELECT x FROM ({full}) WHERE FALSE",
    }[rows]  # fmt: skip
    _same(server, connect(), tmp_path / "empty.duckdb", Statement("types.sql", sql), {})


def _same(
    server: BigQueryServer, warehouse: BigQueryWarehouse, path: Path, statement: Statement, values: Mapping[str, Any]
) -> None:
    server.on("", replay(path))
    theirs, ours = warehouse.query(statement, values), DuckDBWarehouse(path).query(statement, values)
    for column in ours:  # what DuckDB sums up from integers is wider than INT64, and a float in its frames
        if (str(theirs[column].dtype), str(ours[column].dtype)) == ("int64", "float64"):
            ours[column] = ours[column].astype("int64")
        if ours[column].dtype == object and ours[column].isna().all():  # DuckDB sees no text, and knows no better
            ours[column] = ours[column].astype(theirs[column].dtype)
    order = list(ours.columns[:3])
    one, other = (frame.sort_values(order, ignore_index=True) for frame in (theirs, ours))
    pd.testing.assert_frame_equal(one, other)


def test_our_own_statements_give_the_frames_of_duckdb(
    server: BigQueryServer, connect: Open, league_warehouse: Path, warehouse_params: Params
) -> None:
    calendar = read_calendar(DuckDBWarehouse(league_warehouse), warehouse_params)
    table = CATALOG.processed[-1]
    values = {**calendar.table_values(table, calendar.dates()), "rewritten": []}
    span = {"first_date": values["first_date"], "last_date": values["last_date"]}
    asked = [
        (render("nba", "coverage.sql", table=table, inputs=[], rewritten=False), values),
        (render("nba", "newest.sql", tables=CATALOG.processed), span),
        (Statement("all.sql", f"SELECT * FROM {table.full_name} WHERE {table.date_column} <= DATE '2023-12-01'"), {}),
    ]
    for statement, given in asked:
        _same(server, connect(), league_warehouse, statement, given)


def test_coverage_of_ten_tables_is_ten_queries_and_equals_duckdbs(
    server: BigQueryServer, connect: Open, league_warehouse: Path, warehouse_params: Params
) -> None:
    server.page_rows = 50
    server.on("", replay(league_warehouse))
    warehouse, local = connect(), DuckDBWarehouse(league_warehouse)
    calendar = read_calendar(warehouse, warehouse_params)
    assert calendar == read_calendar(local, warehouse_params)
    before = warehouse.queries
    found = read_all(warehouse, CATALOG.processed, calendar)
    assert len(found) == 10
    assert len(server.submitted()) - 1 == warehouse.queries - before <= 10
    expected = read_all(local, CATALOG.processed, calendar)
    assert {name: item.record() for name, item in found.items()} == {
        name: item.record() for name, item in expected.items()
    }


# Tables.


def test_columns_are_told_of_the_tables_that_exist(server: BigQueryServer, connect: Open) -> None:
    one, other = CATALOG.processed[0], CATALOG.processed[-1]
    assert connect().columns() == {}
    for table in (one, other):
        server.add_table(table.full_name, table.columns)
    server.add_table(f"{one.dataset}.not_ours", {"x": "INT64"})
    assert connect().columns() == {table.full_name: dict(table.columns) for table in (one, other)}
    assert not server.submitted()


def test_tables_are_created_partitioned_clustered_and_guarded(server: BigQueryServer, connect: Open) -> None:
    server.tables["nba_raw"] = {}
    connect(location="US").create(CATALOG.tables.values())
    datasets = {request.body["datasetReference"]["datasetId"] for request in server.sent("POST", "/datasets$")}
    assert datasets == {table.dataset for table in CATALOG.tables.values()}
    made = {re.search(r"EXISTS (\S+)", request.sql)[1]: request.sql for request in server.submitted()}  # type: ignore[index]
    assert set(made) == {table.full_name for table in CATALOG.tables.values()}
    for table in CATALOG.tables.values():
        sql = made[table.full_name]
        assert f"PARTITION BY {table.date_column}\nCLUSTER BY " in sql
        assert "OPTIONS (require_partition_filter = TRUE)" in sql


def test_tables_are_refilled_by_column_names_and_types_of_the_catalog(server: BigQueryServer, connect: Open) -> None:
    connect().refill([(TABLE, ROWS)])
    [sent] = server.submitted()
    load = sent.configuration["load"]
    assert sent.sql == "LOAD somewhere.things"
    assert load["sourceFormat"] == "PARQUET"
    assert load["writeDisposition"].startswith("WRITE_TRUNCATE")
    assert sent.configuration["labels"]["table"] == "things"
    assert sent.body["jobReference"]["location"] == "US"
    content = pq.read_table(io.BytesIO(sent.media))
    assert content.column_names == list(TABLE.columns)
    assert content.schema.field("at").type == pa.timestamp("us", tz="UTC")
    assert content.column("at").to_pylist() == [datetime(2024, 1, 1, tzinfo=UTC)]


# What it costs.


def test_dry_runs_are_summed_and_leave_nothing(server: BigQueryServer, connect: Open) -> None:
    server.on("DELETE", Answer(bytes=1_000))
    server.on("INSERT", Answer(bytes=20_000))
    warehouse = connect(maximum_bytes_billed=20_000_000)
    assert warehouse.estimate([*WRITES, WRITES[0]]) == 22_000
    assert len(server.submitted(dry=True)) == 3
    assert all(r.body["jobReference"]["location"] == "US" for r in server.submitted(dry=True))
    assert (server.submitted(), server.jobs) == ([], {})


def test_a_plan_above_the_cap_is_refused_before_anything_is_written(
    server: BigQueryServer, league_warehouse: Path, tmp_path: Path
) -> None:
    server.on("", replay(league_warehouse))
    server.on(re.compile("^(DELETE|INSERT)"), Answer(bytes=30_000_000))
    place = f"{{engine: bigquery, project: test-project, endpoint: '{server.url}', anonymous: true}}"
    small = Small.make(tmp_path, **{f"{{path: {tmp_path}/small.duckdb}}": place, "2024-10-22": "2024-12-20"})

    def plan(*settings: str) -> "CompletedProcess[str]":
        chosen = [word for setting in ("backfill.mode=all", *settings) for word in ("--set", setting)]
        return small.here("plan", small.params, "--runs-dir", str(small.runs), "--json", *chosen)

    refused = plan("backfill.max_bytes=5000000")
    assert len(server.submitted(dry=True)) == 20  # ten tables, each a DELETE and an INSERT; five are of Phase 3
    assert "phase3 is 300,000,000 bytes by dry runs, more than the 5,000,000 allowed" in refused.stderr
    above = plan("warehouse.maximum_bytes_billed=10485760")
    assert "The statement would read 30,000,000 bytes" in above.stderr
    assert (refused.returncode, above.returncode) == (ExitCode.REFUSED, ExitCode.REFUSED)
    assert not [request for request in server.submitted() if "BEGIN" in request.sql]
