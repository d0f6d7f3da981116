"""BigQuery says no, or nobody answers, or we die: one clear line, and no job is lost or begun twice."""

import math
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from bigquery_answers import Answer, Failure
from bigquery_calls import DAY, READ, TABLE, VALUES, WRITES, Open, calls, until
from bigquery_server import BigQueryServer
from courtbook.backfill.executor import Context
from courtbook.backfill.sql import SqlExecutor
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import load_catalog
from courtbook.errors import CourtbookError, ExitCode, Reason

CATALOG = load_catalog()
N = {"n": "INT64"}


# What is refused.

DENIED = Failure("accessDenied", "Access Denied: Project test-project: User does not have bigquery.jobs.create")
QUOTA = Failure("quotaExceeded", "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerDay")
BUSY = Failure("rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method", 429, 17)
DOWN = Failure("backendError", "Error encountered during execution. Retrying may solve the problem.", 503, 9)
LOST = Failure("notFound", "Not found: Table test-project:d.t was not found in location US")
CAP = Failure(
    "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 10485760. 16462643 or higher required."
)
MISFIT = Failure("invalidQuery", "Unrecognized name: points at [1:8]")
CHANGED = Failure(
    "invalid", "Provided Schema does not match Table p:d.t. Field n has changed type from FLOAT to INTEGER"
)
CLASH = Failure(
    "invalidQuery",
    "Query error: Transaction is aborted due to concurrent update against table p:d.t. Transaction ID: 61e3 at [24:9]",
)
TOO_LONG = Failure("stopped", "Job execution was cancelled: Job timed out after 600 sec")
UNPAID = Failure("billingNotEnabled", "Billing has not been enabled for this project.")
HUGE = Failure(
    "resourcesExceeded", "Resources exceeded during query execution: it could not be executed in the memory."
)
REFUSALS = [
    (LOST, Reason.NOT_FOUND, "project, location and datasets"),
    (DENIED, Reason.DENIED, "BigQuery Job User"),
    (UNPAID, Reason.DENIED, "billing"),
    (QUOTA, Reason.QUOTA, "more quota"),
    (BUSY, Reason.QUOTA, "Wait 17 s"),
    (DOWN, Reason.UNREACHABLE, "status page"),
    (CAP, Reason.OVER_CAP, "maximum_bytes_billed"),
    (MISFIT, Reason.SCHEMA_MISMATCH, "preflight"),
    (CHANGED, Reason.SCHEMA_MISMATCH, "preflight"),
    (CLASH, Reason.CONCURRENT_UPDATE, "else writes this table"),
    (TOO_LONG, Reason.QUERY_TIMEOUT, "warehouse.timeout"),
    (HUGE, Reason.QUERY_FAILED, "shorter range"),
]


# Where it is told: the request is refused, the job is over at once, or it fails while it is waited for.
PLACES = [("query", "request"), ("query", "later"), ("apply", "job"), ("estimate", "request"), ("create", "later")]


def refused(server: BigQueryServer, connect: Open, call: str, at: str, failure: Failure) -> CourtbookError:
    server.on("", Answer(refuse=failure) if at == "request" else Answer(error=failure, polls=2 * (at == "later")))
    warehouse, told = connect(patience=0), []
    warehouse.listener = told.append
    with pytest.raises(CourtbookError) as caught:
        calls(warehouse)[call]()
    assert all(query.failed for query in told)
    return caught.value


@pytest.mark.parametrize(("call", "at"), [*PLACES, ("refill", "job")])
@pytest.mark.parametrize(("failure", "reason", "action"), REFUSALS, ids=lambda value: getattr(value, "reason", None))
def test_a_refusal_says_what_happened_where_and_what_to_do(
    server: BigQueryServer, connect: Open, call: str, at: str, failure: Failure, reason: Reason, action: str
) -> None:
    error = refused(server, connect, call, at, failure)
    assert (error.reason, error.exit_code) == (reason, ExitCode.REFUSED if failure is CAP else ExitCode.ENGINE)
    if at == "request" or failure is not BUSY:  # the wait is asked for in the answer to a request only
        assert action in error.next_action
        assert error.retry_after == (failure.retry_after or 0) * (at == "request")
    assert failure.message.split(":")[-1].strip()[:40] in error.what or reason is Reason.QUERY_TIMEOUT
    assert "test-project" in error.where
    assert "\n" not in str(error)


def test_the_words_of_a_refusal_are_said_once(server: BigQueryServer, connect: Open) -> None:
    assert refused(server, connect, "apply", "job", LOST).what.count("was not found in location US") == 1


def test_a_load_is_not_tried_for_longer_than_the_parameters_say(server: BigQueryServer, connect: Open) -> None:
    assert refused(server, connect, "refill", "request", DOWN).reason is Reason.UNREACHABLE
    assert len(server.sent("POST", "^/upload/")) == 1


@pytest.mark.parametrize("failure", [BUSY, DOWN])
def test_what_passes_by_itself_is_tried_again_for_a_while(
    server: BigQueryServer, connect: Open, failure: Failure
) -> None:
    server.at("POST /bigquery/v2/projects/test-project/jobs", Answer(refuse=failure), Answer())
    server.on("SELECT", Answer(N, [(1,)]))
    assert connect(patience=10).query(READ, VALUES)["n"].tolist() == [1]
    assert len({request.body["jobReference"]["jobId"] for request in server.submitted()}) == 1


def test_columns_that_may_not_be_seen_are_no_missing_tables(server: BigQueryServer, connect: Open) -> None:
    server.at("GET /bigquery/v2/projects/test-project/datasets", Answer(refuse=DENIED))
    with pytest.raises(CourtbookError, match="Access Denied") as caught:
        connect().columns()
    assert caught.value.reason is Reason.DENIED


def test_a_dataset_that_may_not_be_made_is_told(server: BigQueryServer, connect: Open) -> None:
    server.at("POST /bigquery/v2/projects/test-project/datasets", Answer(refuse=DENIED))
    with pytest.raises(CourtbookError, match="Access Denied") as caught:
        connect().create([TABLE])
    assert caught.value.reason is Reason.DENIED


@pytest.mark.parametrize("call", ["query", "apply", "estimate", "create"])
def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, connect: Open, call: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", nowhere)
    with pytest.raises(CourtbookError) as caught:
        calls(connect(endpoint=nowhere, patience=0))[call]()
    assert (caught.value.reason, caught.value.exit_code) == (Reason.UNREACHABLE, ExitCode.ENGINE)
    assert "network" in caught.value.next_action


# Jobs outlive who began them.


@pytest.mark.parametrize("where", ["", "later pages of "])
def test_rows_that_cannot_be_fetched_are_refused_like_the_query(
    server: BigQueryServer, connect: Open, where: str
) -> None:
    server.page_rows = 1
    server.on("SELECT", Answer(N, [(1,), (2,)]))
    fetched = [Answer()] * bool(where)
    server.at("GET /bigquery/v2/projects/test-project/queries", *fetched, Answer(refuse=DENIED))
    with pytest.raises(CourtbookError, match="Access Denied") as caught:
        connect().query(READ, VALUES)
    assert caught.value.reason is Reason.DENIED


@pytest.mark.parametrize("passing", [Answer(refuse=DOWN), Answer(lost="before")], ids=["refused", "lost"])
@pytest.mark.parametrize("place", ["jobs", "queries"])
def test_who_waits_for_a_job_bears_a_fault(server: BigQueryServer, connect: Open, place: str, passing: Answer) -> None:
    server.on("SELECT", Answer(N, [(1,)], polls=3))
    server.at(f"GET /bigquery/v2/projects/test-project/{place}", Answer(), passing, Answer())
    assert connect(patience=10).query(READ, VALUES)["n"].tolist() == [1]
    assert len(server.submitted()) == 1


@pytest.mark.parametrize("call", ["query", "apply", "create"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_breaks_begins_no_second_job(
    server: BigQueryServer, connect: Open, call: str, when: str
) -> None:
    server.on("", Answer(lost=when), Answer())
    calls(connect(patience=10))[call]()
    assert len({request.body["jobReference"]["jobId"] for request in server.submitted()}) == 1
    assert len(server.jobs) == 1


@pytest.mark.parametrize("polls", [0, 3])
def test_a_job_that_exists_is_taken_up_again(server: BigQueryServer, connect: Open, polls: int) -> None:
    server.on("DELETE", Answer(polls=polls))
    for _ in range(2):  # another process, the same id
        connect().apply(WRITES, job="courtbook-run-t-abc-1")
    assert list(server.jobs) == ["courtbook-run-t-abc-1"]
    assert server.jobs["courtbook-run-t-abc-1"].done


def test_a_job_that_exists_may_not_be_seen_at_once(server: BigQueryServer, connect: Open) -> None:
    """Google's client knows this of the service: 409 to the repeated request, then 404 for a moment."""
    server.on("DELETE", Answer(lost="after", polls=2), Answer())
    unseen = Failure("notFound", "Not found: Job test-project:US.courtbook-run-t-abc-1")
    server.at("GET /bigquery/v2/projects/test-project/jobs", Answer(refuse=unseen), Answer())
    connect(patience=10).apply(WRITES, job="courtbook-run-t-abc-1")
    assert server.jobs["courtbook-run-t-abc-1"].done


def test_a_job_that_failed_earlier_says_so_again(server: BigQueryServer, connect: Open) -> None:
    server.on("DELETE", Answer(error=CLASH, polls=1), Answer())
    for _ in range(2):
        with pytest.raises(CourtbookError) as caught:
            connect().apply(WRITES, job="courtbook-run-t-abc-1")
        assert caught.value.reason is Reason.CONCURRENT_UPDATE


def test_what_became_of_an_earlier_job_is_found_out(server: BigQueryServer, connect: Open) -> None:
    warehouse = connect()
    assert warehouse.finished("courtbook-never-sent") is None
    server.on("DELETE", Answer(polls=2))
    warehouse.apply(WRITES, job="good")
    server.on("DELETE", Answer(error=MISFIT, polls=2))
    with pytest.raises(CourtbookError):
        warehouse.apply(WRITES, job="bad")
    assert (warehouse.finished("good"), warehouse.finished("bad")) == (True, False)
    server.at("GET /bigquery/v2/projects/test-project/jobs", Answer(refuse=DOWN))
    with pytest.raises(CourtbookError) as caught:
        warehouse.finished("good")
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("ends", [None, CLASH])
def test_after_a_crash_the_running_job_is_waited_for(
    server: BigQueryServer, connect: Open, tmp_path: Path, ends: Failure | None
) -> None:
    """The process dies while its job runs; the next one goes on from the record."""
    table, season = CATALOG.processed[0], date(2024, 10, 22)
    calendar = Calendar((GameDay(DAY, 2024, season, 4),), 14)
    record: list[dict[str, Any]] = []

    def put(kind: str, **data: Any) -> None:
        if kind == "sql_ended" and not record[1:]:
            raise SystemExit  # dead before it could say so
        record.append({"kind": kind, **data})

    def history(kind: str) -> list[dict[str, Any]]:
        return [data for data in record if data["kind"] == kind]

    context = Context(tmp_path / "run" / "30_step" / "attempt-1", put, history, lambda: None)
    newest = Answer({"newest": "TIMESTAMP"}, [(None,)])
    server.on("", newest)
    server.on("BEGIN TRANSACTION", Answer(polls=3, error=ends), Answer(polls=3))
    executor = SqlExecutor(connect(), calendar, CATALOG, 250)
    with pytest.raises((SystemExit, CourtbookError)):
        executor.execute(table, [DAY], context)
    record.append({"kind": "other"})
    SqlExecutor(connect(), calendar, CATALOG, 250).execute(table, [DAY], context)
    sent = [request.body["jobReference"]["jobId"] for request in server.submitted() if "BEGIN" in request.sql]
    assert len(sent) == len(set(sent)) == (2 if ends else 1)
    assert [item["succeeded"] for item in history("sql_ended")] == ([False, True] if ends else [True])


@pytest.mark.parametrize("call", ["query", "apply", "create", "refill"])
def test_who_interrupts_cancels_the_job(server: BigQueryServer, connect: Open, call: str) -> None:
    server.on("", Answer(polls=math.inf))

    def interrupt() -> None:
        until(server, "GET", "/(jobs|queries)/")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    before, stopper = signal.signal(signal.SIGINT, signal.default_int_handler), threading.Thread(target=interrupt)
    try:
        stopper.start()
        with pytest.raises(KeyboardInterrupt):
            calls(connect())[call]()
    finally:
        stopper.join()
        signal.signal(signal.SIGINT, before)
    assert len(server.sent("POST", "/cancel$")) == 1
    assert [job.poll().done for job in server.jobs.values()] == [True]


@pytest.mark.parametrize("call", ["query", "apply", "create", "refill"])
def test_to_stop_cancels_jobs_of_other_threads(server: BigQueryServer, connect: Open, call: str) -> None:
    server.on("", Answer(polls=math.inf))
    warehouse = connect()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(calls(warehouse)[call])
        until(server, "GET", "/(jobs|queries)/")
        warehouse.cancel()
        error = waiting.exception(timeout=10)
    assert isinstance(error, CourtbookError)
    assert error.reason is Reason.INTERRUPTED
    assert len(server.sent("POST", "/cancel$")) == 1


@pytest.mark.parametrize("call", ["query", "apply"])
def test_what_takes_too_long_is_cancelled(server: BigQueryServer, connect: Open, call: str) -> None:
    server.on("", Answer(polls=math.inf))
    with pytest.raises(CourtbookError, match="took longer") as caught:
        calls(connect(timeout=1))[call]()
    assert caught.value.reason is Reason.QUERY_TIMEOUT
    assert len(server.sent("POST", "/cancel$")) == 1
