"""The command line: a thin layer over the library."""

import json
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from courtbook import __version__, archive_commands
from courtbook.errors import CourtbookError, ExitCode, Interrupted, ParameterError
from courtbook.nba import commands
from courtbook.options import AsJson, ParamsFile, RunsDir, Settings, note, read_params, runs_of
from courtbook.params import Params
from courtbook.params_file import find_params, project_root

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A runbook that is executed instead of followed.",
)
_state = {"debug": False}


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


@app.command()
def coverage(params_file: ParamsFile, settings: Settings = None, as_json: AsJson = False) -> None:
    """Print how many of the expected dates and rows each table holds."""
    from courtbook.calendar import read_calendar
    from courtbook.catalog import load_catalog
    from courtbook.coverage import read_all
    from courtbook.warehouse.opening import open_warehouse

    params = read_params(params_file, settings)
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
    audit = run_audit(read_params(params_file, settings), [gates[chosen]] if phase else gates.values())
    if as_json:
        typer.echo(json.dumps(audit.record(), indent=1, ensure_ascii=False))
    else:
        from courtbook.report.pages import audit_text

        for decision in audit.decisions:
            typer.echo(audit_text(decision, params_file) + "\n")
        typer.secho(audit.verdict.value, bold=True, fg="green" if audit.verdict is Verdict.GO else "red", nl=False)
        typer.echo(f"  {audit.words()}")
    raise typer.Exit(int(ExitCode.GO if audit.verdict is Verdict.GO else ExitCode.NO_GO))


_DATA: tuple[Callable[..., None], ...] = (commands.prepare, commands.load, commands.copy, commands.rehearse)
for _command in _DATA:
    app.command()(_command)


@app.command()
def plan(params_file: ParamsFile, settings: Settings = None, runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """Print which dates of which table would be written, why, in which order and at what cost; nothing is written."""
    from courtbook.work import preview

    params = read_params(params_file, settings)
    plans, calendar = preview(params, runs_of(params_file, runs_dir), note)
    if as_json:
        chosen = params.backfill
        caps = {"table_dates": chosen.max_table_dates, "hours": chosen.max_hours, "bytes": chosen.max_bytes}
        typer.echo(json.dumps([{**item.record(), "cap": caps} for item in plans], indent=1))
    else:
        from courtbook.report import work

        typer.echo("\n\n".join(work.plan(item, calendar, params, most=6).text for item in plans))
    for item in plans:
        item.refuse_above(params.backfill.max_table_dates, params.backfill.max_hours, params.backfill.max_bytes)


@app.command()
def run(  # noqa: PLR0917 - typer makes options of them
    params_file: Annotated[str, typer.Argument(metavar="PARAMS", help="params file, such as params/demo.yaml")] = "",
    settings: Settings = None,
    first: Annotated[str | None, typer.Option("--from", metavar="STEP", help="first step")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="STEP", help="last step")] = None,
    runs_dir: RunsDir = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="go on with a run that was interrupted or failed")
    ] = None,
) -> None:
    """Run the notebooks of the runbook and keep what they leave behind."""
    from courtbook.chain import resume_chain, run_chain
    from courtbook.console import Bar
    from courtbook.status import find_run

    with Bar() as bar:
        if resume is not None:
            if params_file or settings or first or last:
                raise ParameterError(
                    "A run is resumed with its own parameters.",
                    where="--resume",
                    next_action="Give the run alone; for other parameters start a new run.",
                )
            outcome = resume_chain(find_run(runs_of("", runs_dir), resume), tell=bar.tell, watch=bar.watch)
        else:
            params, root = _prepared(params_file, settings, first, last)
            outcome = run_chain(params, root, runs_of(params_file, runs_dir), tell=bar.tell, watch=bar.watch)
    typer.secho(f"\n{outcome.verdict.value}", bold=True, fg="green" if outcome.exit_code == 0 else "red", nl=False)
    params = outcome.params
    typer.echo(f"  {params.name}, {params.range.start} to {params.range.end}")
    typer.echo(f"digest:  sha256:{outcome.sealed.manifest.digest}")
    typer.echo(f"archive: {outcome.folder}")
    if outcome.exit_code not in (ExitCode.GO, ExitCode.USAGE):
        typer.echo(f"go on:   courtbook run --resume {outcome.folder.name}")
    if runs_dir and "://" in runs_dir:
        archive_commands.send(outcome.folder, runs_dir)
    elif outcome.sealed.leaks:
        note(f"warning: there seems to be a secret in {', '.join(outcome.sealed.leaks)}; do not hand this archive on")
    raise typer.Exit(int(outcome.exit_code))


def _prepared(params_file: str, settings: list[str] | None, first: str | None, last: str | None) -> tuple[Params, Path]:
    """Return the parameters of a run and the project's folder; build a missing warehouse if they say how."""
    from courtbook.nba.prepare import prepare as build

    # A step may be named as in the params file or as its notebook is, "20_phase3_validation".
    steps = [
        f"{key}={value.removesuffix('.ipynb').lstrip('0123456789').removeprefix('_')}"
        for key, value in (("first_step", first), ("last_step", last))
        if value is not None
    ]
    params = read_params(params_file, [*(settings or ()), *steps])
    if params.source is not None:
        build(params, fresh=False, tell=note)
    return params, project_root(find_params(params_file).parent)


@app.command()
def backfill(
    params_file: ParamsFile,
    table: Annotated[str, typer.Option("--table", metavar="TABLE", help="the table to repair")],
    dates: Annotated[str, typer.Option("--dates", metavar="DATES", help="2024-01-05,2024-01-08..2024-01-12")] = "",
    settings: Settings = None,
    runs_dir: RunsDir = None,
) -> None:
    """Write some dates of one table anew, through the same gate, plan and record as a run."""
    from courtbook.checks.result import Verdict
    from courtbook.console import Bar
    from courtbook.repair import repair

    params = read_params(params_file, settings)
    with Bar() as bar:
        done = repair(params, table, dates, runs_of(params_file, runs_dir), bar.show)
    good = done.verdict is Verdict.GO
    typer.secho(done.verdict.value, bold=True, fg="green" if good else "red", nl=False)
    typer.echo(f"  {done.why}\narchive: {done.folder}")
    if done.behind:
        typer.echo(f"older than this now: {done.behind}")
        typer.echo(f"next: courtbook run {params_file} --set backfill.mode=stale")
    raise typer.Exit(int(ExitCode.GO if good else ExitCode.NO_GO))


@app.command()
def status(
    name: Annotated[str, typer.Argument(metavar="RUN", help="a run; by default the one written last")] = "",
    runs_dir: RunsDir = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="show it again every two seconds until the run has ended")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how a run is doing: running, complete, failed, hung or interrupted, table by table."""
    from courtbook.report.work import status_text
    from courtbook.status import RunState, find_run, read_status

    folder = find_run(runs_of("", runs_dir), name)
    while True:
        found = read_status(folder)
        if watch and not as_json:
            typer.echo("\x1b[2J\x1b[H", nl=False)
        typer.echo(
            json.dumps(found.record(), ensure_ascii=False, indent=None if watch else 1)
            if as_json
            else status_text(found)
        )
        if not watch or found.state is not RunState.RUNNING:
            return
        time.sleep(2)


@app.command()
def stop(
    name: Annotated[str, typer.Argument(metavar="RUN", help="a run; by default the one written last")] = "",
    runs_dir: RunsDir = None,
) -> None:
    """Ask a run to end after the piece of work that it is at; it can be resumed."""
    from courtbook.status import RunState, find_run, read_status
    from courtbook.work import STOP_FILE

    folder = find_run(runs_of("", runs_dir), name)
    state = read_status(folder).state
    if state not in (RunState.RUNNING, RunState.HUNG):
        next_action = "'courtbook status' shows how it ended."
        raise ParameterError(f"This run is not going, it is {state.value}.", where=folder.name, next_action=next_action)
    (folder / STOP_FILE).touch()
    typer.echo(f"asked {folder.name} to stop; 'courtbook status' shows when it has")


_ARCHIVE: tuple[Callable[..., None], ...] = (
    archive_commands.verify,
    archive_commands.sign,
    archive_commands.diff,
    archive_commands.publish,
    archive_commands.close,
)
for _order in _ARCHIVE:
    app.command()(_order)


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
