"""Fills dates through a service of the operator's, one date of one table at a call (``POST /process-date``)."""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import httpx
from pydantic import SecretStr

from courtbook.backfill.executor import Context, Dates
from courtbook.backfill.token import TokenSource
from courtbook.calendar import Calendar
from courtbook.catalog import Table
from courtbook.errors import CourtbookError, ParameterError, Reason
from courtbook.params import HttpParams

_SUCCESS, _REFUSED, _AGAIN = "success", (401, 403), (None, 429, 500, 502, 503, 504)
_OPTIONS = {"backfill_mode": True, "strict_mode": False, "skip_dependency_check": False, "dataset_prefix": ""}
_CONNECT, _BACKOFF, _ORDERED = 10.0, 60.0, 600.0  # seconds that these take at most
_STEP = 0.1  # seconds between two looks at whether to stop
_IN_A_ROW = 5  # dates without a usable answer after which the service counts as gone
_BYTES = 1 << 20  # of an answer that are read
_TURN, _NEXT = threading.Lock(), dict[str, float]()  # when a service may be called next, whichever table it is for


@dataclass(frozen=True)
class HttpExecutor:
    """Asks the service for one date at a call. It passes on what the answer says; the runner counts what was written.

    Where its failure may pass by itself, the call for a date is made again, ``retries`` times: after ``wait`` seconds,
    then after twice as long as before, unless the service says how long. ``root`` is the project's folder.
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
        return asyncio.run(_Piece(self, context).run(dates))


class _Answer(NamedTuple):
    """What came of one call: ``status`` is None if nothing came, ``after`` the seconds the service asks to wait."""

    status: int | None
    said: str
    after: float | None = None


class _Piece:
    """One piece of work, in an event loop of its own: its calls, what is said about its dates."""

    def __init__(self, executor: HttpExecutor, context: Context) -> None:
        self.executor, self.settings, self.tokens, self.context = executor, executor.settings, executor.tokens, context
        self.url = f"{self.settings.url.rstrip('/')}/process-date"
        # A connection a call: one that is kept may be gone when it is wanted again, minutes later.
        timeout = httpx.Timeout(None, connect=min(_CONNECT, self.settings.timeout))
        self.client = httpx.AsyncClient(timeout=timeout, limits=httpx.Limits(max_keepalive_connections=0))
        self.pool = ThreadPoolExecutor(1)  # where a token is waited for
        self.words: dict[date, str] = {}
        self.in_a_row = 0

    async def run(self, dates: Dates) -> dict[date, str]:
        days = iter(sorted(dates))
        tasks = pending = {asyncio.create_task(self._work(days)) for _ in range(self.settings.concurrency)}
        try:
            while pending:
                self.context.check_stop()
                finished, pending = await asyncio.wait(pending, timeout=_STEP, return_when=asyncio.FIRST_EXCEPTION)
                for task in finished:
                    task.result()
        finally:  # what is on its way ends, and goes on record, before the piece does
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.client.aclose()
            self.pool.shutdown(wait=False)
        return self.words

    async def _work(self, days: Iterator[date]) -> None:
        """Take one date after the other, with others that do the same."""
        for day in days:
            answer = await self._date(day)
            if answer.said != _SUCCESS:
                self.words[day] = answer.said
            self.in_a_row = self.in_a_row + 1 if answer.status in _AGAIN + _REFUSED else 0
            if self.in_a_row < _IN_A_ROW:
                continue
            what = f"{_IN_A_ROW} dates in a row got no usable answer, the last one was {day}: {answer.said}."
            hint = "See whether the service is up and lets you in, then start again: only what is missing is planned."
            raise CourtbookError(Reason.SERVICE_FAILED, what, where=self.url, next_action=hint)

    async def _date(self, day: date) -> _Answer:
        """Call until an answer is final, and put it on record."""
        started, answers, renewed, retried = time.monotonic(), list[_Answer](), False, 0
        try:
            while True:
                token = await self._call(day, answers)
                answer = answers[-1]
                if answer.status in _REFUSED and self.tokens and token and not renewed:
                    self.tokens.renew(token)
                    renewed = True
                elif answer.status in _AGAIN and retried < self.executor.retries:
                    backoff = min(_BACKOFF, self.executor.wait * 2.0**retried) * random.uniform(0.8, 1)  # noqa: S311
                    await asyncio.sleep(backoff if answer.after is None else answer.after)
                    renewed, retried = False, retried + 1
                else:
                    return answer
        finally:
            if answers:
                status, said, _ = answers[-1]
                done = {"status": status, "attempts": len(answers), "seconds": round(time.monotonic() - started, 3)}
                self.context.record("call", table=self.executor.table.name, date=day.isoformat(), **done, said=said)

    async def _turn(self) -> None:
        """Wait for the next turn, and take it."""
        while True:
            with _TURN:
                now = time.monotonic()
                if (left := _NEXT.get(self.url, now) - now) <= 0:
                    _NEXT[self.url] = now + self.settings.pause
                    return
            await asyncio.sleep(left)

    async def _token(self) -> SecretStr | None:
        return await asyncio.get_running_loop().run_in_executor(self.pool, self.tokens.get) if self.tokens else None

    async def _call(self, day: date, answers: list[_Answer]) -> SecretStr | None:
        """Wait for a turn, make one call, add what came of it, and return the token that was sent."""
        await self._token()  # before the turn: it may take seconds
        await self._turn()
        token = await self._token()  # after it: another call may have had it renewed by now
        self.context.check_stop()
        answers.append(_Answer(None, "given up: the run ended; the service may still write"))  # until more is known
        status, said, after = await self._send(day, token)
        said = said.replace(token.get_secret_value(), "[token]") if token else said  # should the service quote it
        answers[-1] = _Answer(status, " ".join(said.split())[:500], after)
        return token

    async def _send(self, day: date, token: SecretStr | None) -> _Answer:
        content = {"analysis_date": day.isoformat(), "processors": [self.executor.service], **_OPTIONS}
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        try:
            async with (
                asyncio.timeout(self.settings.timeout),  # for the whole call: the client's would be for each read
                self.client.stream("POST", self.url, json=content, headers=headers) as response,
            ):
                body = await anext(response.aiter_bytes(_BYTES), b"")
        except TimeoutError:
            return _Answer(None, f"no answer within {self.settings.timeout:g} s")
        except httpx.HTTPError as error:
            root: BaseException = error  # the client itself says no more than that it could not connect
            while below := getattr(root, "exceptions", (None,))[-1] or root.__cause__ or root.__context__:
                root = below
            return _Answer(None, f"{type(error).__name__}: {root}")
        words = _words(response.status_code, body, self.executor.service)
        return _Answer(response.status_code, words, _ordered(response.headers))


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
