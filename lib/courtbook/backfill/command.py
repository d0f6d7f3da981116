"""The executor for the operator's own scripts: started, watched, ended if need be, and never believed."""

import errno
import fcntl
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Literal

from courtbook.backfill.executor import Context, Dates
from courtbook.backfill.joblog import JobLog, LogFile, Said
from courtbook.backfill.process import Group, born
from courtbook.calendar import Calendar
from courtbook.catalog import Table
from courtbook.errors import CourtbookError, ParameterError, Reason
from courtbook.params import CommandParams

_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _status(child: subprocess.Popen[bytes] | None, patience: float) -> int | None:
    """Return the exit status of a job; one that has let go of everything may take a moment more to have one."""
    if child is None:
        return None
    with suppress(subprocess.TimeoutExpired):
        return child.wait(timeout=patience)
    return None


@dataclass(frozen=True)
class CommandExecutor:
    """Runs the script of one table, and looks at it every ``poll`` seconds; its folder is relative to ``root``.

    Raises
    ------
    ParameterError
        If the settings ask for what the script cannot do.
    """

    table: Table
    settings: CommandParams
    root: Path
    poll: float = 0.2
    kind: str = "command"

    def __post_init__(self) -> None:
        where, job = f"executors.{self.table.name}", self.table.job
        if job is None and any("{script}" in word for word in self.settings.argv):
            what = "The catalog names no script for this table, so {script} stands for nothing."
            raise ParameterError(what, where=f"{where}.argv", next_action="Write the path of the program itself.")
        if job is not None and not job.dates and self.settings.by == "dates":
            what = f"{job.script} does not take --dates lists."
            raise ParameterError(what, where=f"{where}.by", next_action="Write 'range' or 'auto'.")

    @property
    def by_dates(self) -> bool:
        """Whether jobs get lists of dates; with a list, the scripts ignore that they should work in parallel."""
        by, job = self.settings.by, self.table.job
        parallel = job and job.workers and self.settings.workers
        return by == "dates" or (by == "auto" and job is not None and job.dates and not parallel)

    def pieces(self, dates: Dates, calendar: Calendar) -> tuple[tuple[date, ...], ...]:
        """Cut dates into lists, or into runs within one season between whose ends no other game date lies."""
        before = {b.day: a.day for a, b in itertools.pairwise(calendar.days) if a.season == b.season}
        found: list[list[date]] = []
        for day in sorted(set(dates)):
            last = found[-1] if found else []
            if last and len(last) < self.settings.dates_per_job and (self.by_dates or before.get(day) == last[-1]):
                last.append(day)
            else:
                found.append([day])
        return tuple(map(tuple, found))

    def argv(self, dates: Dates) -> list[str]:
        """Return program and arguments for some dates."""
        job, days = self.table.job, sorted(dates)
        argv = [word.replace("{script}", job.script if job else "") for word in self.settings.argv]
        argv += job.arguments if job else ()
        if self.by_dates:
            return [*argv, "--dates", ",".join(day.isoformat() for day in days)]
        argv += ["--start-date", days[0].isoformat(), "--end-date", days[-1].isoformat()]
        if self.settings.workers and job and job.workers:
            argv += ["--parallel", "--workers", str(self.settings.workers)]
        return argv

    def execute(self, table: Table, dates: Dates, context: Context) -> Mapping[date, str]:
        """Run one job to its end, or end it, and return what is to be said about dates that it did not report done."""
        argv, days = self.argv(dates), [day.isoformat() for day in sorted(dates)]
        with ExitStack() as opened:
            with self._files(context.folder / "jobs") as (log, lock):
                file = opened.enter_context(LogFile(Path(log.name)))
                child = self._start(argv, log, lock, context.held)
            job = {"table": self.table.name, "pid": child.pid, "created": born(child.pid), "log": log.name}
            job |= {"host": socket.gethostname(), "alive": lock.name, "argv": argv, "dates": days}
            how = self._watch(job, file, context, child)
            return self._words(dates, file.log, how, child.returncode)

    def adopt(self, table: Table, context: Context) -> tuple[date, ...]:
        """Follow jobs of this run to their end whose starter died; return their dates, none if there are none."""
        ended = {(job["pid"], job["created"]) for job in context.history("job_ended") if job["table"] == table.name}
        dates: set[date] = set()
        for job in reversed(context.history("job_started")):
            if job["table"] != table.name or (job["pid"], job["created"]) in ended:
                continue
            if (host := job["host"]) != socket.gethostname():
                what = f"Process {job['pid']} on {host} was started to write it, and nobody saw its end."
                hint = f"Go on with this run on {host}; or, once the process is gone there, start a new run."
                raise CourtbookError(Reason.TABLE_HELD, what, where=table.full_name, next_action=hint)
            # Without its log, the end of a job is all there is to see.
            with LogFile(Path(job["log"] if Path(job["log"]).is_file() else os.devnull)) as file:
                self._watch(job, file, context)
            dates |= {date.fromisoformat(day) for day in job["dates"]}
        return tuple(sorted(dates))

    @contextmanager
    def _files(self, folder: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Open the log of a new job and its lock, which the job inherits and so holds while it lives."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths = (folder.resolve() / f"{self.table.name}-{number}.log" for number in itertools.count(1))
            path = next(path for path in paths if not path.exists())
            with path.open("xb") as log, Path(f"{path}.alive").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield log, lock
        except OSError as error:
            reason = Reason.DISK_FULL if error.errno in _FULL else Reason.JOB_FAILED
            what = f"The log of a job cannot be made: {error.strerror}."
            hint = "Make room on the disk, or allow to write there; then start again."
            raise CourtbookError(reason, what, where=str(folder), next_action=hint) from error

    def _start(self, argv: list[str], log: BinaryIO, lock: BinaryIO, held: tuple[int, ...]) -> subprocess.Popen[bytes]:
        folder = self.root / self.settings.folder
        utf8 = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        try:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"there is no folder {folder}")
            return subprocess.Popen(  # noqa: S603 - the operator's own program
                argv,
                cwd=folder,
                env={**os.environ, **utf8, **self.settings.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,  # a file, which goes on without us
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(), *held),
            )
        except OSError as error:
            Path(log.name).unlink()
            Path(lock.name).unlink()
            what = f"{argv[0]} cannot be started: {error.strerror}."
            where, hint = f"executors.{self.table.name}", "Correct 'argv' or 'folder': relative paths begin at"
            raise CourtbookError(Reason.JOB_FAILED, what, where=where, next_action=f"{hint} {folder}.") from error

    def _watch(
        self, job: Mapping[str, Any], file: LogFile, context: Context, child: subprocess.Popen[bytes] | None = None
    ) -> str:
        """Follow a job until it is over, end it if it takes too long or we are to stop, and record how it ended."""
        group = Group(job["pid"], job["created"], Path(job["alive"]))
        over = "ended" if child or group.lives() else "lost"
        started, how, gone = time.monotonic(), "stopped", False
        try:
            if child:
                context.record("job_started", **job)  # what is on no record must not run
            how = self._follow(group, file, context) or over
        finally:
            try:
                gone = how == over or group.stop(self.settings.grace)
            finally:
                status = _status(child, 1.0 if gone else 0.0)
            if not gone:
                what = f"Process {group.pid} was killed and still lives."
                hint = "See what it waits for and end it; then start again: its dates are read back first."
                raise CourtbookError(Reason.TABLE_HELD, what, where=self.table.full_name, next_action=hint)
            said, seconds = file.finish(), round(time.monotonic() - started, 3)
            about = {name: job[name] for name in ("table", "pid", "created", "log")}
            failed = [day.isoformat() for day in said.dates(Said.FAILED)]
            dates = {"done": len(said.dates(Said.DONE)), "failed": failed, "skipped": len(said.dates(Said.SKIPPED))}
            errors = {"errors": said.errors[:3], "error_count": said.error_count, "lines": said.lines}
            context.record("job_ended", **about, how=how, status=status, seconds=seconds, reported=dates, **errors)
        return how

    def _follow(self, group: Group, file: LogFile, context: Context) -> Literal["", "hung", "over time"]:
        """Read a log as it grows until the whole job is gone; return why not, if it lasts longer than it may."""
        started = heard = time.monotonic()  # a clock that nobody sets
        while True:
            lives = group.lives()
            size = file.read(_CHUNK)
            now = time.monotonic()
            heard = now if size else heard
            if not lives and not size:
                return ""
            if lives and now - heard > self.settings.silent:
                return "hung"
            if lives and now - started > self.settings.limit:
                return "over time"
            context.check_stop()
            if size < _CHUNK and lives:
                time.sleep(self.poll)

    def _words(self, dates: Dates, log: JobLog, how: str, status: int | None) -> dict[date, str]:
        """Say something about the dates that the job did not report done, if there is anything to say."""
        why = ""
        if how == "hung":
            why = f"the job was ended: it wrote nothing for {self.settings.silent:g} s"
        elif how == "over time":
            why = f"the job was ended: it took longer than {self.settings.limit:g} s"
        elif status:
            why = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
            why += f": {log.cause.strip()}" if log.cause else ""
        words = {day: why for day in dates if why and day not in log.days}
        for day, event in log.days.items():
            if day in dates and event.state is not Said.DONE:
                words[day] = f"reported {event.state.value}" + (f": {event.words}" if event.words else "")
        return words
