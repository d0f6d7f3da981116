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
RunsDir = Annotated[Path | None, typer.Option("--runs-dir", metavar="DIR", help="where runs are kept")]


def read_params(params_file: str, settings: list[str] | None) -> Params:
    """Read a params file as the command line names it."""
    return load_params(find_params(params_file), settings or ())


def runs_of(params_file: str, runs_dir: Path | None) -> Path:
    """Return the folder of the runs: ``runs`` of the project unless another one is named."""
    near = find_params(params_file).parent if params_file else Path.cwd()
    return runs_dir or project_root(near) / "runs"


def note(line: str) -> None:
    """Say something that is not part of the output."""
    typer.echo(line, err=True)
