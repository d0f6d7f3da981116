"""The logs of the operator's jobs: every format, nothing counted twice, nothing believed that is no report."""

import ast
import time
import tracemalloc
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from courtbook.backfill.joblog import JobLog, LogEvent, LogFile, Said, load_formats, read_log
from hypothesis import given
from hypothesis import strategies as st

D1, D2, D3, D4 = (date(2024, 5, day) for day in (1, 2, 3, 4))
PREFIX = "2026-01-05 19:30:12,345 - INFO - "
DONE, FAILED, SKIPPED = Said.DONE, Said.FAILED, Said.SKIPPED

SEQUENTIAL = """\
Starting day-by-day analytics backfill from 2024-05-01 to 2024-05-04
✅ Pre-flight check passed: Phase 3 data is ready
Processing 4 days individually (day-by-day approach)
Processing day 1/4: 2024-05-01
  ✓ Success: 1,120 records from 4 games
  ⚠ 3 players not found in registry
Processing day 2/4: 2024-05-02
  ✗ Failed: 2024-05-02
Processing day 3/4: 2024-05-03
  ✗ Exception: 404 not found: table
Progress: 3/4 days (33.3% success), 1120 total records (avg 120.0/day)
  ✓ Success: 20 records in all
Processing day 4/4: 2024-05-04
  ✓ Success: 0 records
================================================================================
DAY-BY-DAY BACKFILL SUMMARY:
  Successful days: 2
  Failed days: 2
  ✓ Success: 2 records

📊 Checkpoint Summary:
   Total successful: 0

  Failed dates (2 total):
    2024-05-02, 2024-05-03
  ✗ Failed: 2024-05-02
  ✗ 2024-05-03: again
    python x_backfill.py --dates 2024-05-02,2024-05-03
"""
PARALLEL = """\
🚀 PARALLEL BACKFILL MODE - 15 CONCURRENT WORKERS
Processing 4 days with 15 parallel workers
  ✓ 2024-05-02: 120 records
  ✗ 2024-05-01: quota exceeded: wait
PROGRESS: 2/4 days (50.0%)
  Success: 20 (50.0%)
  ✓ Success: 1 records
  Failed: 1
  Records: "1,234" (avg 120/day)
  ⏭ 2024-05-03: bootstrap period
Exception processing 2024-05-04: connection reset
PARALLEL BACKFILL COMPLETE
  Successful: 1
  Failed: 2
"""
CONTEXT = """\
========================================
Processing date 1/4: 2024-05-01
========================================
✅ 2024-05-01: Processed 210 players (3 failed)
⚠️  2024-05-02: Processing failed - no schedule
❌ 2024-05-03: Exception - timed out
✅ 2024-05-04: Processed 8 teams, 4 games
BACKFILL COMPLETE
Days Processed: 2/4
Days Failed: 2
"""
PHASE4 = """\
Processing 4 game dates (of 4 total game dates)
Processing game date 1/4: 2024-05-01
  ✓ Success: 410 players, version=v1
Processing game date 2/4: 2024-05-02
  ⏭ Skipped: bootstrap period
Processing game date 3/4: 2024-05-03
  ✗ Failed: Missing critical dependencies
Progress: 3/4 game dates
Processing game date 4/4: 2024-05-04
  ✓ Success: 30 teams processed
PHASE 4 BACKFILL SUMMARY - Processor:
  Successful: 2, Skipped: 1, Failed: 1
  Failed dates: [datetime.date(2024, 5, 3)]
"""
LISTS = """\
Processing 4 specific dates
Processing date 1/4: 2024-05-01
  ✓ Dry run: 4 games available
  ✗ Failed: Unknown error
2024-05-02: success
2024-05-03: skipped_bootstrap
2024-05-04: exception
Summary: 1 success, 1 skipped, 2 failed
"""
EXPECTED = {
    SEQUENTIAL: [
        LogEvent(D1, DONE, 1120, "1,120 records from 4 games"),
        LogEvent(D2, FAILED, None, ""),
        LogEvent(D3, FAILED, None, "404 not found: table"),
        LogEvent(D4, DONE, 0, "0 records"),
    ],
    PARALLEL: [
        LogEvent(D2, DONE, 120, "120 records"),
        LogEvent(D1, FAILED, None, "quota exceeded: wait"),
        LogEvent(D3, SKIPPED, None, "bootstrap period"),
        LogEvent(D4, FAILED, None, "connection reset"),
    ],
    CONTEXT: [
        LogEvent(D1, DONE, 210, "Processed 210 players (3 failed)"),
        LogEvent(D2, FAILED, None, "Processing failed - no schedule"),
        LogEvent(D3, FAILED, None, "Exception - timed out"),
        LogEvent(D4, DONE, 8, "Processed 8 teams, 4 games"),
    ],
    PHASE4: [
        LogEvent(D1, DONE, 410, "410 players, version=v1"),
        LogEvent(D2, SKIPPED, None, "bootstrap period"),
        LogEvent(D3, FAILED, None, "Missing critical dependencies"),
        LogEvent(D4, DONE, 30, "30 teams processed"),
    ],
    LISTS: [
        LogEvent(D1, FAILED, None, "Unknown error"),
        LogEvent(D2, DONE, None, ""),
        LogEvent(D3, SKIPPED, None, "skipped"),
        LogEvent(D4, FAILED, None, "exception"),
    ],
}


def parse(pieces: Iterable[str]) -> tuple[JobLog, list[LogEvent]]:
    log = JobLog()
    events = [event for piece in pieces for event in log.feed(piece)]
    return log, events + log.close()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("prefix", ["", PREFIX, "2026-01-05T19:30:12 - backfill.job - INFO - "])
@pytest.mark.parametrize("text", EXPECTED, ids=["sequential", "parallel", "context", "phase4", "lists"])
def test_every_format_gives_its_reports(text: str, prefix: str, ends: str) -> None:
    log, events = parse(prefix + line + ends for line in text.splitlines())
    assert events == EXPECTED[text]
    assert sorted(log.days) == [D1, D2, D3, D4]
    assert {event.day: event for event in events} == log.days
    assert log.lines == len(text.splitlines())
    assert log.error_count == 0


MIXED = "".join(
    f"{PREFIX}{line}\n" if number % 2 else f"{line}\n"
    for number, line in enumerate((SEQUENTIAL + "noise\n" * 30 + PARALLEL + PHASE4 + CONTEXT).splitlines())
)
MIXED += "Traceback (most recent call last):\n  File 'x'\n\nValueError: no\n" + "x" * 9000 + "✓ 2024-05-01: no\n✗ torn"


def state(log: JobLog, events: list[LogEvent]) -> object:
    return (
        *(events, log.days, log.lines, list(log.last), log.errors, log.error_count),
        *(log.cause, log.current, log.number, log.total),
    )


WHOLE = state(*parse([MIXED]))


@given(st.lists(st.integers(0, len(MIXED)), max_size=60).map(sorted))
def test_it_does_not_matter_how_the_text_is_cut(cuts: list[int]) -> None:
    bounds = [0, *cuts, len(MIXED)]
    assert state(*parse(MIXED[a:b] for a, b in pairwise(bounds))) == WHOLE


def test_it_may_come_letter_by_letter() -> None:
    assert state(*parse(MIXED)) == WHOLE


TOKENS = [*"✓✗⏭✅❌⚠: -0123456789\n\r", "2024-05-01", " Success", "Processing day ", "Traceback", PREFIX]


@given(st.lists(st.sampled_from(TOKENS)).map("".join))
def test_nonsense_is_no_error(text: str) -> None:
    parse([text])


@pytest.mark.parametrize(
    "line",
    [
        "✅ Pre-flight check passed: Phase 3 data is ready",
        "✅ 2024 done",
        "✓ Success: 20",
        "  Success: 20 (100.0%)",
        "  ✓ 2024-13-01: 120 records",
        "✗ Failed: 3",
        "Failed: 2024-05-01",
        "    2024-05-01, 2024-05-02",
        "2024-05-01: successful",
        "⚠️  Pre-flight check SKIPPED (--skip-preflight flag used)",
        "⏭ Skipped: bootstrap period",
        "   - 2024-05-01: coverage 0.0% < 90.0%",
        "[✓ 2024-05-01: 12 records",
    ],
)
def test_lines_that_are_no_report(line: str) -> None:
    log, events = parse([f"{line}\n", f"{PREFIX}{line}\n"])
    assert (events, log.days) == ([], {})


def test_the_last_report_of_a_date_counts() -> None:
    log, events = parse(
        ["✓ 2024-05-01: 5 records\n", "✗ 2024-05-01: no\n", "✗ 2024-05-01: no\n", "✓ 2024-05-01: 6 records\n"]
    )
    assert [event.state for event in events] == [DONE, FAILED, DONE]
    assert log.days == {D1: LogEvent(D1, DONE, 6, "6 records")}
    assert (log.dates(DONE), log.dates(FAILED)) == ((D1,), ())


def test_the_day_in_work_is_known() -> None:
    log = JobLog()
    log.feed(f"{PREFIX}Processing day 7/930: 2024-05-01\n{PREFIX}half a li")
    assert (log.current, log.number, log.total) == (D1, 7, 930)
    log.feed("ne\nProcessing day 8/930: 2024-02-31\n  ✓ Success: 3 records\n")
    assert (log.current, log.days) == (None, {})


def test_errors_are_counted_and_the_first_ones_kept() -> None:
    error = "2026-01-05 19:30:12,345 - ERROR - "
    log, _ = parse(
        [
            f"{error}{'=' * 70}\n{error}\n{error}  ✗ 2024-05-01: reported, hence no error of its own\n",
            f"{PREFIX}ERROR is only a word here\n",
            f"{error}quota exceeded\n",
            "Traceback (most recent call last):\n  File 'a.py', line 3\n    ✓ 2024-05-02: 3 records\n\n",
            "google.api.NotFound: 404\n2026-01-05 19:30:12,345 - CRITICAL - giving up\n",
            *(f"{error}number {n}\n" for n in range(30)),
        ]
    )
    assert log.errors[:3] == ["quota exceeded", "google.api.NotFound: 404", "giving up"]
    assert (len(log.errors), log.error_count, log.cause) == (10, 33, "number 29")
    assert list(log.days) == [D1]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("usage: x.py [-h]\n   [--dates DATES]\nx.py: error: unrecognized arguments: --dates a\n",) * 2,
        (
            "2026-01-05 19:30:12,345 - ERROR - ❌ PRE-FLIGHT CHECK FAILED: Phase 3 data is incomplete!\n"
            "2026-01-05 19:30:12,345 - ERROR - Options:\n",
            "❌ PRE-FLIGHT CHECK FAILED: Phase 3 data is incomplete!",
        ),
        ("/bin/python: can't open file '/x.py': [Errno 2] No such file or directory\n",) * 2,
        ("one\nsh: 1: gcloud: not found\n\n", "sh: 1: gcloud: not found"),
        ("", ""),
    ],
)
def test_the_cause_is_the_line_that_explains_most(text: str, cause: str) -> None:
    log, _ = parse([text])
    assert log.cause == cause.splitlines()[-1] if cause else log.cause == ""


def test_every_pattern_has_a_hint_in_its_lines() -> None:
    """A line without a hint is never looked at; so none that reports something may be without."""
    formats = load_formats()
    lines = [line for text in EXPECTED for line in text.splitlines()]
    lines += ["Unexpected exception: x", "Unexpected exception processing 2024-05-01: x", "2024-05-01: failed"]
    known = [line for line in lines if formats.known.match(line)]
    assert len(known) > 30
    assert [line for line in known if not formats.hints.search(line)] == []
    for _, pattern in formats.outcomes:
        assert any(pattern.match(line) for line in known), pattern.pattern


def test_invalid_bytes_harm_only_their_own_line(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_bytes(
        "✓ 2024-05-01: 5 records\n".encode() + b"\xff\xfe \xe2\x9c\n" + "✗ 2024-05-02: caf".encode() + b"\xe9\n\xe2"
    )
    log = read_log(path)
    assert log.days == {D1: LogEvent(D1, DONE, 5, "5 records"), D2: LogEvent(D2, FAILED, None, "caf�")}
    assert log.lines == 4


def test_a_sign_that_is_cut_in_its_bytes_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_bytes(SEQUENTIAL.encode())
    with LogFile(path) as file:
        while file.read(1):
            pass
        assert state(file.log, []) == state(parse([SEQUENTIAL])[0], [])
        with path.open("ab") as more:
            more.write("Processing day 5/5: 2024-05-05\n  ✓ Success: 9 records".encode())
        assert file.finish().days[date(2024, 5, 5)].records == 9


def test_a_line_without_an_end_costs_no_memory() -> None:
    log, piece = JobLog(), "✓ x" * 300_000
    tracemalloc.start()
    for _ in range(100):
        log.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6
    log.feed("\n✓ 2024-05-01: 5 records\n")
    assert (log.lines, list(log.days)) == (2, [D1])
    assert max(map(len, log.last)) <= 500


@pytest.mark.parametrize(
    "block",
    [
        f"{PREFIX}fetched another page of rows, nothing special about it\n",
        f"{PREFIX}Processing day 1/1: 2024-05-01\n{PREFIX}  ✓ Success: 4 records\n"
        + f"{PREFIX}saved a file of rows\n" * 60,
    ],
)
def test_long_logs_are_read_quickly(tmp_path: Path, block: str) -> None:
    path = tmp_path / "job.log"
    path.write_bytes(block.encode() * (20_000_000 // len(block.encode())))
    started = time.perf_counter()
    log = read_log(path)
    assert time.perf_counter() - started < 2  # about 0.2 s on two cores
    assert log.lines > 200_000


def test_formats_are_data() -> None:
    import courtbook.backfill.joblog as module

    code = ast.unparse(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))
    assert not any(sign in code for sign in "✓✗⏭✅❌⚠")
