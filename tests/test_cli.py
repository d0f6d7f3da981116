"""The command as a user meets it: wrong input ends in one clear line, the right exit status, and nothing written."""

import json
import re
import subprocess
import sys
import time

import duckdb
import pytest
from courtbook.catalog import load_catalog
from courtbook.evidence.bundle import sha256
from courtbook.nba.faults import load_faults
from small_run import ROOT, Small

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def small(prepared):
    """A prepared small project; tests only read it."""
    return prepared["incident"]


@pytest.fixture
def complete(prepared):
    """A small project in which nothing is missing; tests only read it."""
    return prepared["complete"]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def run(small, *arguments):
    return small.here("run", small.params, "--runs-dir", str(small.runs), *arguments)


def expect_one_line(done, code, *words):
    lines = done.stderr.strip().splitlines()
    assert done.returncode == code, done.stdout + done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


HOLD = """\
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""
BAD_SETTINGS = [
    ("rnage.start=2024-11-01", ["rnage", "did you mean 'range'?"]),
    ("backfill.sampl_dates=1", ["backfill.sampl_dates", "did you mean 'sample_dates'?"]),
    ("spot_check_games=[0022400061]", ["spot_check_games", "0022400061", "4849713", "quote it"]),
    ("range.start=2025-01-01", ["start 2025-01-01 lies after end 2024-12-31"]),
    ("range.start=2024-13-01", ["--set range.start=2024-13-01"]),
    ("dry_run=perhaps", ["dry_run", "valid boolean"]),
    ("first_step=phase5", ["first_step"]),
    ("dry_run", ["key=value"]),
]


@pytest.mark.parametrize(("setting", "words"), BAD_SETTINGS, ids=[setting for setting, _ in BAD_SETTINGS])
def test_wrong_parameters_are_refused_before_anything_is_written(small, setting, words):
    before = files(small.folder)
    expect_one_line(run(small, "--set", setting), 2, *words)
    assert files(small.folder) == before


def test_range_without_games_is_refused(small):
    before = files(small.folder)
    done = run(small, "--set", "range.start=2024-08-01", "--set", "range.end=2024-08-31")
    expect_one_line(done, 2, "No game that counts", "2024-08-01 to 2024-08-31")
    assert files(small.folder) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [open", ["not valid YAML", "line 1"]),
        ("just a sentence", ["mapping"]),
        ("name: x\nname: y", ["stands twice"]),
        ("\x00\x01", ["not valid YAML"]),
    ],
)
def test_a_params_file_that_is_none(small, tmp_path, text, words):
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    expect_one_line(small.here("run", str(file), "--runs-dir", str(tmp_path / "runs")), 2, str(file), *words)
    assert files(tmp_path) == ["wrong.yaml"]


def test_a_params_file_that_is_not_there(small):
    expect_one_line(small.courtbook("run", "params/nowhere.yaml"), 2, "params/nowhere.yaml", "no such params file")


def test_a_missing_warehouse_names_the_file_and_the_command_that_builds_it(small, tmp_path):
    path = tmp_path / "nowhere.duckdb"
    for command in ("coverage", "check", "plan", "run"):
        done = small.here(command, small.params, "--set", f"warehouse.path={path}", "--set", "source=null")
        expect_one_line(done, 3, str(path), "does not exist", "courtbook prepare")
    assert files(tmp_path) == []


def test_a_corrupted_warehouse_is_named(small, tmp_path):
    path = tmp_path / "broken.duckdb"
    path.write_bytes(b"not a database" * 1000)
    done = small.run("--set", f"warehouse.path={path}")
    expect_one_line(done, 3, str(path), "--fresh")
    assert files(tmp_path) == ["broken.duckdb"]


def test_a_locked_warehouse_is_refused_and_its_holder_named(small, tmp_path):
    small = Small.make(tmp_path, warehouse=small.warehouse)
    path = small.warehouse
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "held\n"
        before = files(small.folder)
        at_once = ("--set", "warehouse.lock_wait=0")
        others = (small.here(name, small.params, *at_once) for name in ("coverage", "check", "plan"))
        for done in (run(small, *at_once), *others):
            expect_one_line(done, 5, str(path), f"PID {holder.pid}")
        assert files(small.folder) == before
    finally:
        holder.communicate()
    assert small.here("coverage", small.params).returncode == 0


def test_check_says_no_go_over_the_incident_and_names_tables_causes_and_repair(small):
    before = files(small.folder)
    digest = sha256(small.folder / "small.duckdb")
    done = small.courtbook("check", small.params, "--phase", "3")
    assert done.returncode == 1
    assert done.stdout.startswith("phase3     NO-GO")
    for words in ("coverage.upcoming_player_game_context", "likely  dates", f"courtbook run {small.params} --from"):
        assert words in done.stdout
    assert re.search(r"NO-GO  \d+ checks in \d+ queries, \d+\.\d s", done.stdout)
    assert files(small.folder) == before
    assert sha256(small.folder / "small.duckdb") == digest


def test_check_as_json_holds_every_declared_check_with_all_that_it_rests_on(small):
    done = small.here("check", small.params, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    results = {item["id"]: item for gate in told["gates"] for item in gate["results"]}
    assert set(results) == {check.id for check in load_catalog().checks}
    assert told["verdict"] == "NO-GO"
    assert told["queries"] <= 70
    missing = results["coverage.upcoming_team_game_context"]
    assert len(missing["dates"]) == missing["denominator"] - missing["numerator"] > 8
    for item in results.values():
        assert item["rule"]
        assert item["causes"]
        assert item["repair"]
        assert item["command"]
        assert item["seconds"] >= 0
        assert item["status"] in ("PASS", "WARN", "FAIL", "NO_DATA", "ERROR")
    assert "numerator_0" in results["duplicates.player_game_summary"]["sql"]
    assert results["duplicates.player_game_summary"]["job"] == results["usage_rate"]["job"] != ""


def test_check_is_go_over_a_complete_warehouse(complete):
    done = complete.here("check", complete.params)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("GO  ")


def test_rehearse_lists_the_faults(small):
    done = small.here("rehearse")
    assert done.returncode == 0
    for name in load_faults():
        assert re.search(rf"^{name} ", done.stdout, re.MULTILINE)


def test_rehearse_damages_a_copy_only_and_shows_which_checks_notice(complete, tmp_path):
    digest = sha256(complete.folder / "small.duckdb")
    kept = tmp_path / "damaged.duckdb"
    done = complete.here("rehearse", "minutes_null", "--params", complete.params, "--keep", str(kept))
    assert "minutes_played FAIL" in done.stdout
    assert sha256(complete.folder / "small.duckdb") == digest
    again = complete.here("check", complete.params, "--set", f"warehouse.path={kept}", "--phase", "3")
    assert again.returncode == 1
    assert "minutes_played" in again.stdout


def test_rehearse_refuses_what_it_does_not_know(complete):
    expect_one_line(complete.here("rehearse", "minutes_nul"), 2, "did you mean 'minutes_null'?")


def test_check_can_look_at_preflight_alone_and_refuses_other_phases(small):
    assert small.here("check", small.params, "--phase", "preflight").returncode == 0
    expect_one_line(small.here("check", small.params, "--phase", "5"), 2, "--phase 5", "preflight, 3, 4, ml")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("waivers.usage_rat.by=Ann", ["waivers.usage_rat.reason", "missing"]),
        (
            "waivers={usage_rat: {by: Ann, reason: r, until: 2030-01-01}}",
            ["waivers.usage_rat", "did you mean 'usage_rate'"],
        ),
        (
            "accept={player_game_summary: {fallback_confirmed: true, by: Ann, reason: r}}",
            ["upcoming_player_game_context"],
        ),
        ("accept={upcoming_team_game_context: {fallback_confirmed: false, by: A, reason: r}}", ["fallback_confirmed"]),
        ("override={gate: preflight, by: Ann, reason: r}", ["override.gate"]),
        ("override={gate: phase3, by: ' ', reason: r}", ["override.by"]),
        ("baseline=runs/nowhere", ["baseline", "nowhere", "recorded no check"]),
    ],
)
def test_options_that_name_nothing_or_nobody_are_refused(small, setting, words):
    done = small.here("check", small.params, "--set", setting)
    assert done.returncode == 2, done.stdout
    for word in words:
        assert word in done.stderr


def test_debug_shows_where(small):
    done = small.courtbook("--debug", "coverage", "params/nowhere.yaml")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")


def test_prepare_leaves_an_existing_warehouse_alone_unless_told(small, tmp_path):
    small = Small.make(tmp_path, warehouse=small.warehouse)
    path = small.warehouse
    before = path.stat().st_mtime_ns
    done = small.here("prepare", small.params)
    assert done.returncode == 0
    assert "exists already" in done.stdout
    assert path.stat().st_mtime_ns == before
    time.sleep(0.01)
    assert small.here("prepare", small.params, "--fresh").returncode == 0
    assert path.stat().st_mtime_ns != before


def test_what_a_warehouse_holds_does_not_depend_on_the_range_of_the_run_that_built_it(small, tmp_path):
    path = tmp_path / "narrow.duckdb"
    settings = ["--set", f"warehouse.path={path}"]
    narrow = [*settings, "--set", "range.end=2024-11-05"]
    assert small.here("prepare", small.params, *narrow).returncode == 0
    built, whole = (small.here("coverage", small.params, *more, "--json") for more in (settings, []))
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout) == json.loads(whole.stdout)


def test_load_refuses_bad_files_with_every_problem_and_loads_nothing(small, tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "games.csv").write_text("game_id,game_date\n22100001,2021-10-19\n")
    target = tmp_path / "loaded.duckdb"
    done = small.here("load", str(folder), "--warehouse", str(target))
    assert done.returncode == 2
    assert "games.csv" in done.stderr
    assert "season_type" in done.stderr
    assert "player_boxscores" in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()


def test_load_fills_raw_tables_and_a_run_takes_it_from_there(small, tmp_path):
    folder = ROOT.parent / "shared" / "data" / "nba"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}")
    target = tmp_path / "loaded.duckdb"
    done = small.here("load", str(folder), "--warehouse", str(target))
    assert done.returncode == 0, done.stderr
    assert "nbac_gamebook_player_stats 140,685" in done.stdout
    with duckdb.connect(str(target), read_only=True) as connection:
        assert connection.execute("SELECT COUNT(*) FROM nba_raw.nbac_schedule").fetchone() == (6774,)
    settings = ["--set", f"warehouse.path={target}", "--set", "source=null"]
    assert small.here("coverage", "params/real.yaml", *settings).returncode == 0


def test_help_names_every_command(small):
    done = small.courtbook("--help")
    assert done.returncode == 0
    for command in (
        "prepare", "load", "coverage", "check", "rehearse", "plan", "run", "backfill", "status", "stop",
    ):  # fmt: skip
        assert command in done.stdout
    assert small.here("--version").stdout.startswith("courtbook 0.")
    assert small.here("coverag").returncode == 2
