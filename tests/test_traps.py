"""The traps of papermill and nbval, one small notebook each: first how they mislead, then that we do not."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from courtbook.errors import ParameterError
from courtbook.evidence.bundle import sha256
from courtbook.evidence.cells import CellState, cells_digest, read_cells
from courtbook.evidence.faults import faults
from courtbook.evidence.truth import tell_truth
from courtbook.params_file import load_params
from courtbook.report.html import export_notebook
from nbclient.exceptions import DeadKernelError
from papermill.iorw import LocalHandler
from papermill.utils import chdir
from small_run import ROOT, Small

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("traps")]
TRAPS = ROOT / "tests" / "traps"
DONE, FAILED, INTERRUPTED, NOT_RUN = CellState


@dataclass(frozen=True)
class Ended:
    """A notebook after the chain's child process has ended and the truth was told."""

    status: int
    source: Path
    notebook: Path
    log: str

    @property
    def states(self) -> dict[str, CellState]:
        """What became of the cells that the source has."""
        own = {cell["id"] for cell in json.loads(self.source.read_text())["cells"]}
        return {cell.id: cell.state for cell in read_cells(self.notebook) if cell.id in own}

    @property
    def cells(self) -> list[dict]:
        return json.loads(self.notebook.read_text())["cells"]

    @property
    def note(self) -> str:
        return "".join(self.cells[0]["source"])

    def tell(self) -> "Ended":
        verdict, why = ("GO", "all is well") if self.status == 0 else ("INTERRUPTED", self.log[-200:])
        tell_truth(self.notebook, self.source, verdict, why)
        nbformat.validate(json.loads(self.notebook.read_text()))
        assert cells_digest(self.notebook) == cells_digest(self.source)
        assert faults(self.notebook, complete=self.status == 0) == ()
        papermill_says = [c["metadata"]["papermill"]["status"] for c in self.cells if c["cell_type"] == "code"]
        assert [status == "completed" for status in papermill_says] == [
            cell.state is DONE for cell in read_cells(self.notebook)
        ]
        return self


@dataclass(frozen=True)
class Child:
    """The chain's child process while it runs a notebook in a folder."""

    process: "subprocess.Popen[str]"
    source: Path
    folder: Path

    @classmethod
    def start(cls, trap: str, folder: Path, /, *, source: Path | None = None, **parameters: object) -> "Child":
        source = source or TRAPS / f"{trap}.ipynb"
        command = [sys.executable, "-m", "courtbook.execute", str(source), str(folder / "out.ipynb")]
        process = subprocess.Popen(
            [*command, json.dumps(parameters), str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return cls(process, source, folder)

    def end(self) -> Ended:
        try:
            log = self.process.communicate(timeout=60)[0]
        finally:
            self.process.kill()
        return Ended(self.process.returncode, self.source, self.folder / "out.ipynb", log)

    def kernel(self) -> int:
        """Wait for the cell that never ends and return the process id of its kernel."""
        file, deadline = self.folder / "kernel.txt", time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.communicate()
            if file.is_file() and (text := file.read_text()).endswith("\n"):
                return int(text)
            time.sleep(0.02)
        raise AssertionError("the cell did not begin")


def run(trap: str, folder: Path, **parameters: object) -> Ended:
    return Child.start(trap, folder, **parameters).end().tell()


def gone(process: int) -> bool:
    """Wait until a process has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_1_papermill_calls_every_cell_completed_when_the_kernel_died(tmp_path):
    with pytest.raises(DeadKernelError):
        papermill.execute_notebook(TRAPS / "dead_kernel.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    told = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert {cell.metadata.papermill.status for cell in told.cells} == {"completed"}, "the trap is gone: simplify"
    assert told.metadata.papermill.exception is None


@pytest.mark.parametrize("how", ["kill", "exit", "segfault", "restart", "leave"])
def test_1_a_kernel_that_ends_in_a_cell_is_noticed_however_it_ends(tmp_path, how):
    ended = run("dead_kernel", tmp_path, how=how)
    assert ended.status == 3
    assert "DeadKernelError" in ended.log
    assert ended.states == {"parameters": DONE, "before": DONE, "dies": INTERRUPTED, "after": NOT_RUN}
    assert "`dies` was cut off" in ended.note
    assert "not run, because the notebook ended before: `after`" in ended.note.lower()
    assert json.loads(ended.notebook.read_text())["metadata"]["papermill"]["exception"] is True


def test_2_papermill_takes_sys_exit_for_success(tmp_path):
    papermill.execute_notebook(TRAPS / "early_exit.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    told = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert told.cells[-1].execution_count is None, "the last cell never ran, and nothing was raised"


def test_2_sys_exit_is_a_failed_cell(tmp_path):
    ended = run("early_exit", tmp_path, run_dir="put on top, since no cell declares it")
    assert ended.status == 3
    assert ended.log.splitlines()[-1] == "The notebook stopped at cell 'leaves': failed."
    assert ended.states == {"before": DONE, "leaves": FAILED, "after": NOT_RUN}


def test_3_papermill_leaves_nothing_of_a_notebook_that_it_cannot_write(tmp_path):
    path = tmp_path / "out.ipynb"
    path.write_text("the last whole version")
    with pytest.raises(UnicodeEncodeError):
        LocalHandler().write('"\ud800"', str(path))
    assert path.read_text() == ""


def test_3_the_process_killed_in_a_cell_leaves_a_whole_notebook_that_is_then_put_right(tmp_path):
    child = Child.start("long_cell", tmp_path)
    kernel = child.kernel()
    os.killpg(child.process.pid, signal.SIGKILL)
    ended = child.end()
    assert ended.status == -signal.SIGKILL
    before = {cell["id"]: cell["metadata"].get("courtbook") for cell in ended.cells}
    assert before["long"] == {"state": "running"}, "on record before it began"
    assert before["after"] == {"state": "not run"}
    assert ended.tell().states == {"before": DONE, "long": INTERRUPTED, "after": NOT_RUN}
    assert "`long` was cut off" in ended.note
    page = export_notebook(ended.notebook)
    assert "was cut off" in page
    assert gone(kernel), "a kernel without its notebook ends"


def test_3_a_cell_that_is_interrupted_from_outside_is_cut_off_and_not_failed(tmp_path):
    child = Child.start("long_cell", tmp_path)
    os.kill(child.kernel(), signal.SIGINT)
    ended = child.end().tell()
    assert ended.status == 3
    assert ended.states == {"before": DONE, "long": INTERRUPTED, "after": NOT_RUN}
    (long,) = (cell for cell in ended.cells if cell["id"] == "long")
    assert [output["output_type"] for output in long["outputs"]] == ["stream", "error"], "what it had shown is kept"


def test_3_a_full_disk_leaves_the_last_whole_version(tmp_path):
    child = Child.start("large_output", tmp_path, megabytes=2)
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    ended = child.end()
    assert ended.status == 3
    assert "disk_full" in ended.log
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
    ended.tell()
    assert ended.states["half"] is DONE
    assert ended.states["large"] is INTERRUPTED, "its output was lost: it is not called done"
    assert ended.states["after"] is NOT_RUN


def test_4_nbval_goes_on_after_a_closed_gate_and_the_write_is_refused_all_the_same(prepared, tmp_path):
    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse)
    before = sha256(small.warehouse)
    run_folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "tests/nbval.ini", "--rootdir", ".", "--nbval-lax", "-p", "no:xdist",
         str(TRAPS / "write_after_gate.ipynb")],
        cwd=ROOT, env={**os.environ, "TRAP_PARAMS": small.params, "TRAP_RUN": str(run_folder)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NO-GO" in done.stdout
    assert (run_folder / "written-after-the-gate").exists(), "the trap: nbval went on"
    assert "The gate phase3 is closed (NO-GO)" in done.stdout
    assert sha256(small.warehouse) == before


def test_4_a_magic_that_is_not_there_fails_its_cell(tmp_path):
    ended = run("bad_magic", tmp_path)
    assert ended.status == 3
    assert ended.states == {"before": DONE, "magic": FAILED, "after": NOT_RUN}
    assert "ended in an error" in ended.note


def test_5_papermill_and_yaml_turn_an_id_into_another_number(tmp_path):
    from papermill.cli import _resolve_type

    assert _resolve_type("0022400061") == 22400061
    assert yaml.safe_load("id: 0022400061")["id"] == 4849713
    small = Small.make(tmp_path, **{"Test Operator": "0022400061"})
    with pytest.raises(ParameterError, match=r'0022400061 was read as the number 4849713; .* quote it, "0022400061"'):
        small.read()
    quoted = Small.make(tmp_path, **{"Test Operator": '"0022400061"'})
    assert quoted.read().operator == "0022400061"
    with pytest.raises(ParameterError, match="operator"):
        load_params(Path(quoted.params), overrides={"operator": 22400061})


def test_6_papermill_only_warns_of_a_parameter_that_nothing_reads(tmp_path):
    told = papermill.execute_notebook(
        TRAPS / "where_am_i.ipynb", tmp_path / "out.ipynb", {"nmae": "x"}, prepare_only=True, progress_bar=False
    )
    assert told.metadata.papermill.parameters == {"nmae": "x"}


def test_6_an_unknown_parameter_is_refused_before_a_kernel_starts(tmp_path):
    ended = Child.start("where_am_i", tmp_path, nmae="x").end()
    assert ended.status == 2
    assert "nmae" in ended.log
    assert not ended.notebook.exists()
    tell_truth(ended.notebook, ended.source, "INTERRUPTED", ended.log)
    assert set(ended.states.values()) == {NOT_RUN}


def test_7_papermill_runs_on_after_an_error_that_has_a_tag_and_fails_in_the_end(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError):
        papermill.execute_notebook(TRAPS / "expected_error.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    assert nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].execution_count == 3


def test_7_no_tag_makes_an_error_harmless(tmp_path):
    ended = run("expected_error", tmp_path)
    assert ended.status == 3
    assert ended.states == {"before": DONE, "fails": FAILED, "after": NOT_RUN}


def test_9_the_folder_that_papermill_changes_into_is_that_of_every_thread(tmp_path):
    inside, over = threading.Event(), threading.Event()

    def other() -> None:
        with chdir(str(tmp_path)):
            inside.set()
            over.wait(10)

    before, thread = Path.cwd(), threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    seen = Path.cwd()
    over.set()
    thread.join()
    assert (seen, Path.cwd()) == (tmp_path, before)


def test_9_notebooks_that_run_at_once_have_folders_and_sockets_of_their_own(tmp_path):
    folders = [tmp_path / name for name in ("a b", "{ü}")]  # papermill would take the braces for a place to fill in
    for folder in folders:
        folder.mkdir()
        shutil.copy(TRAPS / "where_am_i.ipynb", folder / "in.ipynb")
    children = [Child.start("", folder, source=folder / "in.ipynb", name=folder.name) for folder in folders]
    for folder, child in zip(folders, children, strict=True):
        ended = child.end()
        assert ended.status == 0, ended.log
        (shown,) = ended.tell().cells[-1]["outputs"]
        assert shown["data"]["text/plain"] == [str((folder.name, folder.name, "ipc"))]
        assert {path.name for path in folder.iterdir()} == {"in.ipynb", "out.ipynb", f"{folder.name}.txt"}


def test_a_notebook_with_ten_megabytes_and_signs_without_utf8_is_saved(tmp_path):
    text = (TRAPS / "large_output.ipynb").read_text().replace("odd signs", "\\ud800")
    (tmp_path / "in.ipynb").write_text(text)
    ended = Child.start("", tmp_path, source=tmp_path / "in.ipynb", megabytes=10).end()
    assert ended.status == 0, ended.log[-2000:]
    tell_truth(ended.notebook, ended.source, "GO", "")
    assert set(ended.states.values()) == {DONE}
    cells = ended.cells
    shown = {cell["id"]: "".join("".join(o.get("text", "")) for o in cell.get("outputs", [])) for cell in cells}
    assert "café \u2028 🏀 \x00 end" in shown["odd"]
    assert shown["half"] == "half \N{REPLACEMENT CHARACTER}\n"
    assert shown["large"].count("x" * 1023 + "\n") == 10 * 1024
    assert "\\ud800" in "".join(cells[0]["source"]), "spelled out, so that the page can be written"
    assert cells_digest(ended.notebook) != cells_digest(ended.source), "and therefore another text"


def test_an_output_that_cannot_be_sent_fails_its_cell(tmp_path):
    text = (TRAPS / "expected_error.ipynb").read_text()
    sends = "from IPython.display import HTML\\n\\nHTML('\\\\ud800')"
    (tmp_path / "in.ipynb").write_text(text.replace('raise ValueError(\\"expected\\")', sends))
    ended = Child.start("", tmp_path, source=tmp_path / "in.ipynb").end().tell()
    assert "UnicodeEncodeError" in ended.log
    assert ended.states["fails"] is FAILED
