"""Whether what fills a table is there at all: asked before anything runs, by preflight."""

import shutil
from pathlib import Path

from courtbook.catalog import Table
from courtbook.params import CommandParams, HttpParams

HEALTH_SECONDS = 10.0


def lacking(table: Table, executor: CommandParams | HttpParams | None) -> str:
    """Say what is missing before a table can be filled; empty if nothing is, and for the built-in SQL."""
    if executor is None:
        return ""
    if isinstance(executor, CommandParams):
        return _command(table, executor)
    if table.job is None or not table.job.service:
        return "the service has no processor for it"
    return _service(executor)


def _command(table: Table, executor: CommandParams) -> str:
    folder = Path(executor.folder)
    if not folder.is_dir():
        return f"no folder {folder}"
    program = executor.argv[0]
    # A path with a slash is looked for in the job's folder, a bare name on the PATH: as the system will do it.
    found = (folder / program).is_file() if "/" in program else shutil.which(program) is not None
    if not found:
        return f"no program {program}"
    if any("{script}" in part for part in executor.argv):
        if table.job is None:
            return "the catalog knows no script for it"
        if not (folder / table.job.script).is_file():
            return f"no script {table.job.script} in {folder}"
    return ""


def _service(executor: HttpParams) -> str:
    import httpx

    try:
        answer = httpx.get(f"{executor.url.rstrip('/')}/health", timeout=HEALTH_SECONDS)
    except httpx.HTTPError as error:
        return f"{executor.url} does not answer: {type(error).__name__}"
    # A service that wants a token even for this is there.
    there = answer.status_code < 400 or answer.status_code in (401, 403)
    return "" if there else f"{executor.url}/health: {answer.status_code}"
