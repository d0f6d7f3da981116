"""Commands about data: building a warehouse, loading real data, copying a slice, damaging a copy on purpose."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from courtbook.errors import CourtbookError, ExitCode, Reason
from courtbook.options import ParamsFile, Settings, note, read_params


def prepare(
    params_file: ParamsFile,
    settings: Settings = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="build it anew even if it exists")] = False,
) -> None:
    """Build the warehouse that a params file declares."""
    from courtbook.nba.prepare import prepare as build

    params = read_params(params_file, settings)
    if not build(params, fresh=fresh, tell=typer.echo):
        name = getattr(params.warehouse, "path", None)
        typer.echo(f"{name} exists already; --fresh builds it anew" if name else "there are tables already")


def load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder with Parquet or CSV files")],
    warehouse: Annotated[Path, typer.Option("--warehouse", metavar="FILE", help="DuckDB file to fill")],
) -> None:
    """Load real data into the raw tables of a warehouse file; all of it or nothing."""
    from courtbook.nba.prepare import load_folder

    load_folder(folder, warehouse, tell=typer.echo)


def copy(
    source: Annotated[str, typer.Option("--from", metavar="PARAMS", help="params file of the warehouse to read")],
    target: Annotated[str, typer.Option("--to", metavar="PARAMS", help="params file of the DuckDB file to fill")],
    tables: Annotated[str, typer.Option("--tables", metavar="NAMES", help="tables or layers, or all")],
    dates: Annotated[str, typer.Option("--dates", metavar="FIRST..LAST", help="which game dates")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask, whatever it costs")] = False,
) -> None:
    """Copy a slice of a warehouse into a local DuckDB file; the cost is shown first, the source is only read."""
    from courtbook.report.layout import text_table
    from courtbook.report.text import cost
    from courtbook.transfer import choose_tables, measure, open_target, span
    from courtbook.transfer import copy as copy_slice
    from courtbook.warehouse.opening import open_warehouse

    chosen, days, read = choose_tables(tables), span(dates), open_warehouse(read_params(source, None))
    into = open_target(read_params(target, None), read)
    measured = measure(read, chosen, days)
    sizes = [size for size in measured.sizes if size is not None]
    rows = [
        [t.full_name, len(t.columns), "" if s is None else cost(s)]
        for t, s in zip(measured.tables, measured.sizes, strict=True)
    ]
    typer.echo(text_table(rows, ["table", "columns", "reads"]))
    typer.echo(f"in all: {cost(sum(sizes))}" if sizes else "reading costs nothing")
    if sizes and not yes and not (sys.stdin.isatty() and typer.confirm("copy?")):
        raise CourtbookError(
            Reason.INTERRUPTED, "Nothing was copied: nobody said yes.", where="copy", next_action="Give --yes."
        )
    copy_slice(measured, into, typer.echo)


def rehearse(
    name: Annotated[str, typer.Argument(metavar="FAULT", help="a fault, or all")] = "",
    params_file: Annotated[
        str, typer.Option("--params", metavar="PARAMS", help="params file whose warehouse is copied and damaged")
    ] = "params/rehearsal.yaml",
    keep: Annotated[Path | None, typer.Option("--keep", metavar="FILE", help="keep the damaged copy here")] = None,
) -> None:
    """Damage a copy of a warehouse on purpose and show which checks notice; without a fault, list them."""
    from courtbook.nba import faults
    from courtbook.nba.prepare import prepare as build
    from courtbook.report.layout import text_table

    known = faults.load_faults()
    if not name:
        typer.echo(text_table([[fault.id, fault.title] for fault in known.values()], ["fault", "what happens"]))
        return
    wanted = list(known.values()) if name == "all" else [faults.find_fault(name)]
    params = read_params(params_file, None)
    if params.source is not None:
        build(params, fresh=False, tell=note)
    before = faults.statuses(params)
    all_expected = True
    with tempfile.TemporaryDirectory() as folder:
        for number, fault in enumerate(wanted):
            copy = keep if keep is not None and len(wanted) == 1 else Path(folder) / f"{number}.duckdb"
            found = faults.rehearse(params, fault, copy, before)
            all_expected &= found.as_expected
            typer.secho(f"{fault.id:<28}{'as expected' if found.as_expected else 'NOT AS EXPECTED'}", bold=True)
            typer.echo(f"  {fault.title}")
            turned = [f"{name} {status}" for name, status in found.turned.items()]
            for words, names in (("turned", turned), ("missed", found.missed), ("unrelated", found.unrelated)):
                if names or words == "turned":
                    typer.echo(f"  {words}: {', '.join(names) or 'nothing'}")
    raise typer.Exit(int(ExitCode.GO if all_expected else ExitCode.NO_GO))
