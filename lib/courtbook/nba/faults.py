"""Faults to rehearse with: damage done to a copy of the warehouse, and the checks that have to see it."""

import difflib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from courtbook.audit import run_audit
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Layer, load_catalog
from courtbook.checks.result import Status
from courtbook.coverage import read_all
from courtbook.errors import ParameterError
from courtbook.params import Params
from courtbook.params_warehouse import WarehouseParams
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.opening import open_warehouse
from courtbook.warehouse.statement import Statement, render

_ENDS = re.compile(r"^;$", re.MULTILINE)
_NEXT = "Rehearse on a complete league: courtbook prepare params/rehearsal.yaml"


@dataclass(frozen=True)
class Fault:
    """One kind of damage. ``red`` names the checks that have to turn; ``timeout`` is in seconds a statement."""

    id: str
    title: str
    seen: str
    red: tuple[str, ...]
    timeout: int | None = None


@dataclass(frozen=True)
class Rehearsal:
    """What a fault did: the checks that do not pass and had another status before, with what they say now."""

    fault: Fault
    turned: Mapping[str, str]

    @property
    def expected(self) -> tuple[str, ...]:
        """The checks that have to turn, in the order of the catalog."""
        ids = [check.id for check in load_catalog().checks]
        return tuple(name for name in ids if any(fnmatchcase(name, pattern) for pattern in self.fault.red))

    @property
    def missed(self) -> tuple[str, ...]:
        """Checks that have to turn and did not."""
        return tuple(name for name in self.expected if name not in self.turned)

    @property
    def unrelated(self) -> tuple[str, ...]:
        """Checks that turned and have nothing to do with the fault."""
        return tuple(name for name in self.turned if name not in self.expected)

    @property
    def as_expected(self) -> bool:
        """Whether exactly the right checks turned."""
        return bool(self.turned) and not self.missed and not self.unrelated


@cache
def load_faults() -> Mapping[str, Fault]:
    """Read the declared faults, by id."""
    entries = yaml.safe_load((resources.files("courtbook.nba") / "faults.yaml").read_text(encoding="utf-8"))
    return {name: Fault(name, **{**entry, "red": tuple(entry["red"])}) for name, entry in entries.items()}


def find_fault(name: str) -> Fault:
    """Return a fault by its id; an unknown one is refused, and the nearest is named."""
    known = load_faults()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    raise ParameterError(
        "There is no fault of this name" + (f"; did you mean '{near[0]}'?" if near else "."),
        where=name,
        next_action=f"These exist: {', '.join(known)}.",
    )


def inject(warehouse: Warehouse, calendar: Calendar, fault: Fault) -> None:
    """Damage a warehouse, in one transaction; ``@day`` is the fullest date of the middle of the range."""
    read = read_all(warehouse, load_catalog().layer(Layer.PHASE4), calendar).values()
    days = [item for item in calendar.days if all(item.day in coverage.covered for coverage in read)]
    if not days:
        words = "No date of the range has rows in all tables of Phase 4, so there is nothing to damage."
        raise ParameterError(words, where=warehouse.identity, next_action=_NEXT)
    middle = days[len(days) // 4 : len(days) - len(days) // 4]
    now = datetime.now(UTC).replace(tzinfo=None)
    values = calendar.values(calendar.dates(), skip_days=calendar.bootstrap_days, processed_at=now)
    values = {**values, "day": max(middle, key=lambda item: item.games).day}
    text = render("nba", f"faults/{fault.id}.sql")
    warehouse.apply((Statement(text.name, part.strip() + "\n"), values) for part in _ENDS.split(text.sql))


def statuses(params: Params) -> dict[str, Status]:
    """Run the checks of all gates and return the status of each."""
    audit = run_audit(params, load_catalog().phases)
    return {result.check.id: result.status for decision in audit.decisions for result in decision.results}


def rehearse(params: Params, fault: Fault, copy: Path, before: Mapping[str, Status] | None = None) -> Rehearsal:
    """Damage a copy of the warehouse and see which checks turn.

    Parameters
    ----------
    copy : Path
        The file to make. The warehouse of the parameters is only read.
    before : mapping, optional
        The statuses over the undamaged warehouse, where they are known already.
    """
    if not isinstance(params.warehouse, WarehouseParams):
        words = "Faults are rehearsed on copies of embedded warehouses only."
        raise ParameterError(words, where="warehouse.engine", next_action=_NEXT)
    before = statuses(params) if before is None else before
    shutil.copyfile(params.warehouse.path, copy)
    changed = {"path": str(copy), "timeout": fault.timeout or params.warehouse.timeout}
    copied = params.model_copy(update={"warehouse": params.warehouse.model_copy(update=changed)})
    damaged = open_warehouse(copied)
    inject(damaged, read_calendar(damaged, copied), fault)
    after = statuses(copied)
    turned = {name: found.value for name, found in after.items() if found not in (Status.PASS, before.get(name))}
    return Rehearsal(fault, turned)
