"""Who may import whom, and what the command line must not load before it needs it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import courtbook
import pytest

PACKAGE = Path(courtbook.__file__).parent
MODULES = {
    ".".join(("courtbook", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# From the bottom to the top; those of one line know nothing of each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("courtbook.errors",),
    ("courtbook.params_fields",),
    ("courtbook.params_warehouse",),
    ("courtbook.params",),
    ("courtbook.params_file",),
    ("courtbook.options",),
    ("courtbook.catalog",),
    ("courtbook.warehouse",),
    ("courtbook.calendar",),
    ("courtbook.coverage",),
    ("courtbook.plan", "courtbook.readiness", "courtbook.fingerprint", "courtbook.transfer"),
    ("courtbook.backfill", "courtbook.checks"),
    ("courtbook.gates",),
    ("courtbook.rejudge",),
    ("courtbook.audit", "courtbook.status", "courtbook.work", "courtbook.verify"),
    ("courtbook.step", "courtbook.sign_off"),
    ("courtbook.report", "courtbook.execute"),
    ("courtbook.archive", "courtbook.attempt"),
    ("courtbook.chain", "courtbook.repair", "courtbook.console"),
    ("courtbook.archive_commands",),
    ("courtbook.cli",),
)
# Loaded only when a command needs them: each costs a good part of a second.
HEAVY = (
    *("pandas", "duckdb", "sqlglot", "matplotlib", "papermill", "pyarrow", "nbconvert", "numpy"),
    *("google", "pandas_gbq"),
)


def layer(module: str) -> int | None:
    """Return the number of the layer of a module; None for evidence, the domain and the package itself."""
    for number, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return number
    return None


def package(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports(path: Path) -> Iterator[str]:
    """Yield every module of courtbook that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            base = node.module or ""
            names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "courtbook")


EDGES = sorted({(module, imported) for module, path in MODULES.items() for imported in imports(path)})


def test_every_module_has_its_place() -> None:
    free = ("courtbook.evidence", "courtbook.nba")
    lost = [m for m in MODULES if m != "courtbook" and layer(m) is None and not m.startswith(free)]
    assert lost == []
    assert len(EDGES) > 60


@pytest.mark.parametrize(("module", "imported"), EDGES)
def test_imports_point_down(module: str, imported: str) -> None:
    if imported == "courtbook" or package(module) == package(imported):
        return
    if package(module) == "courtbook.evidence":
        assert imported == "courtbook.errors"
    elif package(imported) == "courtbook.evidence":
        above, gates = layer(module), layer("courtbook.gates")
        assert above is not None
        assert gates is not None
        assert above > gates, "evidence serves what runs the steps; nothing below knows of it"
    elif package(imported) == "courtbook.nba":
        assert module == "courtbook.cli"
    elif package(module) == "courtbook.nba":
        below = layer(imported)
        chain = layer("courtbook.chain")
        assert below is not None
        assert chain is not None
        assert below < chain
    else:
        above, below = layer(module), layer(imported)
        assert above is not None
        assert below is not None
        assert above > below


def test_basketball_stays_in_its_domain() -> None:
    words = ("nbac_", "player_game_summary", "gamebook", "playoff", "usage_rate")
    for module, path in MODULES.items():
        if package(module) != "courtbook.nba":
            code = ast.unparse(ast.parse(path.read_text(encoding="utf-8"))).lower()
            assert [word for word in words if word in code] == [], module


@pytest.mark.parametrize(
    "module", ["courtbook", "courtbook.errors", "courtbook.params_file", "courtbook.catalog", "courtbook.cli"]
)
def test_a_light_module_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_is_small(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 330
