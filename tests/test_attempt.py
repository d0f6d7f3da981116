"""What the chain makes of notebooks that do not end by themselves, or not as they should."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import nbformat
import psutil
import pytest
from courtbook.attempt import Attempts, StepOutcome
from courtbook.catalog import load_catalog
from courtbook.checks.result import Verdict
from courtbook.errors import ExitCode, Interrupted
from courtbook.evidence.ledger import Ledger
from courtbook.params import Params, RangeParams, WatchdogParams
from courtbook.params_warehouse import WarehouseParams

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("attempt")]
CALM = WatchdogParams.model_validate({})
STEP = load_catalog().step("preflight")
# What a step leaves that came to its end, without all that it needs for that.
CONCLUDE = """
import json, os
from pathlib import Path
from courtbook.evidence.ledger import Ledger
attempt = Path(os.environ["COURTBOOK_ATTEMPT"])
(attempt / "result.json").write_text(json.dumps({"verdict": "GO", "why": "all is well"}))
Ledger(Path(run_dir) / "ledger.jsonl").append(
    "step_concluded", step="preflight", attempt=attempt.name, verdict="GO", why="all is well"
)
"""


def attempts(folder: Path, *cells: str) -> Attempts:
    """Return attempts at a step whose notebook has these cells."""
    source = folder / "00_preflight.ipynb"
    code = [nbformat.v4.new_code_cell(text, id=f"cell{number}") for number, text in enumerate(cells)]
    parameters = nbformat.v4.new_code_cell('params_file: str = ""\nrun_dir: str = ""', id="parameters")
    parameters.metadata["tags"] = ["parameters"]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[parameters, *code], metadata=spec), source)
    run = folder / "run"
    run.mkdir()
    params = Params(
        name="small",
        warehouse=WarehouseParams(path="nowhere.duckdb"),
        range=RangeParams(start=date(2024, 10, 22), end=date(2024, 12, 31)),
    )
    (run / "params.yaml").write_text(params.to_yaml())
    return Attempts(run, STEP, source, Ledger(run / "ledger.jsonl"))


def states(outcome: StepOutcome) -> list[str]:
    cells = nbformat.read(outcome.notebook, as_version=4).cells
    return [cell.metadata["courtbook"]["state"] for cell in cells if cell.cell_type == "code"]


def survivors(outcome: StepOutcome) -> list[psutil.Process]:
    """Return processes that still work for an attempt."""
    wanted = str(outcome.notebook.parent)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("COURTBOOK_ATTEMPT") == wanted:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_notebook_that_concludes_and_runs_to_its_end_is_go(tmp_path: Path) -> None:
    tried = attempts(tmp_path, CONCLUDE)
    outcome = tried.begin(tmp_path, CALM, lambda: None)
    assert (outcome.verdict, outcome.exit_code, outcome.why) == (Verdict.GO, ExitCode.GO, "all is well")
    (ended,) = tried.ledger.data("attempt_ended")
    assert [state for _, state, _, _ in ended["cells"]] == ["done", "done", "done"], "parameters, injected, conclusion"


@pytest.mark.parametrize(
    "last", ["raise SystemExit(0)", "import os; os._exit(0)", "1 / 0"], ids=["exit", "gone", "error"]
)
def test_a_verdict_does_not_count_if_the_notebook_did_not_run_to_its_end(tmp_path: Path, last: str) -> None:
    outcome = attempts(tmp_path, CONCLUDE, last, "late = True").begin(tmp_path, CALM, lambda: None)
    assert outcome.verdict is Verdict.INTERRUPTED
    assert outcome.exit_code is ExitCode.ENGINE
    assert states(outcome)[-1] == "not run"


@pytest.mark.parametrize(
    "endless",
    [
        "while True: pass",
        # It holds the interpreter's lock for ever, hears no signal, and never notices that it is alone.
        "import signal, ctypes\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nctypes.PyDLL(None).pause()",
    ],
    ids=["busy", "deaf"],
)
def test_the_watchdog_ends_a_notebook_that_takes_too_long(tmp_path: Path, endless: str) -> None:
    tried = attempts(tmp_path, endless, "late = True")
    outcome = tried.begin(tmp_path, WatchdogParams(seconds=6), lambda: None)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.INTERRUPTED, ExitCode.ENGINE)
    assert "the watchdog ended it: it took longer than 6 s" in outcome.why
    assert [data["why"] for data in tried.ledger.data("watchdog")] == [outcome.why]
    assert states(outcome)[-2:] == ["interrupted", "not run"]
    assert outcome.why in nbformat.read(outcome.notebook, as_version=4).cells[0].source
    deadline = time.monotonic() + 5
    while left := survivors(outcome):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_the_watchdog_ends_a_notebook_that_takes_too_much_memory(tmp_path: Path) -> None:
    most = psutil.virtual_memory().total / 100 * 4
    take = f"import time\nheld = bytearray({int(most)})\nheld[:] = b'1' * len(held)\ntime.sleep(600)"
    outcome = attempts(tmp_path, take, "late = True").begin(tmp_path, WatchdogParams(memory=4), lambda: None)
    assert outcome.verdict is Verdict.INTERRUPTED
    assert "MiB, more than" in outcome.why
    assert states(outcome)[-2:] == ["interrupted", "not run"]


def test_a_kernel_that_never_answers_the_wish_to_stop_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked between the end of a cell and its reply, a kernel lives on, and its reply never comes.
    opened = """
import os, signal, time
from pathlib import Path
from courtbook.evidence.ledger import Ledger
signal.signal(signal.SIGINT, signal.SIG_IGN)
names = {"step": "preflight", "attempt": Path(os.environ["COURTBOOK_ATTEMPT"]).name}
Ledger(Path(run_dir) / "ledger.jsonl").append("step_opened", **names)
time.sleep(600)
"""
    tried = attempts(tmp_path, opened)
    waited: list[float] = []
    wait = subprocess.Popen.wait

    def counted(self: "subprocess.Popen[bytes]", timeout: float | None = None) -> int:
        waited.append(timeout or 0)
        return wait(self, timeout and min(timeout, 0.5))

    def stop() -> None:
        if tried.ledger.data("step_opened"):
            raise Interrupted

    monkeypatch.setattr(subprocess.Popen, "wait", counted)
    with pytest.raises(Interrupted):
        tried.begin(tmp_path, CALM, stop)
    assert waited[0] == 10, "60 s are for kernels that write"
    (ended,) = tried.ledger.data("attempt_ended")
    assert ended["verdict"] == "INTERRUPTED"


def test_an_attempt_that_is_interrupted_leaves_its_end_on_record(tmp_path: Path) -> None:
    tried = attempts(tmp_path, "import time\ntime.sleep(600)")
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked > 30:
            raise Interrupted

    with pytest.raises(Interrupted):
        tried.begin(tmp_path, CALM, stop)
    (ended,) = tried.ledger.data("attempt_ended")
    assert (ended["verdict"], ended["why"]) == ("INTERRUPTED", "the runbook was interrupted")
    kept = json.loads((tmp_path / "run" / "00_preflight" / "attempt-1" / "00_preflight.ipynb").read_text())
    assert kept["metadata"]["courtbook"]["verdict"] == "INTERRUPTED"


def test_a_notebook_whose_runbook_is_gone_before_it_begins_does_not_run(tmp_path: Path) -> None:
    tried = attempts(tmp_path, "from pathlib import Path\nPath('ran').touch()")
    over = subprocess.Popen(["true"])
    over.wait()
    target = tmp_path / "out.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "courtbook.execute", str(tried.source), str(target), "{}", str(tmp_path)],
        env={**os.environ, "COURTBOOK_PARENT": str(over.pid)},
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "ran").exists()
