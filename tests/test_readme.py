"""Fails when a parameter, a check, an exit status or a command is not documented."""

import importlib.util
import re
from pathlib import Path

import pytest
from courtbook.catalog import load_catalog
from courtbook.cli import app
from courtbook.errors import EXIT_MEANING, Reason
from courtbook.params import Params
from courtbook.warehouse.refusal import NEXT

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("document", ROOT / "tools" / "document.py")
assert SPEC is not None
assert SPEC.loader is not None
document = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(document)


def test_generated_pages_are_up_to_date():
    stale = [path.name for path, text in document.pages().items() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run python tools/document.py"


def test_every_parameter_stands_in_the_readme_with_its_meaning():
    names = [name for name, _, _ in document.parameters()]
    assert {"range.start", "warehouse.path", "source.seed", "source.path", "backfill.sample_dates"} <= set(names)
    assert {name.partition(".")[0] for name in names} == set(Params.model_fields)
    for name, _, words in document.parameters():
        assert words, f"{name} has no description"
        assert re.search(rf"\| `{re.escape(name)}` \|.*{re.escape(words)}", README)


@pytest.mark.parametrize("code", EXIT_MEANING)
def test_every_exit_status_stands_in_the_readme(code):
    assert f"| `{int(code)}` | {EXIT_MEANING[code]} |" in README


def test_every_command_stands_in_the_readme():
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        assert f"courtbook {name} " in README


def test_every_notebook_and_check_is_documented():
    for step in load_catalog().steps:
        assert f"`{step.notebook}`" in README
    checks = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    for check in load_catalog().checks:
        assert f"| `{check.id}` |" in checks


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_what_bigquery_refuses_is_documented_with_what_is_tried_again():
    text = (ROOT / "docs" / "bigquery.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes|no) \|$", text, re.MULTILINE))
    reasons = {*NEXT, Reason.NO_CREDENTIALS}
    assert rows == {reason.code: "yes" if reason.transient else "no" for reason in reasons}
