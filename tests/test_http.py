"""Dates filled through a service that behaves, fails, lies, hangs and forgets who we are."""

import asyncio
import itertools
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from courtbook.backfill import http, token
from courtbook.backfill.executor import Context
from courtbook.backfill.http import HttpExecutor
from courtbook.backfill.sql import replace_dates
from courtbook.backfill.token import TokenSource
from courtbook.calendar import read_calendar
from courtbook.catalog import load_catalog
from courtbook.errors import CourtbookError, ExitCode, Interrupted, ParameterError, Reason
from courtbook.params import HttpParams, Params, TokenParams
from courtbook.warehouse.duckdb import DuckDBWarehouse
from jobs.service import Service

CATALOG = load_catalog()
TABLE = CATALOG.tables["player_daily_cache"]
SERVICE = "PlayerDailyCacheProcessor"
DAYS = [date(2024, 3, 1) + timedelta(days=i) for i in range(12)]
DAY = DAYS[0]


@dataclass
class Run:
    """The run that an executor works for: what it put on record, and whether it was asked to stop."""

    events: list[dict[str, Any]] = field(default_factory=list)
    stop: Callable[[], bool] = lambda: False

    @property
    def context(self) -> Context:
        def check() -> None:
            if self.stop():
                raise Interrupted

        return Context(Path(), self.record, lambda kind: [], check)

    def record(self, kind: str, **data: Any) -> None:
        assert kind == "call"
        self.events.append(json.loads(json.dumps(data)))

    def said(self) -> dict[str, tuple[int | None, int, str]]:
        assert len({event["date"] for event in self.events}) == len(self.events), "one event a date"
        return {event["date"]: (event["status"], event["attempts"], event["said"]) for event in self.events}


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy between the test and its server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """A function that starts a service; all are stopped after the test."""
    started: list[Service] = []

    def start(**options: Any) -> Service:
        started.append(Service(**options).__enter__())
        return started[-1]

    yield start
    for service in started:
        service.__exit__()


def executor(url: str, retries: int = 2, wait: float = 0.01, root: Path = Path(), **settings: Any) -> HttpExecutor:
    options = {"kind": "http", "url": url, "pause": 0, "timeout": 10, **settings}
    return HttpExecutor(TABLE, HttpParams(**options), retries, wait, root)


def one(service: Service, run: Run, **options: Any) -> str:
    """Ask for one date and return what is said about it; empty if nothing is."""
    words = executor(service.url, **options).execute(TABLE, [DAY], run.context)
    assert set(words) <= {DAY}
    return words.get(DAY, "")


# What is asked for, and what an answer means


def test_the_request_is_what_the_service_expects(serve, run) -> None:
    service = serve()
    assert executor(f"{service.url}/").execute(TABLE, DAYS[:3], run.context) == {}
    assert [request.day for request in service.requests] == DAYS[:3], "oldest first"
    assert service.requests[0].body == {
        "analysis_date": "2024-03-01",
        "processors": [SERVICE],
        "backfill_mode": True,
        "strict_mode": False,
        "skip_dependency_check": False,
        "dataset_prefix": "",
    }
    assert not service.requests[0].token
    assert run.said() == {day.isoformat(): (200, 1, "success") for day in DAYS[:3]}
    assert {event["table"] for event in run.events} == {TABLE.name}
    assert all(event["seconds"] >= 0 for event in run.events)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("ok", ""),
        ("no rows", ""),  # the runner's to notice: it reads the rows back
        ("error", "error: error while processing"),
        ("exception", "exception: exception while processing"),
        ("unknown", f"the service does not know {SERVICE}"),
        ("no json", "an answer of another form than agreed: <h1>It works</h1>"),
        ("shape", 'an answer of another form than agreed: {"results": "none"}'),
        ("400", "400 error 400"),
        ("404", "404 error 404"),
        ("302", "302 error 302"),
        ("401", "401 error 401"),
        ("501", "501 error 501"),
    ],
)
def test_an_answer_is_put_into_words_and_not_asked_for_again(serve, run, behaviour, words) -> None:
    service = serve(default=behaviour)
    assert one(service, run) == words
    assert service.asked == {DAY: 1}
    assert [event["said"] for event in run.events] == [words or "success"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "an answer of another form than agreed: OK"),
        (b"\xff\xfe", "an answer of another form"),
        (b"[" * 200_000, "an answer of another form"),
        (b"null", "an answer of another form"),
        (b'{"results": [[]]}', "an answer of another form"),
        (b'{"results": [{"processor": "Other", "status": "success"}]}', "the service does not know Mine"),
        (b'{"results": [{"processor": "Mine", "status": "error"}]}', "error: without a reason"),
        (b'{"results": [{"processor": "Mine", "status": "skipped", "error": null}]}', "skipped: without a reason"),
        (
            b'{"results": [{"processor": "Other", "status": "error"}, {"processor": "Mine", "status": "success"}]}',
            "success",
        ),
    ],
)
def test_odd_answers(body, words) -> None:
    assert http._words(200, body, "Mine").startswith(words)


def test_what_is_said_stays_short(serve, run) -> None:
    said = one(serve(default="error:" + "x\n" * 9000), run)
    assert said.startswith("error: x x x")
    assert len(said) == len(run.events[0]["said"]) == 500


# What is tried again


@pytest.mark.parametrize("behaviour", ["500", "502", "503", "504", "429", "drop"])
def test_what_may_pass_is_tried_again(serve, run, behaviour) -> None:
    service = serve(script={DAY: [behaviour, behaviour, "ok"]})
    assert one(service, run) == ""
    assert service.asked == {DAY: 3}
    assert run.said() == {"2024-03-01": (200, 3, "success")}


@pytest.mark.parametrize(
    ("behaviour", "status", "words"),
    [
        ("500", 500, "500 error 500"),
        ("429", 429, "429 error 429"),
        ("drop", None, "RemoteProtocolError: Server disconnected without sending a response."),
        ("silent", None, "no answer within 0.5 s"),
        ("drip", None, "no answer within 0.5 s"),
        ("drip:body", None, "no answer within 0.5 s"),
    ],
)
def test_what_does_not_pass_is_tried_as_often_as_told(serve, run, behaviour, status, words) -> None:
    service = serve(default=behaviour)
    begun = time.monotonic()
    assert one(service, run, retries=1, timeout=0.5) == words
    assert time.monotonic() - begun < 5
    assert service.asked == {DAY: 2}
    assert run.said() == {"2024-03-01": (status, 2, words)}


def pass_over(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    """Let every wait end at once, and note how long it would have been."""
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", noted)


def test_waits_grow_up_to_a_limit(serve, run, monkeypatch) -> None:
    service, waits = serve(default="503"), []
    pass_over(monkeypatch, waits)
    one(service, run, retries=8, wait=2.0)
    waits = [seconds for seconds in waits if seconds]
    assert len(waits) == 8
    for seconds, most in zip(waits, (2, 4, 8, 16, 32, 60, 60, 60), strict=True):
        assert 0.8 * most <= seconds <= most


@pytest.mark.parametrize(
    ("ordered", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("99999999", 600, 600),
        ("date+30", 28, 31),
        ("date+86400", 600, 600),
        ("date+-60", 0, 0),
        ("soon", 1.6, 2),
        ("Wed, 99 Foo 2024", 1.6, 2),
    ],
)
def test_the_service_says_how_long_to_wait(serve, run, monkeypatch, ordered, least, most) -> None:
    service, waits = serve(script={DAY: [f"429:{ordered}", "ok"]}), []
    pass_over(monkeypatch, waits)
    assert one(service, run, wait=2.0) == ""
    assert least <= max(waits) <= most
    assert service.asked == {DAY: 2}


def test_the_wait_that_was_ordered_is_kept(serve, run) -> None:
    service = serve(script={DAY: ["429:1", "ok"]})
    assert one(service, run) == ""
    first, second = service.requests
    assert second.at - first.at >= 0.9


def test_a_service_that_is_gone_is_given_up_after_five_dates(serve, run) -> None:
    gone = Service()
    with gone:
        url = gone.url
    with pytest.raises(CourtbookError, match="5 dates in a row") as caught:
        executor(url, retries=1).execute(TABLE, DAYS, run.context)
    assert caught.value.reason is Reason.SERVICE_FAILED
    assert caught.value.exit_code is ExitCode.ENGINE
    assert caught.value.where == f"{url}/process-date"
    assert "2024-03-05: ConnectError: [Errno 111]" in caught.value.what
    assert "start again" in caught.value.next_action
    assert list(run.said()) == [day.isoformat() for day in DAYS[:5]], "the others stay for later"
    assert {event["attempts"] for event in run.events} == {2}


@pytest.mark.parametrize("behaviour", ["500", "401", "403"])
def test_dates_that_were_not_tried_stay_for_later(serve, run, behaviour) -> None:
    service = serve(default=behaviour)
    with pytest.raises(CourtbookError, match=f"{behaviour} error {behaviour}"):
        executor(service.url, retries=0).execute(TABLE, DAYS, run.context)
    assert service.asked == dict.fromkeys(DAYS[:5], 1)


def test_one_date_that_works_says_that_the_service_is_there(serve, run) -> None:
    service = serve(default="500", script={DAYS[4]: ["ok"], DAYS[8]: ["error"]})
    words = executor(service.url, retries=0).execute(TABLE, DAYS, run.context)
    assert set(words) == set(DAYS) - {DAYS[4]}
    assert service.asked == dict.fromkeys(DAYS, 1)


def test_errors_in_the_answer_never_count_as_a_service_that_is_gone(serve, run) -> None:
    service = serve(default="error")
    assert set(executor(service.url).execute(TABLE, DAYS, run.context)) == set(DAYS)
    assert service.asked == dict.fromkeys(DAYS, 1)


# Rows


def test_rows_decide_and_not_the_answer(serve, run, copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    calendar = read_calendar(warehouse, params)
    days = calendar.dates(after_bootstrap=True)[20:24]
    listed = ", ".join(f"DATE '{day}'" for day in days)
    with duckdb.connect(params.warehouse.path) as connection:
        connection.execute(f"DELETE FROM {TABLE.full_name} WHERE cache_date IN ({listed})")

    def fill(name: str, day: date) -> None:
        (table,) = (table for table in CATALOG.processed if table.job and table.job.service == name)
        replace_dates(warehouse, table, calendar, [day])

    fine, lies, drops, fails = days
    service = serve(fill=fill, script={lies: ["no rows"], drops: ["drop:filled"], fails: ["error"]})
    words = executor(service.url, retries=0, concurrency=2).execute(TABLE, days, run.context)
    assert set(words) == {drops, fails}
    assert "RemoteProtocolError" in words[drops]
    with duckdb.connect(params.warehouse.path, read_only=True) as connection:
        found = connection.execute(
            f"SELECT cache_date, COUNT(*) FROM {TABLE.full_name} WHERE cache_date IN ({listed}) GROUP BY ALL"
        ).fetchall()
    assert {day for day, count in found if count > 100} == {fine, drops}
    assert len(found) == 2


# How many, how fast, and when to stop


def test_pieces_are_small_enough_to_count_rows_often() -> None:
    ten = executor("http://127.0.0.1:1")
    assert ten.pieces(DAYS[::-1], None) == (tuple(DAYS[:10]), tuple(DAYS[10:]))
    assert len(executor("http://127.0.0.1:1", concurrency=12).pieces(DAYS, None)) == 1
    assert ten.pieces([], None) == ()
    assert ten.adopt(TABLE, Run().context) == ()


@pytest.mark.parametrize("concurrency", [1, 4])
def test_calls_at_the_same_time(serve, run, concurrency) -> None:
    service = serve(seconds=0.1)
    assert executor(service.url, concurrency=concurrency).execute(TABLE, DAYS[:8], run.context) == {}
    assert min(2, concurrency) <= service.most <= concurrency
    assert service.asked == dict.fromkeys(DAYS[:8], 1)


def test_the_pause_holds_between_all_calls(serve, run) -> None:
    service = serve(script={DAYS[1]: ["500", "ok"]})
    some = executor(service.url, concurrency=4, pause=0.2)
    assert some.execute(TABLE, DAYS[:3], run.context) == {}
    assert executor(service.url, pause=0.2).execute(TABLE, DAYS[3:5], Run().context) == {}, "another table, next piece"
    times = sorted(request.at for request in service.requests)
    assert len(times) == 6
    assert times[-1] - times[0] >= 0.8
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.05


@pytest.mark.parametrize("behaviour", ["silent", "drip", "503:60", "ok"])
def test_a_stop_ends_calls_and_waits_at_once(serve, run, behaviour) -> None:
    service = serve(default=behaviour)
    pause = 60 if behaviour == "ok" else 0
    run.stop = lambda: len(service.requests) >= (1 if pause else 3)
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        executor(service.url, concurrency=3, timeout=120, pause=pause).execute(TABLE, DAYS, run.context)
    assert time.monotonic() - begun < 5
    asked = len(service.requests)
    assert asked == (1 if pause else 3)
    assert len(run.said()) == asked
    if behaviour in ("silent", "drip"):
        assert {said for _, _, said in run.said().values()} == {"given up: the run ended; the service may still write"}
        wait_until(lambda: len(service.hung_up) == 3 or behaviour == "drip")
    time.sleep(0.2)
    assert len(service.requests) == asked, "no call after the stop"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def test_a_stop_before_the_first_call(serve) -> None:
    service, run = serve(), Run(stop=lambda: True)
    with pytest.raises(Interrupted):
        executor(service.url).execute(TABLE, DAYS, run.context)
    assert (service.requests, run.events) == ([], [])


def test_nothing_goes_on_record_once_the_piece_was_left(serve, run, monkeypatch) -> None:
    service, stuck, left = serve(), threading.Event(), threading.Event()

    def fetch(_: TokenSource) -> str:
        stuck.set()
        left.wait(10)
        return "token"

    monkeypatch.setattr(TokenSource, "_fetch", fetch)
    run.stop = stuck.is_set
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        executor(service.url, token=METADATA, concurrency=3).execute(TABLE, DAYS, run.context)
    assert time.monotonic() - begun < 3
    left.set()
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")])
    assert (service.requests, run.events) == ([], [])


def test_a_call_that_is_slow_to_give_up_is_on_record_before_the_piece_is_left(serve, run, monkeypatch) -> None:
    sent = []

    async def send(*_: object) -> http._Answer:
        sent.append(1)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.3)
        return http._Answer(200, "success")

    monkeypatch.setattr(http._Piece, "_send", send)
    run.stop = lambda: bool(sent)
    with pytest.raises(Interrupted):
        executor(serve().url).execute(TABLE, DAYS, run.context)
    assert run.said() == {"2024-03-01": (None, 1, "given up: the run ended; the service may still write")}


def test_an_error_of_the_record_is_not_swallowed(serve) -> None:
    def full(kind: str, **data: Any) -> None:
        raise OSError("disk full")

    context = replace(Run().context, record=full)
    with pytest.raises(OSError, match="disk full"):
        executor(serve().url).execute(TABLE, DAYS, context)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


# Tokens


class Clock:
    """A monotonic clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(token, "monotonic", made)
    return made


@pytest.fixture
def guarded(serve, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service that wants a token, and the metadata server that gives them out."""
    service = serve(guarded=True, clock=clock)
    monkeypatch.setenv("GCE_METADATA_HOST", service.host)
    return service


METADATA = TokenParams(metadata="https://service.example")


def test_one_token_serves_until_it_is_old(guarded, clock, run) -> None:
    some = executor(guarded.url, token=METADATA)
    for minutes in (0, 20, 29):
        clock.now += minutes * 60
        assert some.execute(TABLE, [DAYS[minutes % 12]], run.context) == {}
    assert len(guarded.issued) == 1
    clock.now += 2 * 60  # 51 minutes: renewed before the service would refuse it
    assert some.execute(TABLE, [DAYS[1]], run.context) == {}
    assert len(guarded.issued) == 2
    assert set(guarded.audiences) == {"https://service.example"}
    assert {attempts for _, attempts, _ in run.said().values()} == {1}


def test_a_wall_clock_that_jumps_changes_nothing(guarded, run, monkeypatch) -> None:
    some = executor(guarded.url, token=METADATA)
    some.execute(TABLE, [DAYS[0]], run.context)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    some.execute(TABLE, [DAYS[1]], run.context)
    assert len(guarded.issued) == 1


def test_a_token_that_is_refused_is_renewed_once(guarded, run) -> None:
    some = executor(guarded.url, token=METADATA)
    assert some.execute(TABLE, [DAYS[0]], run.context) == {}
    guarded.revoked |= set(guarded.issued)
    assert some.execute(TABLE, DAYS[1:4], run.context) == {}
    assert guarded.asked == {DAYS[0]: 1, DAYS[1]: 2, DAYS[2]: 1, DAYS[3]: 1}
    assert len(guarded.issued) == 2


def test_eight_calls_that_are_refused_at_once_renew_the_token_once(guarded, run) -> None:
    some = executor(guarded.url, token=METADATA, concurrency=8)
    assert some.tokens.get().get_secret_value() in guarded.issued
    guarded.revoked |= set(guarded.issued)
    guarded.seconds = 0.2
    assert some.execute(TABLE, DAYS[:8], run.context) == {}
    assert len(guarded.issued) == 2
    assert all(count <= 2 for count in guarded.asked.values())


def test_calls_that_wait_for_their_turn_take_the_new_token(guarded, run) -> None:
    some = executor(guarded.url, token=METADATA, concurrency=3, pause=0.2)
    assert some.tokens.get().get_secret_value() in guarded.issued
    guarded.revoked |= set(guarded.issued)
    assert some.execute(TABLE, DAYS[:3], run.context) == {}
    assert len(guarded.requests) == 4, "only the first call is made twice"


def test_eight_threads_share_one_renewal(tmp_path, monkeypatch) -> None:
    (tmp_path / "token").write_text("same\n")  # the new one may well be equal to the old one
    source, fetched = TokenSource(TokenParams(secret="file:token"), tmp_path), []
    real = TokenSource._fetch
    monkeypatch.setattr(TokenSource, "_fetch", lambda self: (fetched.append(1), time.sleep(0.05), real(self))[2])
    old, barrier = source.get(), threading.Barrier(8)

    def refused(_: int) -> str:
        barrier.wait()
        source.renew(old)
        return source.get().get_secret_value()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(refused, range(8))) == {"same"}
    assert len(fetched) == 2


def test_threads_that_wait_for_a_token_share_its_failure(tmp_path, monkeypatch) -> None:
    source, tried = TokenSource(TokenParams(secret="file:none"), tmp_path), []
    real = TokenSource._fetch
    monkeypatch.setattr(TokenSource, "_fetch", lambda self: (tried.append(1), time.sleep(0.2), real(self))[2])
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        with pytest.raises(CourtbookError) as caught:
            source.get()
        return caught.value.what

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(tried) == 1
    (tmp_path / "none").write_text("there")
    assert source.get().get_secret_value() == "there", "asked anew by who comes later"


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_service_that_refuses_every_token(guarded, run, status) -> None:
    guarded.default = status
    assert one(guarded, run, token=METADATA) == f"{status} error {status}"
    assert guarded.asked == {DAY: 2}
    assert len(guarded.issued) == 2
    assert run.said() == {"2024-03-01": (int(status), 2, f"{status} error {status}")}


def test_a_refusal_and_an_error_in_turn_come_to_an_end(guarded, run) -> None:
    guarded.script = {DAY: ["401", "503", "401", "503", "401", "503", "401", "ok"]}
    assert one(guarded, run, token=METADATA, retries=2) == "503 error 503"
    assert guarded.asked == {DAY: 6}


def test_tokens_from_a_file_a_variable_and_a_command(guarded, run, tmp_path, monkeypatch) -> None:
    (tmp_path / "secret.txt").write_text(f"  {guarded.issue()}\n")
    assert one(guarded, run, token=TokenParams(secret="file:secret.txt"), root=tmp_path) == ""
    monkeypatch.setenv("COURTBOOK_TOKEN", guarded.issue())
    assert one(guarded, Run(), token=TokenParams(secret="env:COURTBOOK_TOKEN"), root=tmp_path) == ""
    command = (sys.executable, "-c", "print(open('secret.txt').read())")
    assert one(guarded, Run(), token=TokenParams(command=command), root=tmp_path) == ""
    assert all(request.token for request in guarded.requests)


SECRET = "ey.top-secret.sig"


@pytest.mark.parametrize(
    ("given", "where", "why"),
    [
        ({"secret": "file:none.txt"}, "file:none.txt", "No such file or directory"),
        ({"secret": "file:empty.txt"}, "file:empty.txt", "it gave nothing"),
        ({"secret": "file:two.txt"}, "file:two.txt", "it gave nothing, or blanks"),
        ({"secret": "file:odd.txt"}, "file:odd.txt", "other signs"),
        ({"secret": "env:COURTBOOK_NO_SUCH_TOKEN"}, "env:COURTBOOK_NO_SUCH_TOKEN", "the variable is not set"),
        ({"command": ("no-such-program-here",)}, "no-such-program-here", "No such file or directory"),
        ({"command": ("sh", "-c", f"echo {SECRET}; echo {SECRET} >&2; exit 3")}, "sh", "exit status 3"),
        ({"command": ("sh", "-c", f"echo {SECRET}; exec sleep 30")}, "sh", "did not end within 0.3 s"),
        ({"metadata": "aud"}, "metadata server 127.0.0.1:1", "ConnectError"),
    ],
)
def test_a_token_that_cannot_be_had_ends_it(serve, run, tmp_path, monkeypatch, caplog, given, where, why) -> None:
    monkeypatch.setattr(token, "_COMMAND_SECONDS", 0.3)
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    for name, text in {"empty": "\n", "two": f"{SECRET}\n{SECRET}", "odd": f"{SECRET}\x00é"}.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    service = serve()
    begun = time.monotonic()
    with pytest.raises(CourtbookError) as caught:
        executor(service.url, token=TokenParams(**given), root=tmp_path, concurrency=4).execute(
            TABLE, DAYS, run.context
        )
    assert time.monotonic() - begun < 3
    assert caught.value.reason is Reason.SERVICE_FAILED
    assert caught.value.where == where
    assert why in caught.value.what
    assert (service.requests, run.events) == ([], [])
    assert SECRET not in str(caught.value) + repr(caught.value) + caplog.text
    assert caught.value.__context__ is None, "nothing behind it that holds what the source gave"


def test_a_metadata_server_that_refuses(guarded, run, monkeypatch) -> None:
    monkeypatch.setattr(token, "_IDENTITY", "/elsewhere")
    with pytest.raises(CourtbookError, match="it answered 403"):
        one(guarded, run, token=METADATA)


def test_the_token_shows_nowhere(guarded, run, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    guarded.script = {DAYS[0]: ["echo"], DAYS[1]: ["drop"], DAYS[2]: ["401"], DAYS[3]: ["drip"], DAYS[4]: ["no json"]}
    guarded.default = "500"
    some = executor(guarded.url, token=METADATA, retries=1, timeout=0.5, concurrency=2)
    words = some.execute(TABLE, DAYS[:5], run.context)
    assert words[DAYS[0]] == "400 bad header Bearer [token]"
    with pytest.raises(CourtbookError) as caught:
        some.execute(TABLE, DAYS[5:], run.context)
    shown = [some, some.tokens, vars(some), vars(some.tokens), some.tokens.get(), words, run.events, caught.value]
    text = "".join(map(repr, [*shown, caught.getrepr(showlocals=True)])) + str(caught.value) + str(caught.getrepr())
    text += caplog.text + "".join(capfd.readouterr())
    assert guarded.issued
    assert not re.search("secret-[0-9]", text)


def test_errors_of_the_client_hold_no_headers() -> None:
    request = httpx.Request("POST", "http://127.0.0.1:1/", headers={"Authorization": f"Bearer {SECRET}"})
    error = httpx.ConnectError("refused", request=request)
    assert SECRET not in f"{error} {error!r} {request!r} {request.headers!r}"


# What is refused before anything is sent


def test_a_table_that_the_service_has_no_processor_for() -> None:
    settings = HttpParams(kind="http", url="http://127.0.0.1:1")
    for name in ("player_game_summary", "ml_feature_store_v2"):
        table = CATALOG.tables[name]
        if name == "ml_feature_store_v2":
            table = replace(table, job=None)
        with pytest.raises(ParameterError, match=f"no processor for {name}") as caught:
            HttpExecutor(table, settings, 0, 1.0, Path())
        assert caught.value.where == f"executors.{name}"
        assert "built-in SQL" in caught.value.next_action


def test_every_phase_4_table_has_a_processor(serve, run) -> None:
    service = serve()
    for name in ("team_defense_zone_analysis", "player_shot_zone_analysis", "player_composite_factors"):
        table = CATALOG.tables[name]
        some = HttpExecutor(table, HttpParams(kind="http", url=service.url, pause=0), 0, 1.0, Path())
        assert some.execute(table, [DAY], Run().context) == {}
    assert [request.body["processors"] for request in service.requests] == [
        ["TeamDefenseZoneAnalysisProcessor"],
        ["PlayerShotZoneAnalysisProcessor"],
        ["PlayerCompositeFactorsProcessor"],
    ]
