"""Arguments and options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

from courtbook.params import Params
from courtbook.params_file import find_params, load_params, project_root

ParamsFile = Annotated[str, typer.Argument(metavar="PARAMS", help="params file, such as params/demo.yaml")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="replace a parameter; keys may be dotted")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
RunsDir = Annotated[
    str | None,
    typer.Option("--runs-dir", metavar="DIR", help="where runs are kept: a folder, or an address (gs://...)"),
]


def read_params(params_file: str, settings: list[str] | None) -> Params:
    """Read a params file as the command line names it."""
    return load_params(find_params(params_file), settings or ())


def runs_of(params_file: str, runs_dir: str | None) -> Path:
    """Return the folder of the runs: ``runs`` of the project unless another one is named.

    Where runs are kept at an address, that is the folder in which they are made.
    """
    near = find_params(params_file).parent if params_file else Path.cwd()
    return project_root(near) / "runs" if runs_dir is None or "://" in runs_dir else Path(runs_dir)


def note(line: str) -> None:
    """Say something that is not part of the output."""
    typer.echo(line, err=True)
