"""The child process of the chain: executes one notebook by papermill and says by its exit status how it ended."""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

# Whoever begins this says who he is: he may have ended before anything here could ask.
PARENT = int(os.environ.pop("COURTBOOK_PARENT", "") or os.getppid())
if __name__ == "__main__":
    # papermill imports every storage that is installed, and jsonschema compiles a grammar for a format that no notebook
    # has: three quarters of the time that this process takes to begin. To it they are not installed.
    sys.modules.update(dict.fromkeys(("gcsfs", "pyarrow", "rfc3987_syntax")))  # type: ignore[arg-type]

import papermill  # noqa: E402
from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: E402
from papermill.clientwrap import PapermillNotebookClient  # noqa: E402
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402
from papermill.iorw import papermill_io  # noqa: E402
from traitlets.config import Config  # noqa: E402

from courtbook.errors import CourtbookError, ExitCode, Interrupted, ParameterError, Reason  # noqa: E402
from courtbook.evidence.cells import RUNNING, CellState, read_cells, save_whole  # noqa: E402
from courtbook.evidence.truth import settle  # noqa: E402

ENGINE = "courtbook"
STOPPED = (KeyboardInterrupt.__name__, Interrupted.__name__)  # errors by which a cell tells that it was stopped


class Keeper(NotebookExecutionManager):  # type: ignore[misc]  # papermill has no types
    """Saves the notebook again and again, each time with the state of every code cell."""

    def notebook_start(self, **given: Any) -> None:
        """Save a notebook of which nothing has run."""
        for cell in self.nb.cells:
            self.mark(cell, CellState.NOT_RUN.value)
        super().notebook_start(**given)

    def mark(self, cell: Any, state: str) -> None:
        """Set the state of a cell."""
        if cell.cell_type == "code":
            cell.metadata["courtbook"] = {"state": state}

    def save(self, **given: Any) -> None:
        """Save, after papermill's words have been made to agree with the states."""
        settle(self.nb)
        super().save(**given)


class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
    """Runs cells until one does not end well; a cell is done when the kernel has said so, not before."""

    def papermill_execute_cells(self) -> None:
        """Run the cells, and keep what became of each."""
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.mark(cell, RUNNING)
            self.nb_man.cell_start(cell, index)
            try:
                state = self._run(cell, index)
            except BaseException:
                self.nb_man.mark(cell, CellState.INTERRUPTED.value)
                raise
            self.nb_man.mark(cell, state.value)
            self.nb_man.cell_complete(cell, index)
            if state is not CellState.DONE:
                break

    def _run(self, cell: Any, index: int) -> CellState:
        try:
            self.execute_cell(cell, index)
        except CellExecutionError as error:
            self.nb_man.cell_exception(cell, index, exception=error)
            return CellState.INTERRUPTED if error.ename in STOPPED else CellState.FAILED
        if cell.cell_type != "code" or not cell.source.strip():
            return CellState.DONE
        if cell.execution_count is None:  # it has a tag by which such cells are left out
            return CellState.NOT_RUN
        # exit() and a restart end a cell well, and the kernel a moment later: it may run further cells until then.
        asked = self.kc.execute("", silent=True, user_expressions={"leaving": "get_ipython().exit_now"})
        told = self.wait_for_reply(asked)["content"].get("user_expressions", {}).get("leaving", {})
        if told.get("data", {}).get("text/plain") != "False":
            raise DeadKernelError("The kernel does not go on after this cell, which told it to end or to restart.")
        return CellState.DONE


class Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
    """papermill's engine with our keeper and our client."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str, **options: Any) -> Any:
        """Execute a notebook; what became of it is in its cells, however this ends."""
        keeper = Keeper(nb, output_path=output_path, progress_bar=False)
        keeper.notebook_start()
        try:
            Client(
                keeper,
                kernel_name=kernel_name,
                startup_timeout=60,
                iopub_timeout=60,  # the last of a large output comes long after the reply
                shell_timeout_interval=1,  # how soon a dead kernel is noticed
                force_raise_errors=True,  # no tag makes an error harmless
                config=options["config"],
            ).execute()
        finally:
            keeper.notebook_complete()
        return keeper.nb


class Files:
    """Writes notebooks for papermill, whose own way leaves half a file behind when it fails."""

    @staticmethod
    def write(text: str, path: str) -> None:
        """Replace the notebook."""
        save_whole(Path(path), text)

    @staticmethod
    def pretty_path(path: str) -> str:
        """Return the path as it is logged."""
        return path


def _exit_code(traceback: str) -> ExitCode:
    # An error of courtbook renders itself with its reason code as the first word.
    codes = {reason.code: reason.exit_code for reason in Reason}
    return codes.get(next(iter(traceback.split()), ""), ExitCode.ENGINE)


def _end_with(parent: int) -> None:
    """End this process when its parent has ended; its kernel notices and ends too. Nobody else watches over them."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def _refuse_unknown(source: str, parameters: dict[str, Any]) -> None:
    declared = papermill.inspect_notebook(source)
    if declared and (unknown := sorted(parameters.keys() - declared.keys())):
        raise ParameterError(
            f"The parameters cell does not know {', '.join(unknown)}.",
            where=source,
            next_action="Restore the notebook from git; its parameters cell belongs to the runbook.",
        )


def execute(source: str, target: str, parameters: dict[str, Any], folder: str) -> ExitCode:
    """Execute ``source`` to ``target``; GO only if every code cell is done."""
    # papermill takes braces in a path for places to fill in.
    source, target = (str(Path(path).absolute()).replace("{", "{{").replace("}", "}}") for path in (source, target))
    _refuse_unknown(source, parameters)
    written = target.format()
    papermill_engines.register(ENGINE, Engine)
    papermill_io.register(written, Files)
    # Sockets in a folder of their own: no ports for kernels to clash over, nothing that others could listen to.
    # Their paths may have about 100 characters, so the folder is not the user's, which may lie deep.
    with tempfile.TemporaryDirectory(prefix="courtbook-", dir="/tmp") as sockets:
        papermill.execute_notebook(
            source,
            target,
            parameters=parameters,
            engine_name=ENGINE,
            kernel_name="python3",
            cwd=folder,
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
        )
    # papermill lets a notebook pass that called sys.exit().
    for cell in read_cells(Path(written)):
        if cell.state is not CellState.DONE:
            print(f"The notebook stopped at cell {cell.id!r}: {cell.state.value}.", file=sys.stderr)  # noqa: T201
            return ExitCode.ENGINE
    return ExitCode.GO


def main(arguments: list[str]) -> int:
    """Execute ``source`` to ``target`` with parameters given as JSON."""
    source, target, parameters, folder = arguments
    threading.Thread(target=_end_with, args=[PARENT], daemon=True).start()
    try:
        return int(execute(source, target, json.loads(parameters), folder))
    except PapermillExecutionError as error:
        traceback = "\n".join(error.traceback)
        print(traceback or f"{error.ename} {error.evalue}", file=sys.stderr)  # noqa: T201
        return int(_exit_code(traceback))
    except CourtbookError as error:
        print("\n".join(error._render_traceback_()), file=sys.stderr)  # noqa: T201
        return int(error.exit_code)
    except Exception as error:  # noqa: BLE001 - whatever an engine raises must not exit with 1, which is NO-GO
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return int(ExitCode.ENGINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
