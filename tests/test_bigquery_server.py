"""The recorded BigQuery answers Google's own client and pandas-gbq as the service would."""

import io
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pandas_gbq
import pytest
from bigquery_answers import Answer, Failure
from bigquery_server import BigQueryServer
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

SCHEMA = {"day": "DATE", "n": "INT64", "x": "FLOAT64", "ok": "BOOL", "at": "TIMESTAMP", "xs": "ARRAY<FLOAT64>"}
AT = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ROWS = [(date(2024, 1, 2), 7, 0.1, True, AT, [0.5, 1.5]), (None, None, None, None, None, [])]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQueryServer]:
    with BigQueryServer() as running:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", running.url)
        yield running


@pytest.fixture
def client(server: BigQueryServer) -> Iterator[bigquery.Client]:
    made = bigquery.Client("p", AnonymousCredentials(), client_options={"api_endpoint": server.url}, location="US")
    yield made
    made.close()


def test_pandas_reads_typed_rows_of_several_pages(server: BigQueryServer, client: bigquery.Client) -> None:
    server.page_rows = 1
    server.on("SELECT", Answer(SCHEMA, ROWS, bytes=5))
    settings = {"query": {"maximumBytesBilled": "20971520"}, "labels": {"run": "r1"}}
    frame = pandas_gbq.read_gbq("SELECT 1", bigquery_client=client, configuration=settings, progress_bar_type=None)
    assert [list(map(str, row)) for row in frame.values.tolist()] == [
        ["2024-01-02", "7", "0.1", "True", "2024-01-02 03:04:05.678901+00:00", "[0.5 1.5]"],
        ["NaT", "<NA>", "nan", "<NA>", "NaT", "[]"],
    ]
    [asked] = server.submitted()
    assert asked.configuration["labels"] == {"run": "r1"}
    assert asked.configuration["query"]["maximumBytesBilled"] == "20971520"


def test_a_job_runs_for_a_while_and_is_billed(server: BigQueryServer, client: bigquery.Client) -> None:
    server.on("SELECT", Answer({"n": "INT64"}, [(1,), (2,)], bytes=11 * 2**20 - 1, polls=3))
    job = client.query("SELECT n", job_id="one", job_retry=None)
    assert job.state == "RUNNING"
    assert [row.n for row in job.result()] == [1, 2]
    assert (job.total_bytes_processed, job.total_bytes_billed) == (11 * 2**20 - 1, 11 * 2**20)
    with pytest.raises(exceptions.Conflict, match=r"Already Exists: Job p:US\.one"):
        client.query("SELECT n", job_id="one", job_retry=None)
    assert client.get_job("one").state == "DONE"
    with pytest.raises(exceptions.NotFound, match=r"Not found: Job p:EU\.one"):
        client.get_job("one", location="EU", retry=None)


def test_dry_runs_cost_nothing_and_leave_no_job(server: BigQueryServer, client: bigquery.Client) -> None:
    server.on("SELECT", Answer(bytes=123))
    settings = bigquery.QueryJobConfig(dry_run=True)
    assert client.query("SELECT 1", job_config=settings).total_bytes_processed == 123
    assert (len(server.submitted(dry=True)), server.submitted(), server.jobs) == (1, [], {})


@pytest.mark.parametrize("polls", [0, 2])
def test_a_job_ends_in_an_error(server: BigQueryServer, client: bigquery.Client, polls: int) -> None:
    server.on("UPDATE", Answer(polls=polls, error=Failure("invalidQuery", "Unrecognized name: x at [1:8]")))
    with pytest.raises(exceptions.BadRequest, match="Unrecognized name: x"):
        client.query("UPDATE t SET x = 1", job_id="u", job_retry=None).result()
    assert client.get_job("u").error_result["reason"] == "invalidQuery"


def test_the_cap_is_kept(server: BigQueryServer, client: bigquery.Client) -> None:
    server.on("SELECT", Answer(bytes=30 * 2**20))
    settings = bigquery.QueryJobConfig(maximum_bytes_billed=20 * 2**20)
    with pytest.raises(exceptions.GoogleAPICallError, match=r"billed: 20971520\. 31457280 or higher required"):
        client.query("SELECT 1", job_config=settings, job_id="c", job_retry=None).result()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure("quotaExceeded", "Custom quota exceeded"), exceptions.Forbidden),
        (Failure("rateLimitExceeded", "Exceeded rate limits", 429, retry_after=17), exceptions.TooManyRequests),
        (Failure("backendError", "Error encountered during execution. Retrying may solve"), exceptions.ServerError),
    ],
)
def test_requests_are_refused(server: BigQueryServer, client: bigquery.Client, failure: Failure, kind: type) -> None:
    server.on("SELECT", Answer(refuse=failure))
    with pytest.raises(kind, match=failure.message[:20]) as caught:
        client.query("SELECT 1", retry=None, job_retry=None)
    assert caught.value.errors[0]["reason"] == failure.reason
    assert caught.value.response.headers.get("Retry-After") == ("17" if failure.retry_after else None)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_connection_is_tried_again(server: BigQueryServer, client: bigquery.Client, when: str) -> None:
    server.on("SELECT", Answer(lost=when), Answer({"n": "INT64"}, [(1,)]))
    job = client.query("SELECT 1")  # without an id of ours the client recovers from 409 by itself
    assert (job.job_id in server.jobs, len(server.jobs)) == (True, 1)
    assert len(server.submitted()) == 2


def test_a_job_is_cancelled(server: BigQueryServer, client: bigquery.Client) -> None:
    server.on("SELECT", Answer(polls=math.inf))
    job = client.query("SELECT 1", job_id="long", job_retry=None)
    client.cancel_job("long")
    with pytest.raises(exceptions.GoogleAPICallError, match="User requested cancellation"):
        job.result()


@pytest.mark.parametrize("size", [100, 9 * 2**20])
def test_files_are_uploaded(server: BigQueryServer, client: bigquery.Client, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    settings = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
    for known in (None, len(content)):  # in pieces, and at once
        job = client.load_table_from_file(io.BytesIO(content), "p.d.t", size=known, job_config=settings)
        assert job.state == "DONE"
    for asked in server.submitted():
        assert asked.media == content
        assert asked.sql == "LOAD d.t"
        assert asked.configuration["load"]["writeDisposition"] == "WRITE_TRUNCATE"


def test_datasets_and_tables_are_kept(server: BigQueryServer, client: bigquery.Client) -> None:
    with pytest.raises(exceptions.NotFound, match="Not found: Dataset p:d"):
        client.get_table("p.d.t")
    client.create_dataset("p.d")
    client.create_dataset("p.d", exists_ok=True)
    with pytest.raises(exceptions.NotFound, match=r"Not found: Table p:d\.t"):
        client.get_table("p.d.t")
    table = bigquery.Table("p.d.t", [bigquery.SchemaField("day", "DATE", "REQUIRED")])
    client.create_table(table)
    with pytest.raises(exceptions.Conflict, match=r"Already Exists: Table p:d\.t"):
        client.create_table(table)
    assert client.get_table("p.d.t").schema == table.schema
    assert [item.table_id for item in client.list_tables("p.d")] == ["t"]


@pytest.mark.parametrize(("name", "label"), [("a.b", "x"), ("ok", "Über"), ("ok", "x" * 64)])
def test_bad_names_are_refused(client: bigquery.Client, name: str, label: str) -> None:
    settings = bigquery.QueryJobConfig(labels={"run": label})
    with pytest.raises(exceptions.BadRequest, match="Invalid job ID or label"):
        client.query("SELECT 1", job_id=name, job_config=settings, job_retry=None)


def test_a_job_elsewhere_is_found_by_its_location_only() -> None:
    with BigQueryServer(location="europe-west1") as server:
        made = bigquery.Client("p", AnonymousCredentials(), client_options={"api_endpoint": server.url})
        job = made.query("SELECT 1", location="europe-west1", job_id="far", job_retry=None)
        job.result()
        with pytest.raises(exceptions.NotFound):
            made.get_job("far", retry=None)
        assert made.get_job("far", location="europe-west1").state == "DONE"
        made.close()
