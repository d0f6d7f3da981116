"""Reads the logs of the operator's jobs: which date is said to be done, failed or skipped."""

import codecs
import re
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

_WIDTH = 4096  # what counts of a line; the rest is dropped, so that a line without an end costs no memory
_SHOWN = 500
_UNINDENTED = re.compile(r"^\S", re.MULTILINE)


class Said(Enum):
    """What a job says about a date."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class LogEvent:
    """One date and what is said about it; ``records`` is None where no number is given."""

    day: date
    state: Said
    records: int | None
    words: str


class LogFormats:
    """The line formats of the domain, as its ``job_log.yaml`` has them; ``known`` matches whatever reports anything."""

    def __init__(self) -> None:
        content = yaml.safe_load((resources.files("courtbook.nba") / "job_log.yaml").read_text(encoding="utf-8"))
        outcomes = [(Said(state), pattern) for state, patterns in content["outcomes"].items() for pattern in patterns]
        every = [content["begin"], *content["pause"], *(pattern for _, pattern in outcomes)]
        self.hints = re.compile("|".join(map(re.escape, content["hints"])))
        self.prefix = re.compile(content["prefix"])
        self.begin = re.compile(content["begin"])
        self.fatal = re.compile("|".join(content["fatal"]))
        # In one expression, for speed; there a group's name may stand only once.
        self.known = re.compile("|".join(re.sub(r"\?P<\w+>", "?:", pattern) for pattern in every))
        self.outcomes = [(state, re.compile(pattern)) for state, pattern in outcomes]


load_formats = cache(LogFormats)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class JobLog:
    """What a log says so far. However its text is cut into pieces, the result is the same.

    ``days`` holds the last report of each date; ``current`` is the day in work, ``number`` of ``total`` (0: unknown).
    ``errors`` are the first of ``error_count`` lines of level ERROR or above that report no date, ends of tracebacks,
    and refusals to start; ``last`` are the last lines, whatever they say.
    """

    def __init__(self) -> None:
        self.days: dict[date, LogEvent] = {}
        self.current: date | None = None
        self.number = self.total = self.lines = self.error_count = 0
        self.errors: list[str] = []
        self.last: deque[str] = deque(maxlen=20)
        self._formats = load_formats()
        self._rest = self._fatal = self._last_error = ""
        self._in_traceback = False

    @property
    def cause(self) -> str:
        """The line that explains best why a job ended as it did; empty if the log is."""
        return self._fatal or self._last_error or next((line for line in reversed(self.last) if line.strip()), "")

    def dates(self, state: Said) -> tuple[date, ...]:
        """Return the dates whose last report is this one, oldest first."""
        return tuple(sorted(day for day, event in self.days.items() if event.state is state))

    def feed(self, text: str) -> list[LogEvent]:
        """Take the next piece of text and return what its complete lines report; repetitions are no news."""
        text = self._rest + text
        cut = text.rfind("\n") + 1
        whole, self._rest = text[:cut], text[cut : cut + _WIDTH]
        self.lines += whole.count("\n")
        self.last.extend(line[:_SHOWN] for line in whole.rsplit("\n", 21)[-21:-1])
        events: list[LogEvent] = []
        start = 0
        # Jumps from one promising line to the next: most of a long log is neither split nor looked at.
        while found := (_UNINDENTED if self._in_traceback else self._formats.hints).search(whole, start):
            start = max(start, whole.rfind("\n", start, found.start()) + 1)
            end = whole.index("\n", found.end())
            if event := self._line(whole[start : min(end, start + _WIDTH)]):
                events.append(event)
            start = end + 1
        return events

    def close(self) -> list[LogEvent]:
        """Take a last line that has no end for a whole one."""
        return self.feed("\n") if self._rest else []

    def _line(self, line: str) -> LogEvent | None:
        line = line.rstrip("\r").rpartition("\r")[2]  # what a progress bar has overwritten is gone
        prefix = self._formats.prefix.match(line)
        text = line[prefix.end() :] if prefix else line
        after_traceback, self._in_traceback = self._in_traceback, False
        if self._formats.known.match(text):
            return self._said(text)
        fatal = self._formats.fatal.match(text)
        if text.startswith("Traceback (most recent call last)"):
            self._in_traceback = True  # the error itself is the next line that is not indented
        elif (fatal or (prefix["error"] if prefix else after_traceback)) and re.search(r"\w", text):
            self.error_count += 1
            self._last_error = text.strip()[:_SHOWN]
            self._fatal = self._last_error if fatal else self._fatal
            self.errors = [*self.errors, self._last_error][:10]
        return None

    def _said(self, text: str) -> LogEvent | None:
        if begin := self._formats.begin.match(text):
            self.number, self.total, self.current = int(begin["number"]), int(begin["total"]), _day(begin["day"])
            return None
        for state, pattern in self._formats.outcomes:
            if not (match := pattern.match(text)):
                continue
            said = match.groupdict()
            day = _day(said["day"]) if "day" in said else self.current
            if day is None or (day in self.days and self.days[day].state is state):
                return None
            records, words = said.get("records"), said.get("words", "").strip()[:_SHOWN]
            self.days[day] = LogEvent(day, state, int(records.replace(",", "")) if records else None, words)
            return self.days[day]
        self.current = None  # sums: a count in them is no result of a day
        return None


class LogFile(AbstractContextManager["LogFile"]):
    """A log on disk that may still grow; ``log`` is what it says so far."""

    def __init__(self, path: Path) -> None:
        self.log = JobLog()
        self._file = path.open("rb", buffering=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def read(self, size: int = 1 << 20) -> int:
        """Read on, at most so many bytes, and return how many there were."""
        content = self._file.read(size) or b""
        self.log.feed(self._decoder.decode(content))
        return len(content)

    def finish(self) -> JobLog:
        """Read to the end, as far as the log goes now, take a torn last line as it is, and return what it all says."""
        while self.read():
            pass
        self.log.feed(self._decoder.decode(b"", final=True))
        self.log.close()
        return self.log

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_log(path: Path) -> JobLog:
    """Read the whole log of a job, running or not."""
    with LogFile(path) as file:
        return file.finish()
