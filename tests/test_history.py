"""What earlier runs leave to know: which dates failed last, how long dates take, and what cannot be used."""

import os
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest
from courtbook.evidence.history import LATEST, days_of, outcomes, read_history
from courtbook.evidence.ledger import Ledger

HERE, ELSEWHERE = "duckdb:/data/here.duckdb", "duckdb:/data/elsewhere.duckdb"
DAYS = [date(2024, 3, day) for day in range(1, 8)]


class Runs:
    """A folder of runs, each younger than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = 1_700_000_000

    def open(self, name: str, warehouse: str | None = HERE) -> Ledger:
        (self.folder / name).mkdir()
        ledger = Ledger(self.folder / name / "ledger.jsonl")
        ledger.append("step_opened", step="x", **({"warehouse": warehouse} if warehouse else {}))
        return ledger

    def put(
        self,
        ledger: Ledger,
        done: Iterable[date] = (),
        failed: Iterable[date] = (),
        table: str = "games",
        executor: str = "sql",
        seconds: float = 0.0,
    ) -> None:
        ledger.append(
            "dates",
            table=table,
            executor=executor,
            done=[day.isoformat() for day in done],
            failed=[day.isoformat() for day in failed],
            seconds=seconds,
        )
        time.sleep(0.002)  # events tell their time in milliseconds
        self.clock += 10
        os.utime(ledger.path, (self.clock, self.clock))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """An empty folder of runs."""
    return Runs(tmp_path)


def test_the_last_attempt_at_a_date_counts() -> None:
    events = [
        {"table": "games", "done": ["2024-03-01", "2024-03-02"], "failed": ["2024-03-03"]},
        {"table": "players", "done": [], "failed": ["2024-03-01"]},
        {"table": "games", "done": ["2024-03-03"], "failed": ["2024-03-02"]},
    ]
    last = outcomes(events)
    assert days_of(last, succeeded=True) == {"games": {DAYS[0], DAYS[2]}, "players": set()}
    assert days_of(last, succeeded=False) == {"games": {DAYS[1]}, "players": {DAYS[0]}}


def test_without_runs_nothing_is_known(runs: Runs) -> None:
    for folder in (runs.folder, runs.folder / "no such folder"):
        history = read_history(folder, HERE)
        assert (history.failed, history.seconds, history.skipped) == ({}, {}, ())


def test_what_failed_is_known_until_a_later_run_did_it(runs: Runs) -> None:
    first = runs.open("z-first")
    runs.put(first, failed=DAYS[:3])
    assert read_history(runs.folder, HERE).failed == {"games": set(DAYS[:3])}
    second = runs.open("a-second")
    runs.put(second, done=DAYS[:1], failed=DAYS[3:4])
    assert read_history(runs.folder, HERE).failed == {"games": set(DAYS[1:4])}
    runs.put(runs.open("m-third"), done=DAYS)
    assert read_history(runs.folder, HERE).failed == {"games": set()}


def test_the_last_attempt_counts_though_an_older_run_went_on_with_other_dates(runs: Runs) -> None:
    older, younger = runs.open("1-older"), runs.open("2-younger")
    runs.put(older, failed=DAYS[:1], done=DAYS[1:2])
    runs.put(younger, done=DAYS[:1], failed=DAYS[1:2])
    runs.put(older, done=DAYS[5:])  # resumed
    assert read_history(runs.folder, HERE).failed == {"games": set(DAYS[1:2])}


def test_only_runs_of_the_same_warehouse_count(runs: Runs) -> None:
    runs.put(runs.open("1", ELSEWHERE), failed=DAYS[:1], seconds=1000)
    runs.put(runs.open("2", None), failed=DAYS[1:2], seconds=1000)
    runs.put(runs.open("3"), done=DAYS[:4], failed=DAYS[4:5], seconds=10)
    history = read_history(runs.folder, HERE)
    assert history.failed == {"games": {DAYS[4]}}
    assert history.seconds == {("games", "sql"): 2.0}
    assert history.skipped == ()


def test_seconds_are_those_of_a_date_by_table_and_executor(runs: Runs) -> None:
    one, other = runs.open("1"), runs.open("2")
    runs.put(one, done=DAYS[:6], seconds=3)
    runs.put(other, done=DAYS[:1], failed=DAYS[1:2], seconds=5)
    runs.put(other, done=DAYS[:2], seconds=100, executor="command")
    runs.put(other, done=DAYS[:1], seconds=7, table="players")
    runs.put(other, seconds=7, table="teams")
    seconds = read_history(runs.folder, HERE).seconds
    assert seconds == {("games", "sql"): 1.0, ("games", "command"): 50.0, ("players", "sql"): 7.0}


@pytest.mark.parametrize("damage", ["changed", "cut", "no event"])
def test_a_broken_ledger_is_passed_over_and_named(runs: Runs, damage: str) -> None:
    broken = runs.open("1-broken")
    runs.put(broken, failed=DAYS[:2])
    runs.put(broken, done=DAYS[:1])
    runs.put(runs.open("2-whole"), failed=DAYS[3:4])
    lines = broken.path.read_text().splitlines(keepends=True)
    broken.path.write_text(
        {
            "changed": "".join(lines).replace("2024-03-01", "2024-03-05"),
            "cut": lines[0] + lines[2],
            "no event": "".join(lines) + "{}\n",
        }[damage]
    )
    history = read_history(runs.folder, HERE)
    assert history.failed == {"games": {DAYS[3]}}
    [words] = history.skipped
    assert words.startswith("not used as history: ")
    assert str(broken.path) in words


def test_a_line_that_is_being_written_does_no_harm(runs: Runs) -> None:
    ledger = runs.open("1")
    runs.put(ledger, failed=DAYS[:1])
    with ledger.path.open("a") as file:
        file.write('{"kind": "dates", "da')
    history = read_history(runs.folder, HERE)
    assert (history.failed, history.skipped) == ({"games": {DAYS[0]}}, ())


def test_only_the_latest_runs_are_looked_at(runs: Runs) -> None:
    runs.put(runs.open("oldest"), failed=DAYS[:1])
    for number in range(LATEST):
        runs.put(runs.open(f"{number}"), done=DAYS[1:2])
    assert read_history(runs.folder, HERE).failed == {"games": set()}


def test_the_link_to_the_latest_run_takes_no_runs_place(runs: Runs) -> None:
    runs.put(runs.open("oldest"), failed=DAYS[:1])
    for number in range(LATEST - 1):
        runs.put(runs.open(f"{number}"), done=DAYS[1:2])
    (runs.folder / "LATEST").symlink_to(f"{LATEST - 2}")
    assert read_history(runs.folder, HERE).failed == {"games": {DAYS[0]}}
