"""Fills dates through a service of the operator's, one date of one table at a call (``POST /process-date``)."""

import contextlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from courtbook.backfill.executor import Context, Dates
from courtbook.backfill.token import Token, TokenSource
from courtbook.calendar import Calendar
from courtbook.catalog import Table
from courtbook.errors import CourtbookError, ParameterError, Reason
from courtbook.params import HttpParams

_SUCCESS, _REFUSED, _AGAIN = "success", (401, 403), (None, 429, 500, 502, 503, 504)
_OPTIONS = {"backfill_mode": True, "strict_mode": False, "skip_dependency_check": False, "dataset_prefix": ""}
_CONNECT, _BACKOFF, _ORDERED, _LEAVE = 10.0, 60.0, 600.0, 2.0  # seconds that these take at most
_STEP = 0.1  # seconds between two looks at the clock and at whether to stop
_IN_A_ROW = 5  # dates without a usable answer after which the service counts as gone
_BYTES = 1 << 20  # of an answer that are read
_TURN, _NEXT = threading.Lock(), dict[str, float]()  # when a service may be called next, whichever table it is for


@dataclass(frozen=True)
class HttpExecutor:
    """Asks the service for one date at a call. It passes on what the answer says; the runner counts what was written.

    Parameters
    ----------
    retries : int
        How often the call for one date is made again if the failure may pass by itself.
    wait : float
        Seconds before the first of these; each later wait is twice as long, unless the service says how long.
    root : Path
        The project's folder.
    """

    table: Table
    settings: HttpParams
    retries: int
    wait: float
    root: Path
    kind: str = "http"

    def __post_init__(self) -> None:
        where = f"executors.{self.table.name}"
        if not self.service:
            what = f"The service has no processor for {self.table.name}."
            hint = f"Remove {where} from the params file, built-in SQL fills the table; or give it `kind: command`."
            raise ParameterError(what, where=where, next_action=hint)
        if not re.fullmatch(r"https?://[^\s@?#]+", self.settings.url):  # not quoted: it may hold a password
            what, hint = "The address holds a user, a password or a query.", "Put what is secret into `token` instead."
            raise ParameterError(what, where=f"{where}.url", next_action=hint)

    @property
    def service(self) -> str:
        """The name by which the service knows the processor."""
        return self.table.job.service if self.table.job else ""

    @cached_property
    def tokens(self) -> TokenSource | None:
        """Where tokens come from, for all pieces of work; None if none is sent."""
        return TokenSource(self.settings.token, self.root) if self.settings.token else None

    def pieces(self, dates: Dates, calendar: Calendar) -> tuple[tuple[date, ...], ...]:
        """Cut dates into groups, oldest first: enough to keep all calls busy, few enough to count rows often."""
        days, size = sorted(dates), max(10, self.settings.concurrency)
        return tuple(tuple(days[i : i + size]) for i in range(0, len(days), size))

    def adopt(self, table: Table, context: Context) -> tuple[date, ...]:
        """Return nothing: a call ends with the process that sent it."""
        return ()

    def execute(self, table: Table, dates: Dates, context: Context) -> Mapping[date, str]:
        """Ask for each date, oldest first, and return what is said about those that failed.

        Raises
        ------
        CourtbookError
            If no token can be had, or if five dates in a row got no usable answer (``service_failed``).
        Interrupted
            If the run was asked to stop; calls on their way are given up.
        """
        piece = _Piece(self, context)
        try:
            return piece.run(dates)
        finally:
            piece.close()


class _Ended(Exception):
    """The piece of work is over; who still works on it stops."""


class _Answer(NamedTuple):
    """What came of one call: ``status`` is None if nothing came, ``after`` the seconds the service asks to wait."""

    status: int | None
    said: str
    after: float | None = None


class _Call:
    """One call on the wire, which another thread can end: httpx bounds each read of a call, but not all of it."""

    def __init__(self, seconds: float) -> None:
        self.deadline, self.ended = time.monotonic() + seconds, False
        self.socket: socket.socket | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            # A duplicate, because the original may be closed and its number another file's when the call is ended.
            self.socket = info["return_value"].get_extra_info("socket").dup()
            if self.ended:
                self.end()

    def end(self) -> None:
        self.ended = True
        if self.socket:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


class _Piece:
    """One piece of work: its threads, its calls, what is said about its dates."""

    def __init__(self, executor: HttpExecutor, context: Context) -> None:
        self.executor, self.settings, self.tokens, self.context = executor, executor.settings, executor.tokens, context
        self.url, seconds = f"{self.settings.url.rstrip('/')}/process-date", self.settings.timeout
        # A connection a call: one that is kept may be gone when it is wanted again, minutes later.
        timeout = httpx.Timeout(seconds, connect=min(_CONNECT, seconds))
        self.client = httpx.Client(timeout=timeout, limits=httpx.Limits(max_keepalive_connections=0))
        self.pool = ThreadPoolExecutor(self.settings.concurrency)
        self.lock, self.ended, self.left = threading.Lock(), threading.Event(), False
        self.futures: dict[Future[str], date] = {}
        self.calls: set[_Call] = set()
        self.in_a_row = 0

    def run(self, dates: Dates) -> dict[date, str]:
        self.futures = {self.pool.submit(self._date, day): day for day in sorted(dates)}
        pending = set(self.futures)
        while pending:
            self.context.check_stop()
            finished, pending = wait(pending, _STEP, FIRST_EXCEPTION)
            for error in filter(None, (future.exception() for future in finished)):
                if not isinstance(error, _Ended):
                    raise error
            with self.lock:
                for call in self.calls:
                    if time.monotonic() > call.deadline:
                        call.end()
        return {day: said for future, day in self.futures.items() if (said := future.result()) != _SUCCESS}

    def close(self) -> None:
        """End what is on its way and let its thread say so; nothing goes on record later."""
        with self.lock:
            self.ended.set()
            for call in self.calls:
                call.end()
        self.pool.shutdown(wait=False, cancel_futures=True)
        wait([future for future in self.futures if not future.cancelled()], _LEAVE)
        with self.lock:
            self.left = True
        self.client.close()

    def _sleep(self, seconds: float) -> None:
        if self.ended.wait(seconds):
            raise _Ended

    def _date(self, day: date) -> str:
        """Call until an answer is final, put it on record and return its words."""
        started, answers, renewed, retried = time.monotonic(), list[_Answer](), False, 0
        try:
            while True:
                token = self._call(day, answers)
                answer = answers[-1]
                if answer.status in _REFUSED and self.tokens and token and not renewed:
                    self.tokens.renew(token)
                    renewed = True
                elif answer.status in _AGAIN and retried < self.executor.retries:
                    backoff = min(_BACKOFF, self.executor.wait * 2.0**retried) * random.uniform(0.8, 1)  # noqa: S311
                    self._sleep(backoff if answer.after is None else answer.after)
                    renewed, retried = False, retried + 1
                else:
                    break
        finally:
            with self.lock:
                if answers and not self.left:
                    status, said, _ = answers[-1]
                    done = {"status": status, "attempts": len(answers), "seconds": round(time.monotonic() - started, 3)}
                    self.context.record("call", table=self.executor.table.name, date=day.isoformat(), **done, said=said)
        with self.lock:
            self.in_a_row = self.in_a_row + 1 if answer.status in _AGAIN + _REFUSED else 0
            if self.in_a_row < _IN_A_ROW:
                return answer.said
            self.ended.set()
        what = f"{_IN_A_ROW} dates in a row got no usable answer, the last one was {day}: {answer.said}."
        hint = "See whether the service is up and lets you in, then start again: only what is missing is planned."
        raise CourtbookError(Reason.SERVICE_FAILED, what, where=self.url, next_action=hint)

    def _turn(self) -> float:
        """Take the next turn and return 0, or return the seconds until there is one."""
        with _TURN:
            now = time.monotonic()
            if (left := _NEXT.get(self.url, now) - now) <= 0:
                _NEXT[self.url] = now + self.settings.pause
            return left

    def _call(self, day: date, answers: list[_Answer]) -> Token | None:
        """Wait for a turn, make one call, add what came of it, and return the token that was sent."""
        token = self.tokens.get() if self.tokens else None  # before the turn: it may take seconds
        while (left := self._turn()) > 0:
            self._sleep(left)
        self.context.check_stop()
        token = self.tokens.get() if self.tokens else None  # after it: another thread may have a newer one by now
        call = _Call(self.settings.timeout)
        with self.lock:
            self._sleep(0)
            self.calls.add(call)
        try:
            status, said, after = self._send(day, token, call)
        finally:
            with self.lock:
                self.calls.discard(call)
                if call.socket:
                    call.socket.close()
        said = said.replace(token.value, "[token]") if token else said  # should the service quote it
        answers.append(_Answer(status, " ".join(said.split())[:500], after))
        self._sleep(0)
        return token

    def _send(self, day: date, token: Token | None, call: _Call) -> _Answer:
        content = {"analysis_date": day.isoformat(), "processors": [self.executor.service], **_OPTIONS}
        headers = {"Authorization": f"Bearer {token.value}"} if token else {}
        said, trace = f"no answer within {self.settings.timeout:g} s", {"trace": call.trace}
        try:
            with self.client.stream("POST", self.url, json=content, headers=headers, extensions=trace) as response:
                body = next(response.iter_bytes(_BYTES), b"")
            if not call.ended:
                words = _words(response.status_code, body, self.executor.service)
                return _Answer(response.status_code, words, _ordered(response.headers))
        except httpx.HTTPError as error:
            if not (call.ended or isinstance(error, httpx.ReadTimeout)):
                said = f"{type(error).__name__}: {error}"
        return _Answer(None, "given up: the run ended; the service may still write" if self.ended.is_set() else said)


def _words(status: int, body: bytes, service: str) -> str:
    """Return what an answer says about a processor; a status of 200 alone says nothing."""
    try:
        content = json.loads(body)
        if status != 200:
            return f"{status} {content['error']}"
        mine = [result for result in content["results"] if result["processor"] == service]
        for result in mine:
            if result["status"] != _SUCCESS:
                return f"{result['status']}: {result.get('error') or 'without a reason'}"
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        text = body.decode("utf-8", "replace") or httpx.codes.get_reason_phrase(status)
        return f"{status} {text}" if status != 200 else f"an answer of another form than agreed: {text}"
    return _SUCCESS if mine else f"the service does not know {service}"


def _ordered(headers: httpx.Headers) -> float | None:
    """Return the seconds that the service asks to wait (``Retry-After``, RFC 9110 section 10.2.3), if it does."""
    text = headers.get("Retry-After", "")
    with contextlib.suppress(ValueError, TypeError):
        if text.isdecimal():
            return min(_ORDERED, float(text))
        # By the service's own clock where it tells the time: ours may differ.
        now = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        return min(_ORDERED, max(0.0, (parsedate_to_datetime(text) - now).total_seconds()))
    return None
