"""Tables, processors and checks as a domain declares them."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import pyarrow as pa


class Layer(Enum):
    """Where a table stands in the warehouse."""

    RAW = "raw"
    PHASE3 = "phase3"
    PHASE4 = "phase4"


class Severity(Enum):
    """What a check that does not pass means for the gate."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True)
class Expectation:
    """Which keys ought to exist on a date: a SQL rule of the domain and its arguments.

    ``allow_extra`` is for tables that may hold more rows than the rule names.
    """

    rule: str
    words: str
    after_bootstrap: bool
    min_games: int = 0
    allow_extra: bool = False


@dataclass(frozen=True)
class Table:
    """One table: where it is, what identifies a row, which columns it has."""

    name: str
    dataset: str
    layer: Layer
    date_column: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    entity_column: str = ""
    reads: tuple[str, ...] = ()
    expectation: Expectation | None = None

    @property
    def full_name(self) -> str:
        """Dataset and name, as SQL writes it."""
        return f"{self.dataset}.{self.name}"

    @property
    def expected(self) -> Expectation:
        """What ought to be there; raises for a table that declares nothing."""
        if self.expectation is None:
            raise ValueError(f"{self.name} declares no expectation")
        return self.expectation

    def arrow_schema(self) -> "pa.Schema":
        """Return the columns as an Arrow schema, in order."""
        import pyarrow as pa

        kinds: dict[str, pa.DataType] = {
            "STRING": pa.string(),
            "INT64": pa.int64(),
            "FLOAT64": pa.float64(),
            "BOOL": pa.bool_(),
            "DATE": pa.date32(),
            "TIMESTAMP": pa.timestamp("us"),
            "ARRAY<STRING>": pa.list_(pa.string()),
            "ARRAY<FLOAT64>": pa.list_(pa.float64()),
        }
        return pa.schema([(name, kinds[kind]) for name, kind in self.columns.items()])


@dataclass(frozen=True)
class Check:
    """One declared check: what is measured, and the rule that decides.

    ``measure`` names what is counted. ``ratio`` and ``count`` run the SQL file ``checks/<sql>.sql``, which yields one
    row with ``numerator`` and ``denominator``, and ``detail`` where words help; the value is their ratio or the
    numerator. The other measures need no SQL of their own. ``minimum`` and ``maximum`` are inclusive, in the unit of
    the value. ``names`` are identifiers for the SQL template, ``values`` are query parameters.
    """

    id: str
    title: str
    phase: str
    severity: Severity
    rule: str
    source: str
    repair: str
    table: str = ""
    measure: str = "ratio"
    sql: str = ""
    minimum: float | None = None
    maximum: float | None = None
    unit: str = "fraction"
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One notebook of the runbook."""

    name: str
    notebook: str
    title: str
    number: int


@dataclass(frozen=True)
class Catalog:
    """All that a domain declares."""

    domain: str
    tables: Mapping[str, Table]
    checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    gates: Mapping[str, str]

    def layer(self, layer: Layer) -> tuple[Table, ...]:
        """Return the tables of a layer, in the order of the catalog."""
        return tuple(table for table in self.tables.values() if table.layer is layer)

    def step(self, name: str) -> Step:
        """Return a step by its name."""
        return next(step for step in self.steps if step.name == name)

    def checks_of(self, phase: str) -> tuple[Check, ...]:
        """Return the checks of a phase, in the order of the catalog."""
        return tuple(check for check in self.checks if check.phase == phase)

    @property
    def processed(self) -> tuple[Table, ...]:
        """The tables that processors write, in the order of the catalog."""
        return self.layer(Layer.PHASE3) + self.layer(Layer.PHASE4)

    def levels(self, layer: Layer) -> tuple[tuple[Table, ...], ...]:
        """Group the tables of a layer so that each reads only from earlier levels."""
        left = list(self.layer(layer))
        inside = {table.name for table in left}
        done: set[str] = set()
        levels: list[tuple[Table, ...]] = []
        while left:
            ready = tuple(table for table in left if not (set(table.reads) & inside) - done)
            if not ready:
                raise ValueError(f"the tables {[table.name for table in left]} read each other in a circle")
            levels.append(ready)
            done |= {table.name for table in ready}
            left = [table for table in left if table not in ready]
        return tuple(levels)


def _table(name: str, layer: Layer, entry: dict[str, Any]) -> Table:
    expectation = entry.get("expectation")
    return Table(
        name=name,
        layer=layer,
        dataset=entry["dataset"],
        date_column=entry["date_column"],
        key=tuple(entry["key"]),
        columns=dict(entry["columns"]),
        entity_column=entry.get("entity_column", ""),
        reads=tuple(entry.get("reads", ())),
        expectation=Expectation(**expectation) if expectation else None,
    )


def _checks(entry: dict[str, Any]) -> list[Check]:
    """Read one entry; with ``tables`` it stands for one check a table."""
    fields = {**entry, "severity": Severity(entry["severity"])}
    tables = fields.pop("tables", None)
    if tables is None:
        return [Check(**fields)]
    return [Check(**{**fields, "id": f"{fields['id']}.{table}", "table": table}) for table in tables]


@cache
def load_catalog(domain: str = "nba") -> Catalog:
    """Read the catalog of a domain, the package ``courtbook.<domain>``."""
    package = importlib.import_module(f"courtbook.{domain}")
    content = yaml.safe_load((resources.files(package) / "catalog.yaml").read_text(encoding="utf-8"))
    tables = {
        name: _table(name, layer, entry) for layer in Layer for name, entry in content.get(layer.value, {}).items()
    }
    checks = tuple(check for entry in content.get("checks", ()) for check in _checks(entry))
    steps = tuple(
        Step(name=name, number=entry["number"], title=entry["title"], notebook=f"{entry['number']:02d}_{name}")
        for name, entry in content.get("steps", {}).items()
    )
    return Catalog(domain, tables, checks, steps, dict(content.get("gates", {})))
