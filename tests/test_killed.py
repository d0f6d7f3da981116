"""A run that is killed in each of its steps: what its archive says then, closed and resumed, and at the end."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import nbformat
import pytest
from courtbook.catalog import load_catalog
from courtbook.chain import close_run, resume_chain
from courtbook.errors import CourtbookError, ExitCode
from courtbook.evidence.record import read_run
from courtbook.verify import verify
from made_run import rewrite
from small_run import Small

pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.xdist_group("killed")]
STEPS = load_catalog().steps


def said(run: Path) -> list[str]:
    return [f"{item.where}: {item.what}" for item in verify(run, None).findings]


def test_a_run_that_is_killed_in_any_step_tells_the_truth_about_it(
    prepared: dict[str, Small], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{'killed in':<20}  {'verification then says':<54}  closed  says"]
    for step in STEPS:
        (tmp_path / step.name).mkdir()
        small = Small.make(
            tmp_path / step.name, warehouse=prepared["incident"].warehouse, more=f"first_step: {step.name}"
        )
        process = small.start()
        small.wait_for(process, lambda event: event["kind"] == "step_opened")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        run = small.only_run
        (killed,) = [line for line in said(run) if "the run has no end on record: it was killed" in line]
        close_run(run)
        told = verify(run, None)
        assert [f"{item.where}: {item.what}" for item in told.findings] == []
        (attempt,) = read_run(run).attempts
        assert (attempt.step, attempt.verdict, told.verdict) == (step.name, "INTERRUPTED", "INTERRUPTED")
        assert attempt.why == "the runbook ended before the notebook did"
        notebook = nbformat.read(attempt.notebook, as_version=4)
        assert "INTERRUPTED" in notebook.cells[0].source
        states = [cell.metadata["courtbook"]["state"] for cell in notebook.cells if cell.cell_type == "code"]
        assert states[-1] == "not run"
        assert states == sorted(states, key=["done", "interrupted", "not run"].index), "what ran, then what did not"
        for page in (attempt.notebook.with_suffix(".html"), run / "index.html", small.runs / "index.html"):
            assert "INTERRUPTED" in page.read_text()
        lines.append(f"{step.name:<20}  {killed.removeprefix('ledger.jsonl: ')[:52]:<54}  HOLDS   {told.verdict}")
        with pytest.raises(CourtbookError, match="has ended and is sealed"):
            close_run(run)
    with capsys.disabled():  # to stderr: what a worker of xdist writes to stdout is lost
        sys.stderr.write("\n" + "\n".join(lines) + "\n")


def test_a_run_that_was_closed_can_be_resumed_and_every_seal_holds(prepared: dict[str, Small], tmp_path: Path) -> None:
    small = Small.make(tmp_path, warehouse=prepared["complete"].warehouse, more="last_step: phase3_backfill")
    process = small.start()
    small.wait_for(process, lambda event: event["kind"] == "attempt_ended")  # its page is perhaps not made yet
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    close_run(small.only_run)
    assert said(small.only_run) == []
    sealed = {path: path.read_bytes() for path in small.only_run.rglob("*") if path.is_file()}
    outcome = resume_chain(small.only_run, tell=lambda _: None)
    assert outcome.exit_code is ExitCode.GO
    assert said(small.only_run) == []
    run = read_run(small.only_run)
    assert len(run.manifests) == 2
    assert [(item.step, item.verdict) for item in run.latest] == [("preflight", "GO"), ("phase3_backfill", "GO")]
    assert all(path.read_bytes() == content for path, content in sealed.items()), "what is sealed never changes"


@pytest.fixture(scope="module")
def unsealed(prepared: dict[str, Small], tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A run of one step that was killed when all was done but its seal."""
    small = Small.make(
        tmp_path_factory.mktemp("unsealed"), warehouse=prepared["complete"].warehouse, more="last_step: preflight"
    )
    done = small.here("run", small.params, "--runs-dir", str(small.runs))
    assert done.returncode == 0, done.stderr
    for name in ("manifest.json", "index.html"):
        (small.only_run / name).unlink()
    return small


@pytest.mark.parametrize("ending", ["resume", "close"])
def test_a_run_that_is_killed_before_its_seal_is_sealed_as_what_it_is(
    unsealed: Small, tmp_path: Path, ending: str
) -> None:
    run = Path(shutil.copytree(unsealed.only_run, tmp_path / unsealed.only_run.name))
    assert any("never sealed" in line for line in said(run))
    give = ("run", "--resume") if ending == "resume" else ("close",)
    done = unsealed.here(*give, run.name, "--runs-dir", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    told = verify(run, None)
    assert (told.verdict, [item.what for item in told.findings]) == ("GO", [])


def test_a_run_that_is_killed_between_two_steps_is_closed_as_interrupted(unsealed: Small, tmp_path: Path) -> None:
    run = Path(shutil.copytree(unsealed.only_run, tmp_path / unsealed.only_run.name))
    events = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    del events[-1]  # its end; and there was one more step to do
    events[0]["data"]["steps"].append("phase3_backfill")
    rewrite(run, events)
    close_run(run)
    told = verify(run, None)
    assert (told.verdict, [item.what for item in told.findings]) == ("INTERRUPTED", [])
