"""The plans that a run would make now: read, not frozen."""

from collections.abc import Callable
from pathlib import Path

from courtbook.backfill.choice import kind_of
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Layer, load_catalog
from courtbook.checks.runner import refuse_unknown_names
from courtbook.coverage import read_all, read_coverage
from courtbook.evidence.history import read_history
from courtbook.params import Params
from courtbook.plan import Plan, Selection, make_plan
from courtbook.warehouse.opening import open_warehouse


def preview(params: Params, runs: Path, tell: Callable[[str], None]) -> tuple[tuple[Plan, ...], Calendar]:
    """Return the plans of both layers, the second as it will be when the first has run, and the calendar.

    Parameters
    ----------
    tell : callable
        Told of earlier runs whose history cannot be used.
    """
    catalog, warehouse = load_catalog(), open_warehouse(params)
    refuse_unknown_names(params, catalog)
    history = read_history(runs, warehouse.identity)
    for line in history.skipped:
        tell(line)
    rates = {name: rate for (name, kind), rate in history.seconds.items() if kind == kind_of(name, params)}
    selection = Selection(params.backfill.mode, failed=history.failed, changed=params.backfill.changed)
    plans: list[Plan] = []
    with warehouse.session():
        calendar = read_calendar(warehouse, params)
        read = read_all(warehouse, catalog.processed, calendar)
        for layer in (Layer.PHASE3, Layer.PHASE4):
            plans.append(
                make_plan(
                    catalog,
                    layer,
                    read,
                    lambda table, written: read_coverage(warehouse, table, calendar, rewritten=written),
                    selection,
                    before=plans,
                    rates=rates,
                )
            )
    return tuple(plans), calendar
