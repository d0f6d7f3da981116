"""A stand-in for the operator's ten backfill scripts: their flags, their log lines, their exit statuses, and faults.

It fills the table in a DuckDB file, one date at a time, as the real scripts fill theirs.
"""

import argparse
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

NO_LISTS = ("upcoming_player_game_context", "upcoming_team_game_context")
NO_PARALLEL = ("player_shot_zone_analysis",)
UNITS = {"pgs": "records", "parallel": "records", "upgc": "players", "phase4": "players"}
log = logging.getLogger("stand_in")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stand_in.py")
    parser.add_argument("--table", required=True)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--fault", default="none")
    parser.add_argument("--style", choices=sorted(UNITS), default="pgs")
    parser.add_argument("--after", type=int, default=1, help="dates that are done before the fault")
    parser.add_argument("--fail-dates", default="")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds before each date")
    table = parser.parse_known_args()[0].table
    # What the real scripts know.
    parser.add_argument("--start-date", type=date.fromisoformat)
    parser.add_argument("--end-date", type=date.fromisoformat)
    parser.add_argument("--no-resume", action="store_true")
    if table not in NO_LISTS:
        parser.add_argument("--dates", default="")
    if table not in NO_PARALLEL:
        parser.add_argument("--parallel", action="store_true")
        parser.add_argument("--workers", type=int, default=15)
    return parser.parse_args()


class Table:
    """The table that is filled; courtbook is loaded only by jobs that come to write something."""

    def __init__(self, name: str, path: Path, days: list[date]) -> None:
        from courtbook.calendar import read_calendar
        from courtbook.catalog import load_catalog
        from courtbook.params import Params, RangeParams
        from courtbook.params_warehouse import WarehouseParams
        from courtbook.warehouse.duckdb import DuckDBWarehouse

        self.table = load_catalog().tables[name]
        self.warehouse = DuckDBWarehouse(path)
        params = Params(
            name="job", warehouse=WarehouseParams(path=str(path)), range=RangeParams(start=min(days), end=max(days))
        )
        self.calendar = patiently(lambda: read_calendar(self.warehouse, params))

    def fill(self, day: date) -> int:
        from courtbook.backfill.sql import replace_dates

        patiently(lambda: replace_dates(self.warehouse, self.table, self.calendar, [day]))
        where = f"FROM {self.table.full_name} WHERE {self.table.date_column} = DATE '{day}'"
        return int(self.run(f"SELECT COUNT(*) {where}")[0][0])

    def halve(self, day: date) -> None:
        name, where = self.table.full_name, f"{self.table.date_column} = DATE '{day}'"
        half = f"SELECT rowid FROM {name} WHERE {where} LIMIT (SELECT COUNT(*) // 2 FROM {name} WHERE {where})"
        self.run(f"DELETE FROM {name} WHERE rowid IN ({half})")

    def run(self, sql: str) -> list[tuple]:
        import duckdb

        def go() -> list[tuple]:
            with duckdb.connect(str(self.warehouse.path)) as connection:
                return connection.execute(sql).fetchall()

        return patiently(go)


def patiently(call, seconds: float = 8.0):
    """Call again while somebody else has the file open."""
    until = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Exception as error:
            if time.monotonic() > until or not any(word in str(error) for word in ("in use", "lock", "is open")):
                raise
            time.sleep(0.05)


def days_of(args: argparse.Namespace) -> list[date]:
    if getattr(args, "dates", ""):
        return [date.fromisoformat(item.strip()) for item in args.dates.split(",")]
    if args.start_date is None or args.end_date is None:
        log.error("Start date is required")
        sys.exit(1)
    return [args.start_date + timedelta(days=n) for n in range((args.end_date - args.start_date).days + 1)]


def announce(style: str, number: int, total: int, day: date) -> None:
    if style != "parallel":
        log.info(
            "Processing %s %d/%d: %s", {"phase4": "game date", "pgs": "day"}.get(style, "date"), number, total, day
        )


def succeeded(style: str, day: date, rows: int) -> None:
    log.info(
        {
            "pgs": "  ✓ Success: {rows} records from 4 games",
            "parallel": "  ✓ {day}: {rows} records",
            "upgc": "✅ {day}: Processed {rows} players (0 failed)",
            "phase4": "  ✓ Success: {rows} players",
        }[style].format(day=day, rows=rows)
    )


def failed(style: str, day: date) -> None:
    text = {
        "pgs": "  ✗ Failed: {day}",
        "parallel": "  ✗ {day}: no rows from the source",
        "upgc": "⚠️  {day}: Processing failed",
        "phase4": "  ✗ Failed: no rows from the source",
    }
    (log.warning if style == "upgc" else log.error)(text[style].format(day=day))


def summary(style: str, done: int, bad: list[date]) -> None:
    title = {"pgs": "DAY-BY-DAY BACKFILL SUMMARY:", "phase4": "PHASE 4 BACKFILL SUMMARY - Processor:"}
    log.info("=" * 80)
    log.info(title.get(style, "PARALLEL BACKFILL COMPLETE" if style == "parallel" else "BACKFILL COMPLETE"))
    log.info("  Successful days: %d", done)
    log.info("  Failed days: %d", len(bad))
    if bad:
        log.info("\n  Failed dates (%d total):", len(bad))
        log.info("    %s", ", ".join(map(str, bad[:10])))
        log.info("    python stand_in.py --dates %s", ",".join(map(str, bad[:5])))
    log.info("=" * 80)


def hand_over(args: argparse.Namespace, rest: list[date], *, daemon: bool) -> None:
    """Let a child do the rest and end at once: one of the same group, or one in a session of its own."""
    command = [sys.executable, __file__, "--table", args.table, "--warehouse", args.warehouse, "--style", args.style]
    command += ["--pace", str(args.pace), "--dates", ",".join(map(str, rest))]
    # Descriptors are closed by default, as by most programs that start another one; a daemon keeps them here.
    subprocess.Popen(command, close_fds=not daemon, start_new_session=daemon)
    log.info("PARENT GOES")
    os._exit(0)


def strike(args: argparse.Namespace, rest: list[date]) -> None:
    """Do what the fault is, after some dates."""
    if args.fault == "ignore_term":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if args.fault in ("hang", "ignore_term"):
        log.info("HANGING")
        while True:
            time.sleep(60)
    if args.fault == "crash":
        raise RuntimeError("quota exceeded")
    if args.fault == "flood":
        block = (b"2026-01-05 19:30:12,345 - INFO - fetched another page of rows, nothing special about it\n") * 10_000
        for _ in range(int(args.megabytes * 1e6 / len(block)) + 1):
            sys.stderr.buffer.write(block)
    if args.fault == "bad_utf8":
        os.write(2, b"\xff\xfe\x80 caf\xe9 \xe2\x9c\n\xe2")
        os.write(2, b"\x9c\x93 not a line of ours\n")
    if args.fault in ("fork", "daemon"):
        hand_over(args, rest, daemon=args.fault == "daemon")
    if args.fault == "full_log":  # for files that are written through this process's limit, hence only for a moment
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
    if "--fault=preflight" in sys.argv:
        log.error("=" * 70)
        log.error("❌ PRE-FLIGHT CHECK FAILED: Phase 3 data is incomplete!")
        log.error("Options:")
        log.error("  2. Use --skip-preflight to bypass (NOT RECOMMENDED)")
        sys.exit(1)
    args = arguments()
    if args.fault == "exit1":
        sys.exit(1)
    style = "parallel" if getattr(args, "parallel", False) else args.style
    days = days_of(args)
    fail = {date.fromisoformat(item) for item in args.fail_dates.split(",") if item}
    table = None if args.fault == "lies" else Table(args.table, Path(args.warehouse), days)
    games = set(table.calendar.dates()) if table else set(days)
    if style == "phase4":
        days = [day for day in days if day in games]
    done, bad = 0, []
    for number, day in enumerate(days, start=1):
        if number == args.after + 1:
            strike(args, days[number - 1 :])
        time.sleep(args.pace)
        limited = args.fault == "full_log" and number > args.after
        announce(style, number, len(days), day) if not limited else None
        if args.fault == "exit0_failed" and day in fail:
            bad.append(day)
            failed(style, day)
            continue
        rows = table.fill(day) if table and day in games else 0
        if table and args.fault == "half_date" and number > args.after:
            table.halve(day)
        done += 1
        if limited:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))  # what is written now gets lost
        succeeded(style, day, rows if table else 120)
        if limited:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if number % 10 == 0:
            log.info("Progress: %d/%d days (100.0%% success), 1200 total records (avg 120.0/day)", number, len(days))
    summary(style, done, bad)


if __name__ == "__main__":
    main()
