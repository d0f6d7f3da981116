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
class Edge:
    """One table that another one reads.

    Attributes
    ----------
    window : tuple of str
        Which dates of the table count for a date D of its reader: ``same date``, ``N days`` before D, the last
        ``N games`` before D, or the ``season`` up to the day before D. Empty where no row of D depends on them.
    by : str
        Column of the reader that names whose games ``N games`` are.
    counting : str
        Which rows of the table count as games, as an expression; empty: all.
    join : mapping
        Which row of the table belongs to a row of the reader: its columns, each with an expression over the reader's
        columns. Empty where a reader's row needs no single partner.
    """

    table: "Table"
    window: tuple[str, ...] = ()
    by: str = ""
    counting: str = ""
    join: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What the operator's own jobs can do for a table.

    Attributes
    ----------
    script : str
        Path of the script in the operator's repository.
    dates : bool
        Whether the script takes ``--dates`` lists; all take ``--start-date`` and ``--end-date``.
    workers : bool
        Whether the script heeds ``--parallel --workers N``; others ignore or refuse it.
    arguments : tuple of str
        What the script is always given.
    service : str
        The name by which the service knows the processor; empty where the service does not have it.
    """

    script: str
    dates: bool
    workers: bool
    arguments: tuple[str, ...] = ()
    service: str = ""


@dataclass(frozen=True)
class Table:
    """One table: where it is, what identifies a row, which columns it has.

    ``fill`` gives the smallest share of rows in which a column has a value. ``fallback`` says what stands in for the
    table where it lacks a date; only such a table may be accepted incomplete. ``otherwise`` names the columns that a
    warehouse may lack, with an expression over its row ``t`` that stands for each; None: only our processors need it.
    """

    name: str
    dataset: str
    layer: Layer
    date_column: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    entity_column: str = ""
    edges: tuple[Edge, ...] = ()
    expectation: Expectation | None = None
    fill: Mapping[str, float] = field(default_factory=dict)
    otherwise: Mapping[str, str | None] = field(default_factory=dict)
    fallback: str = ""
    job: Job | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the tables that this one is made from."""
        return tuple(edge.table.name for edge in self.edges)

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

    def arrow_schema(self, zone: str | None = None) -> "pa.Schema":
        """Return the columns as an Arrow schema, in order; times are in a zone if one is given."""
        import pyarrow as pa

        kinds: dict[str, pa.DataType] = {
            "STRING": pa.string(),
            "INT64": pa.int64(),
            "FLOAT64": pa.float64(),
            "BOOL": pa.bool_(),
            "DATE": pa.date32(),
            "TIMESTAMP": pa.timestamp("us", tz=zone),
            "ARRAY<STRING>": pa.list_(pa.string()),
            "ARRAY<FLOAT64>": pa.list_(pa.float64()),
        }
        return pa.schema([(name, kinds[kind]) for name, kind in self.columns.items()])


@dataclass(frozen=True)
class Check:
    """One declared check: what is measured, and the rule that decides.

    ``measure`` names what is counted. ``ratio``, ``count`` and ``worst month`` take their numerator and denominator
    either from expressions, which are evaluated together with those of all other checks of the table, or from the file
    ``checks/<sql>.sql``, which yields one row with ``numerator`` and ``denominator``, and ``detail`` where words help.
    The other measures stand in :mod:`courtbook.checks.measures`.

    ``minimum`` and ``maximum`` are inclusive, in the unit of the value. A value below ``minimum`` but not below
    ``floor`` is a warning; without a floor a critical check fails there and a warning stays a warning. ``scale`` is for
    bounds that a document sets for its own range: they hold ``at`` that much of ``by``, and are scaled to any other
    range. ``why`` says why this value, where documents disagree.
    """

    id: str
    title: str
    phase: str
    severity: Severity
    rule: str
    source: str
    causes: str
    repair: str
    command: str
    why: str = ""
    table: str = ""
    measure: str = "ratio"
    sql: str = ""
    numerator: str = ""
    denominator: str = "COUNT(*)"
    minimum: float | None = None
    maximum: float | None = None
    floor: float | None = None
    scale: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "fraction"
    of: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ChecklistItem:
    """One box of the completion checklist: the checks that prove it, by id up to its first dot; none: a person."""

    item: str
    phase: str
    source: str
    checks: tuple[str, ...] = ()


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
    checklist: tuple[ChecklistItem, ...]

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
    def phases(self) -> tuple[str, ...]:
        """The gates that checks belong to, in the order of the runbook."""
        return tuple(dict.fromkeys(check.phase for check in self.checks))

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
            levels.append(ready)
            done |= {table.name for table in ready}
            left = [table for table in left if table not in ready]
        return tuple(levels)


def _table(name: str, layer: Layer, entry: dict[str, Any], known: Mapping[str, Table]) -> Table:
    expectation = entry.get("expectation")
    key, columns = tuple(entry["key"]), dict(entry["columns"])
    if above := sorted(set(entry.get("reads", {})) - set(known)):
        raise ValueError(f"{name} reads {', '.join(above)}, which must be declared above it")
    edges = tuple(
        Edge(**{**(edge or {}), "table": known[read], "window": tuple((edge or {}).get("window", ()))})
        for read, edge in entry.get("reads", {}).items()
    )
    if nobodys := [edge.table.name for edge in edges if not edge.by and any(w.endswith("games") for w in edge.window)]:
        raise ValueError(f"{name} looks back at games of {', '.join(nobodys)}: 'by' has to say whose")
    return Table(
        name=name,
        layer=layer,
        dataset=entry["dataset"],
        date_column=entry["date_column"],
        key=key,
        columns=columns,
        entity_column=entry.get("entity_column", ""),
        edges=edges,
        expectation=Expectation(**expectation) if expectation else None,
        fill={**{column: 0.95 for column in columns if column not in key}, **entry.get("fill", {})},
        otherwise=entry.get("otherwise", {}),
        fallback=entry.get("fallback", ""),
        job=Job(**{**job, "arguments": tuple(job.get("arguments", ()))}) if (job := entry.get("job")) else None,
    )


def _checks(entry: dict[str, Any]) -> list[Check]:
    """Read one entry; with ``tables`` it stands for one check a table."""
    fields = {**entry, "severity": Severity(entry["severity"])}
    tables = fields.pop("tables", None)
    if tables is None:
        return [Check(**fields)]
    sql = fields.get("sql", "")
    return [
        Check(**{**fields, "id": f"{fields['id']}.{table}", "table": table, "sql": sql.format(table=table)})
        for table in tables
    ]


@cache
def load_catalog(domain: str = "nba") -> Catalog:
    """Read the catalog of a domain, the package ``courtbook.<domain>``."""
    package = importlib.import_module(f"courtbook.{domain}")
    content: dict[str, Any] = {}
    for name in ("catalog.yaml", "checks.yaml"):
        content |= yaml.safe_load((resources.files(package) / name).read_text(encoding="utf-8"))
    tables: dict[str, Table] = {}
    for layer in Layer:
        for name, entry in content.get(layer.value, {}).items():
            tables[name] = _table(name, layer, entry, tables)  # a table stands below those that it reads
    checks = tuple(check for entry in content.get("checks", ()) for check in _checks(entry))
    steps = tuple(
        Step(name=name, number=entry["number"], title=entry["title"], notebook=f"{entry['number']:02d}_{name}")
        for name, entry in content.get("steps", {}).items()
    )
    checklist = tuple(
        ChecklistItem(**{**entry, "checks": tuple(entry.get("checks", ()))}) for entry in content.get("checklist", ())
    )
    return Catalog(domain, tables, checks, steps, dict(content.get("gates", {})), checklist)
