"""The params files of the operator's own warehouse: complete, safe by default, and polite without credentials."""

from pathlib import Path

import pytest
from courtbook.catalog import load_catalog
from courtbook.params import CommandParams, HttpParams, Params
from courtbook.params_file import load_params
from courtbook.params_warehouse import BigQueryParams
from small_run import ROOT, Small

FILES = ("production", "cloud_run")


@pytest.fixture(params=FILES)
def params(request: pytest.FixtureRequest) -> Params:
    return load_params(ROOT / "params" / f"{request.param}.yaml")


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody without any credentials, on a machine that is none of Google's."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def test_nothing_is_written_and_no_table_is_read_whole_unless_somebody_says_so(params: Params) -> None:
    assert isinstance(params.warehouse, BigQueryParams)
    assert params.dry_run
    assert not params.fingerprints
    assert params.source is None, "prepare must have nothing to build there"
    assert params.warehouse.maximum_bytes_billed <= 20_000_000_000


def test_every_table_is_filled_by_the_operators_own_jobs() -> None:
    tables = {table.name: table for table in load_catalog().processed}
    scripts = load_params(ROOT / "params" / "production.yaml").executors
    assert scripts.keys() == tables.keys()
    for name, chosen in scripts.items():
        assert isinstance(chosen, CommandParams)
        job = tables[name].job
        assert job is not None
        assert not chosen.workers or job.workers, f"{name}: this script ignores or refuses --parallel"
        assert chosen.by != "dates" or job.dates, f"{name}: this script takes no lists"


def test_the_service_fills_what_it_has() -> None:
    served = {table.name for table in load_catalog().processed if table.job and table.job.service}
    chosen = load_params(ROOT / "params" / "cloud_run.yaml").executors
    assert chosen.keys() == served
    assert all(isinstance(one, HttpParams) and one.token and one.timeout == 300 for one in chosen.values())


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", [("plan",), ("run", "--to", "preflight"), ("check",), ("coverage",)])
def test_without_credentials_one_line_says_so(tmp_path: Path, name: str, command: tuple[str, ...]) -> None:
    small = Small.make(tmp_path)
    first, *rest = command
    runs = ["--runs-dir", str(small.runs)] if first in ("plan", "run") else []
    done = small.here(first, f"params/{name}.yaml", *rest, *runs)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert "There are no credentials for Google Cloud here" in line
    assert "bigquery:nba-props-platform" in line
    assert "gcloud auth application-default login" in line
    assert not list(small.runs.glob("*")), "nothing is left behind"


@pytest.mark.usefixtures("stranger")
def test_prepare_builds_nothing_there(tmp_path: Path) -> None:
    small = Small.make(tmp_path)
    for words, arguments in (("never built anew", ["--fresh"]), ("no credentials", [])):
        done = small.here("prepare", "params/production.yaml", *arguments)
        assert done.returncode in (2, 3)
        assert words in done.stderr
