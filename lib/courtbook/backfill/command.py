"""The executor for the operator's own scripts: started, watched, ended if need be, and never believed."""

import errno
import fcntl
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
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


@dataclass(frozen=True)
class CommandExecutor:
    """Runs the script of one table.

    Parameters
    ----------
    root : Path
        Folder of the project; the working folder of the settings is relative to it.
    poll : float
        Seconds between two looks at a job.

    Raises
    ------
    ParameterError
        If the settings ask for what the script cannot do.
    """

    table: Table
    settings: CommandParams
    root: Path
    domain: str = "nba"
    poll: float = 0.2
    kind: str = "command"

    def __post_init__(self) -> None:
        where, job = f"executors.{self.table.name}", self.table.job
        if job is None and any("{script}" in word for word in self.settings.argv):
            raise ParameterError(
                "The catalog names no script for this table, so {script} stands for nothing.",
                where=f"{where}.argv",
                next_action="Write the path of the program itself.",
            )
        if job is not None and not job.dates and self.settings.by == "dates":
            raise ParameterError(
                f"{job.script} does not take --dates lists.",
                where=f"{where}.by",
                next_action="Write 'range' or 'auto'.",
            )

    @property
    def by_dates(self) -> bool:
        """Whether jobs get lists of dates; with a list, the scripts ignore that they should work in parallel."""
        if self.settings.by != "auto":
            return self.settings.by == "dates"
        job = self.table.job
        return job is not None and job.dates and not (self.settings.workers and job.workers)

    def pieces(self, dates: Dates, calendar: Calendar) -> tuple[tuple[date, ...], ...]:
        """Cut dates into lists, or into runs within one season between whose ends no other game date lies."""
        place = {item.day: (number, item.season) for number, item in enumerate(calendar.days)}
        found: list[list[date]] = []
        for day in sorted(set(dates)):
            last = place.get(found[-1][-1]) if found else None
            fits = bool(found) and len(found[-1]) < self.settings.dates_per_job
            if fits and (self.by_dates or (last and place.get(day) == (last[0] + 1, last[1]))):
                found[-1].append(day)
            else:
                found.append([day])
        return tuple(tuple(days) for days in found)

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
        argv = self.argv(dates)
        log, lock = self._files(context.folder / "jobs")
        with LogFile(Path(log.name), self.domain) as file:
            with log, lock:
                child = self._start(argv, log, lock, context.held)
            group = Group(child.pid, born(child.pid), Path(lock.name))
            start = {
                "host": socket.gethostname(),
                "alive": lock.name,
                "argv": argv,
                "dates": [day.isoformat() for day in sorted(dates)],
            }
            how = self._watch(group, file, log.name, context, child.poll, start=start)
            return self._words(dates, file.log, how, child.returncode)

    def adopt(self, table: Table, context: Context) -> tuple[date, ...]:
        """Follow jobs of this run to their end whose starter died; return their dates, none if there are none."""
        ended = {(job["pid"], job["created"]) for job in context.history("job_ended") if job["table"] == table.name}
        dates: set[date] = set()
        for job in reversed(context.history("job_started")):
            if job["table"] != table.name or (job["pid"], job["created"]) in ended:
                continue
            if job["host"] != socket.gethostname():
                raise CourtbookError(
                    Reason.TABLE_HELD,
                    f"Process {job['pid']} on {job['host']} was started to write it, and nobody saw its end.",
                    where=table.full_name,
                    next_action=f"Go on with this run on {job['host']}; or make sure there that the process is gone,"
                    " then start a new run.",
                )
            group = Group(job["pid"], job["created"], Path(job["alive"]))
            over = "ended" if group.lives() else "lost"
            # Without its log, the end of a job is all there is to see.
            log = job["log"] if Path(job["log"]).is_file() else os.devnull
            with LogFile(Path(log), self.domain) as file:
                self._watch(group, file, job["log"], context, lambda: None, over=over)
            dates |= {date.fromisoformat(day) for day in job["dates"]}
        return tuple(sorted(dates))

    def _start(
        self, argv: list[str], log: BinaryIO, lock: BinaryIO, held: tuple[int, ...]
    ) -> "subprocess.Popen[bytes]":
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
            raise CourtbookError(
                Reason.JOB_FAILED,
                f"{argv[0]} cannot be started: {error.strerror}.",
                where=f"executors.{self.table.name}",
                next_action=f"Correct 'argv' or 'folder': relative paths begin at {folder}.",
            ) from error

    def _files(self, folder: Path) -> tuple[BinaryIO, BinaryIO]:
        """Open the log of a new job and its lock, which the job inherits and so holds while it lives."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                path = folder.resolve() / f"{self.table.name}-{number}.log"
                with suppress(FileExistsError):
                    log = path.open("xb")
                    break
            try:
                lock = Path(f"{path}.alive").open("wb")  # noqa: SIM115 - who starts the job closes it
            except OSError:
                log.close()
                raise
        except OSError as error:
            raise CourtbookError(
                Reason.DISK_FULL if error.errno in _FULL else Reason.JOB_FAILED,
                f"The log of a job cannot be made: {error.strerror}.",
                where=str(folder),
                next_action="Make room on the disk, or allow to write there; then start again.",
            ) from error
        fcntl.flock(lock, fcntl.LOCK_EX)
        return log, lock

    def _watch(
        self,
        group: Group,
        file: LogFile,
        log: str,
        context: Context,
        status: Callable[[], int | None],
        *,
        start: Mapping[str, Any] | None = None,
        over: str = "ended",
    ) -> str:
        """Follow a job until it is over, end it if it takes too long or we are to stop, and record how it ended."""
        about = {"table": self.table.name, "pid": group.pid, "created": group.born, "log": log}
        started, how = time.monotonic(), "stopped"
        try:
            if start is not None:
                context.record("job_started", **about, **start)  # what is on no record must not run
            how = self._follow(group, file, context, status) or over
        finally:
            try:
                gone = how == over or group.stop(self.settings.grace)
            finally:
                exit_status = status()
            if not gone:
                raise CourtbookError(
                    Reason.TABLE_HELD,
                    f"Process {group.pid} was killed and still lives.",
                    where=self.table.full_name,
                    next_action="See what it waits for and end it; then start again: its dates are read back first.",
                )
            said = file.finish()
            context.record(
                "job_ended",
                **about,
                how=how,
                status=exit_status,
                seconds=round(time.monotonic() - started, 3),
                reported={
                    "done": len(said.dates(Said.DONE)),
                    "failed": [day.isoformat() for day in said.dates(Said.FAILED)],
                    "skipped": len(said.dates(Said.SKIPPED)),
                },
                errors=said.errors[:3],
                error_count=said.error_count,
                lines=said.lines,
            )
        return how

    def _follow(
        self, group: Group, file: LogFile, context: Context, status: Callable[[], int | None]
    ) -> Literal["", "hung", "over time"]:
        """Read a log as it grows until the whole job is gone; return why not, if it lasts longer than it may."""
        started = heard = time.monotonic()  # a clock that nobody sets
        while True:
            status()  # takes the leader's exit status, which it keeps as a zombie
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
        why = {
            "hung": f"the job was ended: it wrote nothing for {self.settings.silent:g} s",
            "over time": f"the job was ended: it took longer than {self.settings.limit:g} s",
        }.get(how, "")
        if not why and status:
            why = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
            why += f": {log.cause.strip()}" if log.cause else ""
        words = {}
        for day in dates:
            event = log.days.get(day)
            if event is None and why:
                words[day] = why
            elif event is not None and event.state is not Said.DONE:
                words[day] = f"reported {event.state.value}" + (f": {event.words}" if event.words else "")
        return words
