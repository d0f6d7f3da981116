"""The ways to install say the same, and what CI needs is there."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", LOCK, re.MULTILINE))


def names(requirements):
    return {re.split(r"[\s<>=!~;\[]", requirement)[0].lower() for requirement in requirements}


def test_everything_declared_is_locked():
    declared = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["dev"])
    assert declared <= set(PINNED)
    assert {"jupyterlab", "papermill", "pandas-gbq", "matplotlib", "nbval"} <= declared


def test_lower_bounds_agree_with_the_lock():
    def version(text):
        return [int(part) for part in re.findall(r"\d+", text)[:3]]

    for requirement in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]:
        name, lower = requirement.split(">=")
        assert version(PINNED[name]) >= version(lower), requirement


def test_every_locked_package_has_a_hash_and_no_source_of_its_own():
    blocks = re.split(r"\n(?=\S)", LOCK)
    pinned = [block for block in blocks if re.match(r"[a-z0-9][a-z0-9._-]*==", block)]
    assert len(pinned) > 100
    assert all("--hash=sha256:" in block for block in pinned)
    assert not re.search(r"https?://|file:|--index|--find-links", LOCK)


def test_conda_environment_takes_python_from_conda_and_the_rest_from_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    *conda, pip = environment["dependencies"]
    assert conda == [f"python{PROJECT['requires-python']}", "pip"]
    assert pip == {"pip": ["--require-hashes", "-r requirements.lock"]}


def test_setup_finds_no_suitable_python_and_says_what_it_lacks(tmp_path):
    for name in ("python", "python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        fake = tmp_path / name
        fake.write_text("#!/bin/sh\nexit 1\n")
        fake.chmod(0o755)
    for tool in ("sh", "cat"):
        (tmp_path / tool).symlink_to(f"/bin/{tool}")
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "tools" / "setup.sh"), str(tmp_path / "venv")],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "apt-get install python3" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.skipif("CI" not in os.environ, reason="only CI must have everything")
def test_ci_has_the_real_data():
    assert (ROOT.parent / "shared" / "data" / "nba" / "games.parquet").is_file(), "CI runs with the folder of real data"
