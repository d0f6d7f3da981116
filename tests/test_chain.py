"""The whole chain on a small league: from the incident's state to GO, and every way to stop before."""

import json
import os
import re
import signal
from pathlib import Path

import nbformat
import pytest
from courtbook.catalog import load_catalog
from courtbook.evidence.bundle import sha256
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import read_manifest
from courtbook.verify import verify
from small_run import Small

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chain")]
PHASE3 = [table.name for table in load_catalog().tables.values() if table.layer.value == "phase3"]
PHASE4 = [table.name for table in load_catalog().tables.values() if table.layer.value == "phase4"]
NOTEBOOKS = [step.notebook for step in load_catalog().steps]


def run(small, *arguments):
    """Run the chain; the notebooks have processes of their own, the command itself need not."""
    return small.here("run", small.params, "--runs-dir", str(small.runs), *arguments)


def coverage(small):
    return {item["table"]: item for item in json.loads(small.here("coverage", small.params, "--json").stdout)}


@pytest.fixture(scope="module")
def repaired(prepared, tmp_path_factory):
    """A small project after one full run, with coverage before it and what the command said."""
    small = Small.make(tmp_path_factory.mktemp("repaired"), warehouse=prepared["incident"].warehouse)
    before = coverage(small)
    return small, before, small.run()


def test_incident_is_repaired_and_judged_go(repaired):
    small, before, done = repaired
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(item["covered_dates"] < item["expected_dates"] for item in before.values()) == 8
    after = coverage(small)
    for name in [*PHASE3, *PHASE4]:
        assert after[name]["covered_dates"] == after[name]["expected_dates"] > 0, name
        assert after[name]["found_rows"] == after[name]["expected_rows"], name
    assert all(after[name]["unexpected_dates"] == 0 for name in PHASE4), "rows inside the bootstrap"


def test_prints_one_line_a_step_then_verdict_and_archive(repaired):
    small, _, done = repaired
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:7]] == NOTEBOOKS
    assert all(re.search(r" GO +\d+\.\d s ", line) for line in lines[:7])
    assert lines[-3].startswith("GO  small")
    assert Path(lines[-1].removeprefix("archive: ")) == small.latest
    assert "--resume" not in done.stdout, "there is nothing to go on with"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_executed_notebook_is_kept_whole(repaired, name):
    small, _, _ = repaired
    attempt = small.latest / name / "attempt-1"
    notebook = nbformat.read(attempt / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "cells ran in order, none skipped"
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert figures, "a step shows at least one figure"
    assert all(output.metadata["image/png"]["alt"] for output in figures)
    assert any("GO" in "".join(output.get("data", {}).get("text/plain", "")) for output in outputs)
    page = (attempt / f"{name}.html").read_text()
    assert page.count("<img alt=") == len(figures)
    assert "No description has been provided" not in page
    assert json.loads((attempt / "result.json").read_text())["verdict"] == "GO"


def test_every_declared_check_has_reported(repaired):
    small, _, _ = repaired
    reported = {
        result["id"]
        for file in small.latest.glob("*/attempt-1/result.json")
        for gate in json.loads(file.read_text())["gates"]
        for result in gate["results"]
    }
    assert reported == {check.id for check in load_catalog().checks}


def shown(run, name, cell):
    """Return what a cell of an executed notebook shows as text."""
    notebook = nbformat.read(run / name / "attempt-1" / f"{name}.ipynb", as_version=4)
    (found,) = (item for item in notebook.cells if item.id == cell)
    return "".join(output.data["text/plain"] for output in found.outputs)


def test_the_last_gate_shows_decision_confidence_reasoning_and_next_action(repaired):
    small, _, _ = repaired
    text = shown(small.latest, "50_ml_readiness", "decision")
    total = len(load_catalog().checks)
    assert re.search(rf"confidence +high: 9\d\.\d % of the {total} checks of this run passed, 6 NO_DATA", text)
    assert re.search("decision +GO", text)
    assert "Train the model" in text
    boxes = shown(small.latest, "90_sign_off", "checklist")
    assert len(boxes.splitlines()) == len(load_catalog().checklist) + 3
    assert boxes.count("a person, with the signature") == 3


def test_archive_is_sealed_verifies_and_says_what_the_tables_held(repaired):
    small, _, done = repaired
    seal = read_manifest(small.latest / "manifest.json")
    told = verify(small.latest, None)
    assert told.findings == ()
    assert told.counted["checks"] == len(load_catalog().checks)
    assert f"sha256:{seal.digest}" in done.stdout
    assert seal.evidence["verdict"] == "GO"
    assert set(seal.evidence["sources"]) == {f"{name}.ipynb" for name in NOTEBOOKS}
    before, after = (seal.evidence["tables"][when] for when in ("before", "after"))
    assert before["ml_feature_store_v2"]["rows"] == 0 < after["ml_feature_store_v2"]["rows"]
    assert before["nbac_schedule"] == after["nbac_schedule"], "a run does not touch the raw layer"
    kinds = [event["kind"] for event in Ledger(small.latest / "ledger.jsonl").events()]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_ended"
    assert kinds.count("step_concluded") == 7
    assert kinds.count("query") > 200, "every statement is on record"


def test_second_run_finds_nothing_to_do_keeps_the_first_archive_and_passes_over_a_damaged_one(repaired):
    small, _, _ = repaired
    first = small.latest
    seal = sha256(first / "manifest.json")
    damaged = small.runs / "20990101T000000Z-small"
    damaged.mkdir()
    (damaged / "ledger.jsonl").write_text("changed\n")
    try:
        done = run(small, "--to", "phase3_backfill")
    finally:
        (damaged / "ledger.jsonl").unlink()
        damaged.rmdir()
    assert done.returncode == 0, done.stdout
    assert "0 table-dates written" in done.stdout
    assert small.latest != first
    assert sha256(first / "manifest.json") == seal
    page = (small.latest / "00_preflight" / "attempt-1" / "00_preflight.html").read_text()
    assert f"Against {first.name}" in page
    assert "not used as baseline" in page
    assert "Against 2099" not in page


def test_phase4_first_stops_at_the_gate_and_writes_nothing(prepared, tmp_path):
    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse, more="first_step: phase4_backfill")
    before = sha256(tmp_path / "small.duckdb")
    done = run(small)
    assert done.returncode == 1, done.stdout + done.stderr
    for name in ("team_defense_game_summary", "upcoming_player_game_context", "upcoming_team_game_context"):
        assert name in done.stdout
    assert "NO-GO" in done.stdout
    assert done.stdout.splitlines()[-1] == f"go on:   courtbook run --resume {small.latest.name}"
    assert sha256(tmp_path / "small.duckdb") == before
    kept = small.latest / "30_phase4_backfill" / "attempt-1" / "30_phase4_backfill.ipynb"
    errors = [
        output
        for cell in nbformat.read(kept, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert [error.ename for error in errors] == ["NoGo"], "the failed notebook is kept and says why"
    assert read_manifest(small.latest / "manifest.json").evidence["verdict"] == "NO-GO"
    assert verify(small.latest, None).findings == ()


def test_an_overridden_gate_lets_the_chain_go_on_and_everything_after_it_says_degraded(prepared, tmp_path):
    more = "thresholds: {usage_rate: {minimum: 1.01}}\noverride: {gate: phase3, by: Ann Boss, reason: model is due}"
    more += "\nfirst_step: phase3_validation"
    small = Small.make(tmp_path, state="complete", warehouse=prepared["complete"].warehouse, more=more)
    done = run(small)
    assert done.returncode == 1, done.stdout + done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[:5]] == ["DEGRADED"] * 5
    assert "\nDEGRADED  small" in done.stdout
    assert read_manifest(small.latest / "manifest.json").evidence["verdict"] == "DEGRADED"
    assert verify(small.latest, None).findings == ()
    gate = Ledger(small.latest / "ledger.jsonl").last("gate", gate="phase3")
    assert (gate["verdict"], gate["override"]["by"], gate["blockers"]) == ("DEGRADED", "Ann Boss", ["usage_rate"])
    assert gate["thresholds"] == ["usage_rate"]
    for name in NOTEBOOKS[3:]:
        page = (small.latest / name / "attempt-1" / f"{name}.html").read_text()
        assert page.count("DEGRADED") >= 2, name
        assert "Ann Boss" in page, name
    assert re.search("confidence +limited", shown(small.latest, "50_ml_readiness", "decision"))
    for name in ("20_phase3_validation/attempt-1/results-phase3.md", "90_sign_off/attempt-1/handoff.md"):
        text = (small.latest / name).read_text()
        assert "DEGRADED" in text.splitlines()[0]
        assert "model is due" in text


def test_a_sample_that_fails_behind_an_overridden_gate_is_no_go_and_stops_before_the_rest(prepared, tmp_path):
    more = "first_step: phase4_backfill\noverride: {gate: phase3, by: Ann Boss, reason: model is due}"
    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse, more=more)
    done = run(small)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NO-GO" in done.stdout
    assert "held back: ml_feature_store_v2" in done.stdout
    after = coverage(small)
    assert 0 < after["player_shot_zone_analysis"]["dates_with_data"] <= 2, "only the sample was written"


def test_writing_cells_refuse_without_the_gate_whoever_calls(prepared, tmp_path, monkeypatch):
    from courtbook.catalog import Layer
    from courtbook.errors import GateClosed
    from courtbook.step import Step

    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse)
    monkeypatch.chdir(tmp_path)
    step = Step.open("phase4_backfill", params_file=small.params, run_dir=str(tmp_path / "run"))
    plan = step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4))
    before = sha256(tmp_path / "small.duckdb")
    with pytest.raises(GateClosed, match="not decided"):
        step.backfill(plan)
    step.check("phase3")
    with pytest.raises(GateClosed, match="closed"):
        step.backfill(plan)
    assert sha256(tmp_path / "small.duckdb") == before


def test_dry_run_plans_shows_and_writes_nothing(prepared, tmp_path):
    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse, more="first_step: phase3_backfill")
    before = sha256(tmp_path / "small.duckdb")
    done = run(small, "--set", "dry_run=true")
    assert done.returncode == 1
    assert "dry run" in done.stdout
    assert "planned and not written" in done.stdout
    assert sha256(tmp_path / "small.duckdb") == before
    plan = json.loads((small.latest / "10_phase3_backfill" / "attempt-1" / "plan.json").read_text())
    assert any(task["dates"] for task in plan["tasks"])


def test_a_terminated_run_ends_cleanly_and_says_interrupted(prepared, tmp_path):
    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse)
    chain = small.start()
    small.wait_for(chain, lambda event: event["kind"] == "step_opened")
    os.kill(chain.pid, signal.SIGTERM)
    _, stderr = chain.communicate(timeout=60)
    assert chain.returncode == 4
    assert "interrupted" in stderr
    events = Ledger(small.only_run / "ledger.jsonl").events()
    assert events[-1]["data"]["verdict"] == "INTERRUPTED"
    small.edit("CREATE TABLE free_again (it INTEGER)")  # a reader that is left would not let anybody write


def test_two_runs_at_once_do_not_disturb_each_other(prepared, tmp_path):
    running = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        small = Small.make(tmp_path / name, warehouse=prepared["incident"].warehouse)
        running.append(small.start("--from", "phase3_backfill", "--to", "phase3_backfill"))
    said = [process.communicate(timeout=200) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
