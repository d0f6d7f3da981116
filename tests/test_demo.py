"""The demo's starting point is the incident of January 2026, to the date."""

import json

import pytest
from small_run import ROOT, Small

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]

INCIDENT = {
    "player_game_summary": (918, 848, 848),
    "team_offense_game_summary": (924, 848, 848),
    "team_defense_game_summary": (852, 776, 848),
    "upcoming_player_game_context": (501, 446, 848),
    "upcoming_team_game_context": (555, 496, 848),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    path = f"warehouse.path={folder / 'demo.duckdb'}"
    small = Small(folder)
    done = small.here("prepare", "params/demo.yaml", "--set", path)
    assert done.returncode == 0, done.stderr
    return small, path


def read(small, path):
    done = small.here("coverage", "params/demo.yaml", "--set", path, "--json")
    assert done.returncode == 0, done.stderr
    return {item["table"]: item for item in json.loads(done.stdout)}


def test_coverage_before_the_run_is_that_of_the_incident(demo):
    found = read(*demo)
    assert len(found) == 10
    for name, figures in INCIDENT.items():
        item = found[name]
        assert (item["dates_with_data"], item["covered_dates"], item["expected_dates"]) == figures, name
        assert item["coverage"] == pytest.approx(figures[1] / figures[2])
    assert all(item["dates_with_data"] == 0 for name, item in found.items() if name not in INCIDENT)
    assert found["upcoming_player_game_context"]["missing"][:3] == ["2022-01-03", "2022-01-04", "2022-01-05"]


def test_the_checks_name_the_tables_of_the_incident_in_a_bounded_number_of_queries(demo):
    small, path = demo
    done = small.here("check", "params/demo.yaml", "--set", path, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    gates = {gate["gate"]: gate for gate in told["gates"]}
    assert gates["preflight"]["verdict"] == "GO"
    lost = {name for name, (_, covered, expected) in INCIDENT.items() if covered < expected}
    assert set(gates["phase3"]["tables"]) == lost
    assert gates["phase4"]["verdict"] == gates["ml"]["verdict"] == "NO-GO"
    assert told["queries"] <= 65
    found = {item["id"]: item for item in gates["phase3"]["results"]}
    assert (found["coverage.team_defense_game_summary"]["numerator"], 72) == (
        776,
        len(found["coverage.team_defense_game_summary"]["dates"]),
    )
    assert found["minutes_regression"]["status"] == "NO_DATA"


def test_coverage_as_a_table_says_which_metric_it_is(demo):
    small, path = demo
    done = small.here("coverage", "params/demo.yaml", "--set", path)
    assert "91.5 %" in done.stdout
    assert "52.6 %" in done.stdout
    assert "58.5 %" in done.stdout
    assert "the runbook's own metric" in done.stdout


def test_the_committed_params_are_the_ones_that_the_readme_names():
    for name in ("demo", "phase4_first", "real"):
        assert (ROOT / "params" / f"{name}.yaml").is_file()
        assert f"params/{name}.yaml" in (ROOT / "README.md").read_text()
