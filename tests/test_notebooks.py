"""The notebooks as files, and run the way a person runs them: one by one with papermill."""

import ast
import json
import subprocess
import sys

import nbformat
import papermill
import pytest
from courtbook.catalog import load_catalog
from courtbook.params import STEP_NAMES
from small_run import ROOT, Small

SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
IDS = [path.stem for path in SOURCES]
LOST = "2024-12-31"  # the last date: no other one looks back at it
TABLES = (
    "nba_analytics.upcoming_team_game_context",
    "nba_precompute.player_composite_factors",
    "nba_predictions.ml_feature_store_v2",
)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_one_notebook_a_step_in_the_order_of_the_runbook():
    assert [step.notebook for step in load_catalog().steps] == IDS
    assert tuple(step.name for step in load_catalog().steps) == STEP_NAMES


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_sources_are_clean(path):
    content = json.loads(path.read_text())
    nbformat.validate(content)
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    for cell in code_cells(path):
        assert not cell.outputs, "committed with outputs"
        assert cell.execution_count is None
        assert "raises-exception" not in cell.metadata.get("tags", [])
    ids = [cell["id"] for cell in content["cells"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_cells_are_thin(path):
    for cell in code_cells(path):
        tree = ast.parse(cell.source)  # a magic would not parse
        for node in ast.walk(tree):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Try), "belongs into the library"
            assert "sys" not in getattr(node, "id", ""), "no sys.path, no sys.exit"
        assert len(cell.source.splitlines()) <= 14


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_parameters_cell_is_annotated_and_explained(path):
    inferred = papermill.inspect_notebook(str(path))
    assert set(inferred) == {"params_file", "run_dir", "overrides"}
    assert all(entry["inferred_type_name"] != "None" and entry["help"] for entry in inferred.values())
    assert inferred["params_file"]["default"] == '"params/demo.yaml"', "the safe default is the disposable demo"


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_ends_in_assertion_and_verdict(path):
    sources = [cell.source for cell in code_cells(path)]
    assert sources[-1] == "step.conclude()"
    assert any(source.lstrip().startswith("assert") or "\nassert" in source for source in sources)
    assert any("plots." in source for source in sources)


@pytest.fixture
def person(prepared, tmp_path):
    """A project of a person who opens notebooks: its warehouse lacks a date in tables of both phases."""
    small = Small.make(tmp_path, state="complete", warehouse=prepared["complete"].warehouse)
    small.edit(*(f"DELETE FROM {table} WHERE game_date = DATE '{LOST}'" for table in TABLES))
    for name in ("notebooks", "params"):  # they make the folder a project, so that its working run stays in it
        (tmp_path / name).mkdir()
    return small


def papermill_command(small, name, *options):
    """Run a notebook with papermill's own command, in the folder of notebooks."""
    command = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / f"{name}.ipynb"),
               str(small.folder / f"{name}.ipynb"), "-p", "params_file", small.params, *options]  # fmt: skip
    folder = small.folder / "notebooks"
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.xdist_group("papermill")
def test_plain_papermill_one_by_one_shares_one_working_run(person):
    first, *others = SOURCES
    done = papermill_command(person, first.stem)
    assert done.returncode == 0, done.stderr[-2000:]
    for source in others:
        papermill.execute_notebook(
            source, person.folder / source.name, {"params_file": person.params},
            cwd=person.folder / "notebooks", progress_bar=False,
        )  # fmt: skip
    run = person.folder / "runs" / "working-small"
    results = {path.parts[-3]: json.loads(path.read_text()) for path in run.glob("*/attempt-1/result.json")}
    assert sorted(results) == IDS
    assert {result["verdict"] for result in results.values()} == {"GO"}
    for table in TABLES:
        assert person.rows(f"SELECT COUNT(*) FROM {table} WHERE game_date = DATE '{LOST}'") > [(0,)], "written again"


@pytest.mark.slow
@pytest.mark.xdist_group("papermill")
def test_overrides_and_mistakes_in_a_cell_are_understood(person):
    done = papermill_command(person, IDS[0], "-y", "overrides: {range.ende: 2024-12-01}")
    assert done.returncode == 1
    target = person.folder / f"{IDS[0]}.ipynb"
    shown = [output for cell in code_cells(target) for output in cell.outputs if output.output_type == "error"]
    assert "did you mean 'end'?" in shown[0].evalue
    assert len(shown[0].traceback) <= 4, "a mistake is three lines, not a traceback"
    assert not (person.folder / "runs").exists(), "nothing is written for wrong parameters"
