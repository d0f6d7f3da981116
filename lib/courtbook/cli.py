"""The command line: a thin layer over the library."""

import json
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from courtbook import __version__
from courtbook.errors import CourtbookError, ExitCode, Interrupted, ParameterError
from courtbook.params import Params
from courtbook.params_file import find_params, load_params, project_root

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A runbook that is executed instead of followed.",
)
_state = {"debug": False}

ParamsFile = Annotated[str, typer.Argument(metavar="PARAMS", help="params file, such as params/demo.yaml")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="replace a parameter; keys may be dotted")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"courtbook {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    _state["debug"] = debug


def _load(params_file: str, settings: list[str] | None) -> Params:
    return load_params(find_params(params_file), settings or ())


def _note(line: str) -> None:
    typer.echo(line, err=True)


@app.command()
def prepare(
    params_file: ParamsFile,
    settings: Settings = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="build it anew even if it exists")] = False,
) -> None:
    """Build the embedded warehouse that a params file declares."""
    from courtbook.nba.prepare import prepare as build

    params = _load(params_file, settings)
    if not build(params, fresh=fresh, tell=typer.echo):
        typer.echo(f"{params.warehouse.path} exists already; --fresh builds it anew")


@app.command()
def load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder with Parquet or CSV files")],
    warehouse: Annotated[Path, typer.Option("--warehouse", metavar="FILE", help="DuckDB file to fill")],
) -> None:
    """Load real data into the raw tables of a warehouse file; all of it or nothing."""
    from courtbook.nba.prepare import load_folder

    load_folder(folder, warehouse, tell=typer.echo)


@app.command()
def coverage(params_file: ParamsFile, settings: Settings = None, as_json: AsJson = False) -> None:
    """Print how many of the expected dates and rows each table holds."""
    from courtbook.calendar import read_calendar
    from courtbook.catalog import load_catalog
    from courtbook.coverage import read_all
    from courtbook.warehouse.opening import open_warehouse

    params = _load(params_file, settings)
    warehouse = open_warehouse(params)
    read = read_all(warehouse, load_catalog().processed, read_calendar(warehouse, params))
    if as_json:
        typer.echo(json.dumps([item.record() for item in read.values()], indent=1))
        return
    from courtbook.report.layout import text_table
    from courtbook.report.tables import COVERAGE_KEY, coverage_table

    typer.echo(text_table(*coverage_table(read)))
    typer.echo("\n" + COVERAGE_KEY.replace("; ", "\n"))


@app.command()
def check(
    params_file: ParamsFile,
    settings: Settings = None,
    phase: Annotated[str, typer.Option("--phase", metavar="PHASE", help="preflight, 3, 4 or ml; else all")] = "",
    as_json: AsJson = False,
) -> None:
    """Run the checks alone, read-only; the exit status is the verdict."""
    from courtbook.audit import run_audit
    from courtbook.checks.result import Verdict

    gates = {"preflight": "preflight", "3": "phase3", "4": "phase4", "ml": "ml"}
    chosen = phase.removeprefix("phase")
    if phase and chosen not in gates:
        known = f"Known: {', '.join(gates)}."
        raise ParameterError("There is no such phase.", where=f"--phase {phase}", next_action=known)
    audit = run_audit(_load(params_file, settings), [gates[chosen]] if phase else gates.values())
    if as_json:
        typer.echo(json.dumps(audit.record(), indent=1, ensure_ascii=False))
    else:
        from courtbook.report.pages import audit_text

        for decision in audit.decisions:
            typer.echo(audit_text(decision, params_file) + "\n")
        typer.secho(audit.verdict.value, bold=True, fg="green" if audit.verdict is Verdict.GO else "red", nl=False)
        typer.echo(f"  {audit.words()}")
    raise typer.Exit(int(ExitCode.GO if audit.verdict is Verdict.GO else ExitCode.NO_GO))


@app.command()
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
    params = _load(params_file, None)
    if params.source is not None:
        build(params, fresh=False, tell=_note)
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


@app.command()
def run(
    params_file: ParamsFile,
    settings: Settings = None,
    first: Annotated[str | None, typer.Option("--from", metavar="STEP", help="first step")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="STEP", help="last step")] = None,
    runs_dir: Annotated[Path | None, typer.Option("--runs-dir", metavar="DIR", help="where runs are kept")] = None,
) -> None:
    """Run the notebooks of the runbook and keep what they leave behind."""
    from courtbook.chain import run_chain
    from courtbook.nba.prepare import prepare as build

    # A step may be named as in the params file or as its notebook is, "20_phase3_validation".
    steps = [
        f"{key}={value.removesuffix('.ipynb').lstrip('0123456789').removeprefix('_')}"
        for key, value in (("first_step", first), ("last_step", last))
        if value is not None
    ]
    params = _load(params_file, [*(settings or ()), *steps])
    if params.source is not None:
        build(params, fresh=False, tell=_note)
    root = project_root(find_params(params_file).parent)
    outcome = run_chain(params, root, runs_dir or root / "runs", tell=typer.echo)
    typer.secho(f"\n{outcome.verdict.value}", bold=True, fg="green" if outcome.exit_code == 0 else "red", nl=False)
    typer.echo(f"  {params.name}, {params.range.start} to {params.range.end}")
    typer.echo(f"archive: {outcome.folder}")
    raise typer.Exit(int(outcome.exit_code))


def _guarded(command: Callable[[], Any]) -> int:
    """Call a command; whatever happens ends in one clear line and the right exit status."""
    try:
        command()
    except CourtbookError as error:
        if _state["debug"]:
            traceback.print_exc()
        typer.secho(f"error: {error}", err=True, fg="red")
        return int(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect must not look like NO-GO, which exits with 1
        if _state["debug"]:
            traceback.print_exc()
        line = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
        typer.secho(
            f"error: courtbook: {type(error).__name__}: {line}. This is a defect; --debug shows where.",
            err=True,
            fg="red",
        )
        return int(ExitCode.ENGINE)
    except SystemExit as end:
        return int(end.code or 0)
    return int(ExitCode.GO)


def _stop(*_: object) -> None:
    raise Interrupted


def main() -> None:
    """Entry point of the command; Ctrl-C and SIGTERM end it cleanly."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(_guarded(app))


if __name__ == "__main__":
    main()
