"""The child process of the chain: executes one notebook by papermill and says by its exit status how it ended."""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from courtbook.errors import ExitCode, Reason


def _exit_code(traceback: str) -> ExitCode:
    # An error of courtbook renders itself with its reason code as the first word.
    codes = {reason.code: reason.exit_code for reason in Reason}
    return codes.get(next(iter(traceback.split()), ""), ExitCode.ENGINE)


def _end_with(parent: int) -> None:
    """End this process when its parent has ended; its kernel notices and ends too. Nobody else watches over them."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Execute ``source`` to ``target`` with parameters given as JSON."""
    source, target, parameters, folder = arguments
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    try:
        # Sockets in a folder of their own: no ports for kernels to clash over, nothing that others could listen to.
        # Their paths may have about 100 characters, so the folder is not the user's, which may lie deep.
        with tempfile.TemporaryDirectory(prefix="courtbook-", dir="/tmp") as sockets:
            papermill.execute_notebook(
                source,
                target,
                parameters=json.loads(parameters),
                kernel_name="python3",
                progress_bar=False,
                cwd=folder,
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            )
    except PapermillExecutionError as error:
        print("\n".join(str(line) for line in error.traceback), file=sys.stderr)  # noqa: T201
        return int(_exit_code("\n".join(error.traceback)))
    except Exception as error:  # noqa: BLE001 - whatever an engine raises must not exit with 1, which is NO-GO
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return int(ExitCode.ENGINE)
    return int(ExitCode.GO) if Path(target).is_file() else int(ExitCode.ENGINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
