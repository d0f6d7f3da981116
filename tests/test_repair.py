"""One repair by command, and the plan that a run would make: what is written, what is left older, what is refused."""

import json
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from courtbook.backfill.locks import hold
from courtbook.catalog import Layer, load_catalog
from courtbook.chain import Chain, resume_chain
from courtbook.checks.result import Verdict
from courtbook.errors import CourtbookError, ExitCode, ParameterError, Reason
from courtbook.evidence.bundle import sha256
from courtbook.evidence.history import read_history
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import read_manifest
from courtbook.params_file import load_params
from courtbook.repair import repair as repair_in_process
from courtbook.verify import verify
from courtbook.warehouse.opening import open_warehouse
from small_run import Small

CATALOG = load_catalog()
PGS, TEAMS, PLAYERS = "player_game_summary", "upcoming_team_game_context", "upcoming_player_game_context"
CACHE, DEFENSE = "player_daily_cache", "team_defense_game_summary"
Done = subprocess.CompletedProcess


@pytest.fixture
def complete(prepared: dict[str, Small], tmp_path: Path) -> Small:
    """A project of its own in which nothing is missing."""
    return Small.make(tmp_path, warehouse=prepared["complete"].warehouse)


@pytest.fixture
def incident(prepared: dict[str, Small], tmp_path: Path) -> Small:
    """A project of its own in the incident's state."""
    return Small.make(tmp_path, warehouse=prepared["incident"].warehouse)


def repair(small: Small, table: str, dates: str, *more: str, process: bool = False) -> "Done[str]":
    arguments = ["backfill", small.params, "--runs-dir", str(small.runs), "--table", table]
    give = small.courtbook if process else small.here
    return give(*arguments, *(["--dates", dates] if dates else []), *more)


def plan(small: Small, *more: str, process: bool = False) -> "Done[str]":
    give = small.courtbook if process else small.here
    return give("plan", small.params, "--runs-dir", str(small.runs), *more)


def ages(small: Small) -> dict[tuple[str, date], tuple[int, int, int]]:
    """Return when the rows of each table and date were made, first and last, and how many there are."""
    ages = "EPOCH_US(MIN(processed_at)), EPOCH_US(MAX(processed_at)), COUNT(*)"
    return {
        (table.name, day): (first, last, count)
        for table in CATALOG.processed
        for day, first, last, count in small.rows(
            f"SELECT {table.date_column}, {ages} FROM {table.full_name} GROUP BY 1"
        )
    }


def rewritten(before: dict[Any, Any], after: dict[Any, Any]) -> set[tuple[str, str]]:
    assert set(before) == set(after)
    return {(table, str(day)) for (table, day), made in after.items() if made != before[table, day]}


def expect_one_line(done: "Done[str]", code: int, *words: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_a_repair_writes_these_dates_of_this_table_and_keeps_a_record(complete: Small) -> None:
    before = ages(complete)
    done = repair(complete, PGS, "2024-12-10,2024-12-12..2024-12-14", process=True)
    assert done.returncode == 0, done.stdout + done.stderr
    written = rewritten(before, ages(complete))
    days = sorted(day for _, day in written)
    assert {table for table, _ in written} == {PGS}
    assert days[0] == "2024-12-10"
    assert all("2024-12-12" <= day <= "2024-12-14" for day in days[1:])
    assert len(days) > 1
    assert all(made[2] == before[key][2] for key, made in ages(complete).items()), "as many rows as before"
    # The record is that of a run.
    run = Path(re.findall(r"^archive: (.*)$", done.stdout, re.MULTILINE)[0])
    assert run.parent == complete.runs
    assert PGS in run.name
    kinds = [event["kind"] for event in Ledger(run / "ledger.jsonl").events()]
    assert kinds[-1] == "run_ended"
    assert {"run_started", "gate", "plan", "dates", "step_concluded"} <= set(kinds)
    attempt = run / "10_phase3_backfill" / "attempt-1"
    frozen = json.loads((attempt / "plan.json").read_text())
    assert {task["table"]: task["dates"] for task in frozen["tasks"] if task["dates"]} == {
        PGS: dict.fromkeys(days, "forced")
    }
    assert json.loads((attempt / "result.json").read_text())["verdict"] == "GO"
    manifest = read_manifest(run / "manifest.json")
    assert manifest.evidence["verdict"] == "GO"
    assert verify(run, None).findings == ()
    assert manifest.files["ledger.jsonl"]["sha256"] == sha256(run / "ledger.jsonl")
    # What looks back at these dates is older now.
    count = int(next(word for word in done.stdout.split("older than this now: ")[1].split()))
    assert f"{count} dates of {PLAYERS}" in done.stdout
    assert f"next: courtbook run {complete.params} --set backfill.mode=stale" in done.stdout
    stale = json.loads(plan(complete, "--set", "backfill.mode=stale", "--json").stdout)
    found = {task["table"]: task["dates"] for item in stale for task in item["tasks"]}
    assert set(found[PLAYERS].values()) == {"stale"}
    assert len(found[PLAYERS]) == count > 10
    assert min(found[PLAYERS]) > days[0]
    assert found[PGS] == {}
    status = complete.here("status", "--runs-dir", str(complete.runs))
    assert " complete  (phase3_backfill, GO)" in status.stdout.splitlines()[0]


def test_what_a_repair_leaves_older_is_told_for_tables_of_the_next_phase_too(complete: Small) -> None:
    done = repair(complete, DEFENSE, "2024-12-10")
    assert done.returncode == 0, done.stdout + done.stderr
    stale = json.loads(plan(complete, "--set", "backfill.mode=stale", "--json").stdout)
    found = {task["table"]: task["dates"] for item in stale for task in item["tasks"]}
    assert found["team_defense_zone_analysis"], "its windows look back at the date"
    assert "older than this now: " in done.stdout
    assert "dates of team_defense_zone_analysis" in done.stdout
    assert "next: courtbook run" in done.stdout


def test_a_repair_that_nothing_reads_leaves_nothing_to_do(complete: Small) -> None:
    done = repair(complete, "ml_feature_store_v2", "2024-12-10")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "older than this now" not in done.stdout
    assert "next:" not in done.stdout


def test_a_repair_behind_a_closed_gate_writes_nothing(complete: Small) -> None:
    complete.edit("UPDATE nba_analytics.player_game_summary SET usage_rate = NULL")
    before = ages(complete)
    done = repair(complete, CACHE, "2024-12-10")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("NO-GO  phase3: ")
    assert PGS in done.stdout
    assert "Traceback" not in done.stderr
    assert rewritten(before, ages(complete)) == set()
    (run,) = complete.runs.glob("2*")
    assert read_manifest(run / "manifest.json").evidence["verdict"] == "NO-GO"
    assert verify(run, None).findings == ()
    assert Ledger(run / "ledger.jsonl").last("dates") is None


def test_a_dry_repair_plans_and_writes_nothing(complete: Small) -> None:
    before = sha256(complete.warehouse)
    done = repair(complete, PGS, "2024-12-10", "--set", "dry_run=true")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 table-dates are planned and not written" in done.stdout
    assert sha256(complete.warehouse) == before


def test_a_repair_that_does_not_come_out_complete_is_no_go(complete: Small) -> None:
    raw = "nba_raw.nbac_team_boxscore"
    complete.edit(f"INSERT INTO {raw} SELECT * FROM {raw} WHERE game_date = DATE '2024-12-10'")
    more = "thresholds={raw_duplicates.nbac_team_boxscore: {maximum: 100}}"
    done = repair(complete, DEFENSE, "2024-12-10", "--set", more)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 table-dates failed" in done.stdout


def test_a_repair_waits_for_nobody_who_writes_the_table(complete: Small) -> None:
    before = ages(complete)
    lock = open_warehouse(complete.read()).locks / f"{PGS}.lock"
    with hold(lock, {"run": "another one"}, PGS, Reason.TABLE_HELD):
        done = repair(complete, PGS, "2024-12-10")
    expect_one_line(done, 5, f"The table {PGS} is held by run another one")
    assert rewritten(before, ages(complete)) == set()
    (run,) = complete.runs.glob("2*")
    assert read_manifest(run / "manifest.json").evidence["verdict"] == "INTERRUPTED"
    assert verify(run, None).findings == ()


def test_a_repair_is_no_chain_to_go_on_with(complete: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed as a run, it would do seven steps that nobody asked for, in a folder that is sealed."""
    done = repair_in_process(complete.read(), "ml_feature_store_v2", "2024-12-10", complete.runs)
    assert done.verdict is Verdict.GO
    before = sha256(done.folder / "ledger.jsonl")
    monkeypatch.setattr(Chain, "run", lambda chain, steps: pytest.fail(f"it runs {[step.name for step in steps]}"))
    with pytest.raises(CourtbookError) as caught:
        resume_chain(done.folder, tell=print)
    assert caught.value.exit_code is ExitCode.USAGE
    assert sha256(done.folder / "ledger.jsonl") == before


@pytest.mark.parametrize(
    ("table", "dates", "words"),
    [
        ("player_game_sumary", "2024-12-10", ["--table player_game_sumary", "There is no such table", PGS]),
        ("nbac_schedule", "2024-12-10", ["--table nbac_schedule", "These can be written", PGS]),
        (PGS, "", ["--dates", "A repair without dates is refused"]),
        (PGS, " ", ["--dates", "A repair without dates is refused"]),
        (PGS, ",", ["--dates", "An empty selection is refused"]),
        (PGS, "2024-12-25,2024-12-24", ["--dates", "No game that counts was played on 2024-12-24"]),
        (PGS, "2023-12-10", ["No game that counts was played on 2023-12-10", "range"]),
        (PGS, "2025-01-01..2025-01-31", ["No game that counts was played on 2025-01-01..2025-01-31"]),
        (PGS, "2024-12-12..2024-12-10", ["No game that counts was played on 2024-12-12..2024-12-10"]),
        (PGS, "yesterday", ["'yesterday' is no date and no range of dates", "YYYY-MM-DD"]),
        (PGS, "2024-12-10..", ["'2024-12-10..' is no date and no range of dates"]),
        (PGS, "2024-12-32", ["'2024-12-32' is no date"]),
    ],
)
def test_a_repair_of_nothing_is_refused_in_one_line(
    prepared: dict[str, Small], table: str, dates: str, words: list[str]
) -> None:
    small = prepared["complete"]
    before = sha256(small.warehouse)
    with pytest.raises(ParameterError) as caught:
        repair_in_process(load_params(Path(small.params)), table, dates, small.runs)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert sha256(small.warehouse) == before
    assert not small.runs.exists()


def test_the_command_refuses_in_one_line_too(prepared: dict[str, Small]) -> None:
    expect_one_line(
        repair(prepared["complete"], PGS, "", process=True), 2, "--dates", "A repair without dates is refused"
    )


def test_the_plan_says_which_dates_of_which_table_and_why(prepared: dict[str, Small]) -> None:
    small = prepared["incident"]
    before = sha256(small.warehouse)
    done = plan(small, process=True)
    assert done.returncode == 0, done.stderr
    assert "Plan of phase3: 57 table-dates" in done.stdout
    assert "Plan of phase4: " in done.stdout
    rows = {line.split()[1]: line for line in done.stdout.splitlines() if line.split()[:1] in (["1"], ["2"], ["3"])}
    assert set(rows) == {table.name for table in CATALOG.processed}
    assert "4 missing" in rows[DEFENSE]
    assert "2024-12-28 .. 2024-12-31" in rows[DEFENSE]
    assert "nothing to do" in rows[PGS]
    assert rows[PLAYERS].split()[0] > rows[TEAMS].split()[0], "levels in order"
    assert " sql " in rows[DEFENSE]
    assert "no history" in rows[DEFENSE]
    assert sha256(small.warehouse) == before
    assert not small.runs.exists()


def test_the_plan_as_json_has_levels_reasons_estimates_and_caps(prepared: dict[str, Small]) -> None:
    phase3, phase4 = json.loads(plan(prepared["incident"], "--json", "--set", "backfill.max_hours=2").stdout)
    assert (phase3["layer"], phase4["layer"]) == ("phase3", "phase4")
    tasks = {task["table"]: task for item in (phase3, phase4) for task in item["tasks"]}
    assert tasks[DEFENSE]["dates"] == dict.fromkeys([f"2024-12-{day}" for day in (28, 29, 30, 31)], "missing")
    assert phase3["table_dates"] == sum(len(task["dates"]) for task in phase3["tasks"]) == 57
    assert [task["level"] for task in phase4["tasks"]] == sorted(task["level"] for task in phase4["tasks"])
    assert tasks[CACHE]["level"] > tasks["player_shot_zone_analysis"]["level"]
    assert phase3["estimate"] == {"seconds": None, "bytes": None}, "nothing is known yet"
    assert phase3["cap"] == phase4["cap"] == {"table_dates": 20_000, "hours": 2.0, "bytes": None}


def test_estimates_come_from_what_earlier_runs_took(incident: Small) -> None:
    assert repair(incident, TEAMS, "2024-12-26..2024-12-31").returncode == 0
    (run,) = incident.runs.glob("2*")
    took = Ledger(run / "ledger.jsonl").data("dates")
    rate = sum(data["seconds"] for data in took) / sum(len(data["done"]) for data in took)
    (phase3, _) = json.loads(plan(incident, "--json").stdout)
    tasks = {task["table"]: task for task in phase3["tasks"]}
    assert len(tasks[TEAMS]["dates"]) > 10
    assert tasks[TEAMS]["estimate"]["seconds"] == pytest.approx(rate * len(tasks[TEAMS]["dates"]))
    assert tasks[DEFENSE]["estimate"]["seconds"] is None
    assert phase3["estimate"]["seconds"] is None, "one table without history, and the sum is not known"
    # Another warehouse may be slower or faster.
    other = incident.folder / "other.duckdb"
    shutil.copyfile(incident.warehouse, other)
    (phase3, _) = json.loads(plan(incident, "--json", "--set", f"warehouse.path={other}").stdout)
    assert all(task["estimate"]["seconds"] is None for task in phase3["tasks"])


def test_a_run_counts_once_in_the_history_however_many_names_it_has(tmp_path: Path) -> None:
    for name, seconds in (("one", 10.0), ("two", 40.0)):
        (tmp_path / name).mkdir()
        ledger = Ledger(tmp_path / name / "ledger.jsonl")
        ledger.append("step_opened", warehouse="duckdb:w")
        done = [f"2024-11-{day:02d}" for day in range(1, 11)]
        ledger.append("dates", table=PGS, executor="sql", done=done, failed=[], seconds=seconds)
    (tmp_path / "LATEST").symlink_to("two", target_is_directory=True)
    assert read_history(tmp_path, "duckdb:w").seconds == {(PGS, "sql"): pytest.approx(50 / 20)}


def test_a_plan_over_its_cap_is_shown_and_refused(prepared: dict[str, Small]) -> None:
    done = plan(prepared["incident"], "--set", "backfill.max_table_dates=50")
    expect_one_line(
        done, 5, "backfill.max_table_dates", "The plan of phase3 is 57 table-dates, more than the 50 allowed"
    )
    assert "Plan of phase4" in done.stdout


def test_a_plan_of_a_range_without_games_is_refused(prepared: dict[str, Small]) -> None:
    settings = ["--set", "range.start=2024-08-01", "--set", "range.end=2024-08-31"]
    expect_one_line(plan(prepared["incident"], *settings), 2, "No game that counts", "2024-08-01 to 2024-08-31")


def test_a_damaged_earlier_run_is_named_and_passed_over(incident: Small) -> None:
    damaged = incident.runs / "20260105T090000Z-small"
    damaged.mkdir(parents=True)
    (damaged / "ledger.jsonl").write_text("torn\n")
    done = plan(incident)
    assert done.returncode == 0
    assert "not used as history" in done.stderr
    assert "Plan of phase3: 57 table-dates" in done.stdout


def test_a_correction_of_raw_data_is_planned_with_all_that_looks_back_at_it(prepared: dict[str, Small]) -> None:
    small = prepared["complete"]
    for item in json.loads(plan(small, "--json").stdout):
        assert item["table_dates"] == 0
    told = json.loads(plan(small, "--json", "--set", "backfill.changed=[2024-12-10]").stdout)
    tasks = {task["table"]: task["dates"] for item in told for task in item["tasks"]}
    assert tasks[PGS] == tasks[DEFENSE] == {"2024-12-10": "forced"}
    assert tasks[PLAYERS]["2024-12-10"] == "forced"
    later = {day: why for day, why in tasks[PLAYERS].items() if day != "2024-12-10"}
    assert set(later.values()) == {"stale"}
    assert min(later) > "2024-12-10"
    for table in CATALOG.layer(Layer.PHASE4):
        assert tasks[table.name], table.name
        assert min(tasks[table.name]) >= "2024-12-10"
