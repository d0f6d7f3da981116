"""The chain over real data, and what it says about real gaps."""

import json
import os

import pytest
from courtbook.evidence.ledger import Ledger
from small_run import ROOT, Small

FOLDER = ROOT.parent / "shared" / "data" / "nba"
pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.xdist_group("real")]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    if not FOLDER.is_dir():
        if "CI" in os.environ:
            pytest.fail(f"CI needs the real data in {FOLDER}")
        pytest.skip(f"no real data in {FOLDER}")
    folder = tmp_path_factory.mktemp("real")
    small = Small(folder)
    path = f"warehouse.path={folder / 'real.duckdb'}"
    done = small.here("run", "params/real.yaml", "--set", path, "--runs-dir", str(small.runs))
    return small, path, done


def test_verdict_is_no_go_because_the_injury_reports_are_missing(real):
    small, _, done = real
    assert done.returncode == 1, done.stdout + done.stderr
    last = next(line for line in done.stdout.splitlines() if "NO-GO" in line)
    assert last.startswith("50_ml_readiness")
    gate = Ledger(small.latest / "ledger.jsonl").last("gate", gate="ml")
    assert gate["blockers"] == ["feature_constant"]
    result = json.loads((small.latest / "50_ml_readiness" / "attempt-1" / "result.json").read_text())
    found = {item["id"]: item for gate in result["gates"] for item in gate["results"]}
    assert found["feature_constant"]["detail"] == "injury_risk"


def test_real_gaps_are_named_while_loading(real):
    _, _, done = real
    assert "nbac_injury_report: table without a source" in done.stderr
    assert "2021-22 Play-In" in done.stderr


def test_play_in_dates_without_box_scores_are_source_gaps_not_failures(real):
    small, path, _ = real
    done = small.here("coverage", "params/real.yaml", "--set", path, "--json")
    found = {item["table"]: item for item in json.loads(done.stdout)}
    # 917 dates with a regular-season, play-in or playoff game and three Cup finals, 70 of them in the bootstrap.
    assert found["upcoming_team_game_context"]["dates_with_data"] == 920
    assert found["player_game_summary"]["expected_dates"] == 850
    assert found["player_game_summary"]["covered_dates"] == 844
    assert found["player_game_summary"]["dates_without_source"] == 6
    assert all(item["partial_dates"] == 0 for item in found.values())
