"""Writes the tables of the README and docs/checks.md from the code; `--check` only says whether they are up to date."""

import sys
from pathlib import Path
from typing import Any, get_args

from courtbook.catalog import load_catalog
from courtbook.errors import EXIT_MEANING
from courtbook.params import Params
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[1]


def parameters(model: type[BaseModel] = Params, prefix: str = "") -> list[tuple[str, str, str]]:
    """Return dotted name, default and meaning of every parameter."""
    rows: list[tuple[str, str, str]] = []
    for name, field in model.model_fields.items():
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        models = [kind for kind in kinds if issubclass(kind, BaseModel)]
        default = "required" if field.is_required() else shown(field.get_default(call_default_factory=True))
        shown_name = "thresholds.CHECK" if name == "thresholds" else name
        if models and prefix == "":
            default = "" if field.is_required() or name != "source" else "none"
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
    checks = [
        (
            f"`{check.id}`",
            check.phase,
            check.severity.value,
            check.rule,
            " and ".join(
                f"{sign} {bound:g}"
                for sign, bound in ((">=", check.minimum), ("<=", check.maximum))
                if bound is not None
            ),
            check.unit,
            check.source,
            check.repair,
        )
        for check in load_catalog().checks
    ]
    head = ("check", "gate", "severity", "rule", "asked for", "unit", "set by", "if it does not pass")
    text = "# Checks\n\nGenerated from the catalog by `tools/document.py`.\n\n" + table(head, checks) + "\n"
    return {ROOT / "README.md": readme, ROOT / "docs" / "checks.md": text}


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
