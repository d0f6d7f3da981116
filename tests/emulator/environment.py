"""Make the environment of the BigQuery emulator, once, from a lock of its own: it needs Python 3.13."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

VENV = Path(__file__).resolve().parents[2] / ".venv-emulator"
PYTHON = VENV / "bin" / "python"
LOCK = Path(__file__).with_name("requirements.lock")
WANTED = "The BigQuery emulator needs Python 3.13: python3.13 on the PATH, or one of pyenv's. Neither was found."


def find_python() -> str | None:
    """Return a Python 3.13 that runs and can make environments; a shim on the PATH may stand for none."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    test = "import sys, venv; sys.exit(sys.version_info[:2] != (3, 13))"
    for candidate in ("python3.13", *sorted(map(str, versions.glob("3.13*/bin/python")))):
        found = shutil.which(candidate)
        if found and subprocess.run([found, "-c", test], capture_output=True, check=False).returncode == 0:
            return found
    return None


def build() -> Path | None:
    """Make the environment unless it is there, and return its interpreter; None without a Python 3.13."""
    with LOCK.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of a test run ask for it at the same time
        stamp = VENV / "installed.lock"
        if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
            return PYTHON
        if not (python := find_python()):
            return None
        sys.stderr.write(f"Setting up {VENV.name} with {python} (once; takes some seconds) ...\n")
        subprocess.run([python, "-m", "venv", "--without-pip", "--clear", VENV], check=True)
        # Compiled is only what the emulator imports, when it does.
        pip = [sys.executable, "-m", "pip", "--python", PYTHON, "install", "-qq", "--disable-pip-version-check"]
        how = ["--no-compile", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", LOCK]
        subprocess.run([*pip, *how], check=True)
        shutil.copyfile(LOCK, stamp)
    return PYTHON


if __name__ == "__main__":
    sys.exit(None if build() else WANTED)
