"""A run that is killed in each of its steps: what its archive says then, closed and resumed, and at the end."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from courtbook.catalog import load_catalog
from courtbook.chain import close_run, resume_chain
from courtbook.errors import CourtbookError, ExitCode
from courtbook.evidence.ledger import Event
from courtbook.evidence.record import read_run
from courtbook.verify import verify
from made_run import rewrite
from small_run import ROOT, Small

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("killed")]
STEPS = load_catalog().steps


def said(run: Path) -> list[str]:
    return [f"{item.where}: {item.what}" for item in verify(run, None).findings]


def begin(small: Small, step: str) -> "subprocess.Popen[str]":
    """Begin the run, or go on with it."""
    if step == STEPS[0].name:
        return small.start()
    return subprocess.Popen(
        [sys.executable, "-m", "courtbook.cli", "run", "--resume", small.only_run.name, "--runs-dir", str(small.runs)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_that_is_killed_in_every_step_tells_the_truth_each_time(
    prepared: dict[str, Small], tmp_path: Path
) -> None:
    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse)
    lines = [f"{'killed in':<20}  {'verification then says':<54}  closed  resumed in"]
    for number, step in enumerate(STEPS, start=1):
        process = begin(small, step.name)

        def opened(event: Event, name: str = step.name) -> bool:
            return event["kind"] == "step_opened" and event["data"]["step"] == name

        small.wait_for(process, opened)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        run = small.only_run
        before = said(run)
        (killed,) = [line for line in before if "the run has no end on record: it was killed" in line]
        close_run(run)
        attempt = read_run(run).attempts[-1]
        assert (attempt.step, attempt.verdict) == (step.name, "INTERRUPTED")
        assert attempt.why == "the runbook ended before the notebook did"
        told = verify(run, None)
        assert [f"{item.where}: {item.what}" for item in told.findings] == []
        assert told.verdict == "INTERRUPTED"
        notebook = nbformat.read(attempt.notebook, as_version=4)
        assert "INTERRUPTED" in notebook.cells[0].source
        states = [cell.metadata["courtbook"]["state"] for cell in notebook.cells if cell.cell_type == "code"]
        assert states[-1] == "not run"
        assert states == sorted(states, key=["done", "interrupted", "not run"].index), "what ran, then what did not"
        assert "INTERRUPTED" in attempt.notebook.with_suffix(".html").read_text()
        page = (run / f"index{f'-{number}' if number > 1 else ''}.html").read_text()
        assert re.search(r"INTERRUPTED", page)
        lines.append(f"{step.name:<20}  {killed[:52]:<54}  HOLDS   {step.name}")
    outcome = resume_chain(small.only_run, tell=lambda _: None)
    assert outcome.exit_code is ExitCode.GO
    assert said(small.only_run) == []
    run = read_run(small.only_run)
    assert [len([a for a in run.attempts if a.step == step.name]) for step in STEPS] == [2] * len(STEPS)
    assert len(run.manifests) == len(STEPS) + 1
    lines.append(
        f"then resumed: {outcome.verdict.value}, {len(run.events)} events in {len(run.manifests)} seals: HOLDS"
    )
    print("\n" + "\n".join(lines))  # noqa: T201 - the table is what CI shows
    with pytest.raises(CourtbookError, match="has ended and is sealed"):
        close_run(small.only_run)


@pytest.mark.parametrize("ending", ["resume", "close"])
def test_a_run_that_is_killed_before_its_seal_is_sealed_as_what_it_is(
    prepared: dict[str, Small], tmp_path: Path, ending: str
) -> None:
    small = Small.make(tmp_path, warehouse=prepared["complete"].warehouse, more="last_step: preflight")
    done = small.here("run", small.params, "--runs-dir", str(small.runs))
    assert done.returncode == 0, done.stderr
    run = small.only_run
    for name in ("manifest.json", "index.html"):
        (run / name).unlink()
    assert any("never sealed" in line for line in said(run))
    give = ("run", "--resume") if ending == "resume" else ("close",)
    done = small.here(*give, run.name, "--runs-dir", str(small.runs))
    assert done.returncode == 0, done.stdout + done.stderr
    told = verify(run, None)
    assert (told.verdict, [item.what for item in told.findings]) == ("GO", [])


def test_a_run_that_is_killed_between_two_steps_is_closed_as_interrupted(
    prepared: dict[str, Small], tmp_path: Path
) -> None:
    small = Small.make(tmp_path, warehouse=prepared["complete"].warehouse, more="last_step: preflight")
    assert small.here("run", small.params, "--runs-dir", str(small.runs)).returncode == 0
    run = small.only_run
    for name in ("manifest.json", "index.html"):
        (run / name).unlink()
    text = (run / "ledger.jsonl").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    del events[-1]  # its end; and there was one more step to do
    events[0]["data"]["steps"].append("phase3_backfill")
    rewrite(run, events)
    close_run(run)
    told = verify(run, None)
    assert (told.verdict, [item.what for item in told.findings]) == ("INTERRUPTED", [])
