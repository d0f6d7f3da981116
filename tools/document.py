"""Writes the tables of the README and docs/checks.md from the code; `--check` only says whether they are up to date."""

import sys
from pathlib import Path
from typing import Any

from courtbook.catalog import Check, load_catalog
from courtbook.errors import EXIT_MEANING
from courtbook.params import Params
from courtbook.params_fields import models_of
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[1]


KEYED = {"thresholds": "CHECK", "waivers": "CHECK", "accept": "TABLE", "executors": "TABLE"}


def parameters(model: type[BaseModel] = Params, prefix: str = "") -> list[tuple[str, str, str]]:
    """Return dotted name, default and meaning of every parameter."""
    rows: list[tuple[str, str, str]] = []
    for name, field in model.model_fields.items():
        models = models_of(field.annotation)
        default = "required" if field.is_required() else shown(field.get_default(call_default_factory=True))
        shown_name = f"{name}.{KEYED[name]}" if name in KEYED and prefix == "" else name
        if models and prefix == "":
            default = "none" if not field.is_required() and name in ("source", "override") else ""
        rows.append((prefix + shown_name, default, field.description or ""))
        for inner in models:
            known = {row[0] for row in rows}
            rows += [row for row in parameters(inner, f"{prefix}{shown_name}.") if row[0] not in known]
    return rows


def shown(default: Any) -> str:
    """Write a default as the params file would hold it."""
    if isinstance(default, BaseModel | dict) or default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return f"[{', '.join(map(str, default))}]"
    return str(default) or '""'


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Lay out a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def between(text: str, marker: str, content: str) -> str:
    """Replace what stands between two markers."""
    start, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    head, _, rest = text.partition(start)
    _, _, tail = rest.partition(end)
    return f"{head}{start}\n{content}\n{end}{tail}"


def pages() -> dict[Path, str]:
    """Return every generated page with its content."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [(f"`{name}`", f"`{default}`" if default else "", words) for name, default, words in parameters()]
    readme = between(readme, "parameters", table(("parameter", "default", "meaning"), rows))
    codes = [(f"`{int(code)}`", words) for code, words in EXIT_MEANING.items()]
    readme = between(readme, "exit codes", table(("exit status", "meaning"), codes))
    return {ROOT / "README.md": readme, ROOT / "docs" / "checks.md": checks_page()}


CHECKS_HEAD = """# Checks

Generated from `lib/courtbook/nba/checks.yaml` by `tools/document.py`. A check has one result: PASS, WARN, FAIL, NO_DATA
(nothing to measure) or ERROR (it could not be measured). A gate is GO only if no critical check is other than PASS and
nothing failed or ended in an error; MARGINAL if all that stands in the way are critical checks in their marginal band,
below what is asked for and not below where it fails. Thresholds marked *scaled* are those of the documents for their
own range, in proportion for any other; a threshold in the params file is taken as it is. *Set by* names the step of the
runbook or the section of the validation notes.
"""


def bounds(check: Check) -> str:
    """Write what a check asks for."""
    asked = [f"{sign} {bound:g}" for sign, bound in ((">=", check.minimum), ("<=", check.maximum)) if bound is not None]
    floor = f", fails below {check.floor:g}" if check.floor is not None and check.minimum is not None else ""
    return " and ".join(asked) + floor + (" (scaled)" if check.scale else "")


def checks_page() -> str:
    """Return docs/checks.md: every check by gate, then what to do about failures, then the checklist."""
    catalog = load_catalog()
    parts = [CHECKS_HEAD]
    for gate in dict.fromkeys(check.phase for check in catalog.checks):
        rows = [
            (
                f"`{check.id}`", check.severity.value, check.rule, bounds(check), check.unit, check.source, check.why,
            )
            for check in catalog.checks_of(gate)
        ]  # fmt: skip
        head = ("check", "severity", "rule", "asked for", "unit", "set by", "why this value")
        parts += [f"## Gate {gate}\n", table(head, rows), ""]
    repairs: dict[tuple[str, str, str], list[str]] = {}
    for check in catalog.checks:
        name = f"`{check.id.partition('.')[0]}`"
        names = repairs.setdefault((check.causes, check.repair, f"`{check.command}`"), [])
        if name not in names:
            names.append(name)
    parts += ["## What to do\n", table(("checks", "likely causes", "what to do", "command"), [
        (", ".join(names), *said) for said, names in repairs.items()
    ]), ""]  # fmt: skip
    boxes = [
        (item.item, item.phase, ", ".join(f"`{name}`" for name in item.checks) or "a person", item.source)
        for item in catalog.checklist
    ]
    parts += ["## Completion checklist\n", table(("item", "gate", "proved by", "asked for by"), boxes)]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write the pages, or compare them."""
    stale = [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run python tools/document.py")  # noqa: T201
        return int(bool(stale))
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
