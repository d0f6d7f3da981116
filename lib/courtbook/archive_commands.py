"""Commands about runs that have ended: verify, sign, compare, close, publish."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from courtbook.errors import CourtbookError, ExitCode, ParameterError, Reason
from courtbook.options import AsJson, RunsDir, note, runs_of
from courtbook.params_file import project_root

RunName = Annotated[str, typer.Argument(metavar="RUN", help="a run, by its name or folder")]
AnyRun = Annotated[str, typer.Argument(metavar="RUN", help="a run, by its name, folder or address (gs://...)")]
Signers = Annotated[
    Path | None,
    typer.Option("--signers", metavar="FILE", help="who owns which key; by default params/allowed_signers"),
]


def _find(name: str, runs_dir: str | None) -> Path:
    """Return the folder of a run that is going to be changed, or handed on: its own, not a copy."""
    from courtbook.evidence.publish import is_url
    from courtbook.status import find_run

    if is_url(name):
        hint = "Give its name or folder; what is published is not changed any more."
        raise ParameterError("This needs the run's own folder, not an address.", where=name, next_action=hint)
    return find_run(runs_of("", runs_dir), name)


@contextmanager
def _local(name: str, runs_dir: str | None) -> Iterator[Path]:
    """Give the folder of a run; one that lies elsewhere is fetched first."""
    from courtbook.evidence.publish import fetch, is_url

    address = name if is_url(name) else f"{runs_dir}/{name}" if runs_dir and is_url(runs_dir) else ""
    if not address:
        yield _find(name, runs_dir)
        return
    with tempfile.TemporaryDirectory(prefix="courtbook-") as folder:
        yield fetch(address, Path(folder))


def _signers(given: Path | None, run: Path) -> Path | None:
    """Return the file of signers that is given, or that of the project if there is one."""
    from courtbook.archive import trusted_signers

    if given is not None and not given.is_file():
        raise ParameterError("There is no such file.", where=f"--signers {given}", next_action="See docs/signing.md.")
    return given or trusted_signers(project_root(run))


def verify(
    name: AnyRun = "",
    signers: Signers = None,
    against_warehouse: Annotated[
        bool, typer.Option("--against-warehouse", help="also compare today's tables with those at the run's end")
    ] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a run's archive still is what was sealed, and its verdict follows from it; offline, read-only."""
    from courtbook.archive import changed_tables
    from courtbook.report.verification import verification_text
    from courtbook.verify import verify as look

    with _local(name, runs_dir) as folder:
        found = look(folder, _signers(signers, folder))
        changed = changed_tables(folder) if against_warehouse else None
    if as_json:
        typer.echo(json.dumps({**found.record(), "changed_tables": changed}, indent=1, ensure_ascii=False))
    else:
        typer.echo(verification_text(found, changed))
    raise typer.Exit(int(ExitCode.NO_GO if found.findings or changed else ExitCode.GO))


def sign(
    name: RunName,
    who: Annotated[str, typer.Option("--as", metavar="NAME", help="your name, as in the file of signers")],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="in which role you sign")],
    key: Annotated[Path, typer.Option("--key", metavar="KEY", help="your SSH key")],
    meaning: Annotated[
        str, typer.Option("--meaning", metavar="MEANING", help="executed, reviewed, approved or rejected")
    ] = "",
    revokes: Annotated[int, typer.Option("--revokes", metavar="N", help="take back signature N instead")] = 0,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="what you have to say to it")] = "",
    signers: Signers = None,
    runs_dir: RunsDir = None,
) -> None:
    """Sign a sealed run with an SSH key. Two people, one who executed it and one who approves, make it SIGNED OFF."""
    from courtbook.archive import make_shown, write_list
    from courtbook.evidence.signatures import Meaning, Standing, read_signatures, sign_off
    from courtbook.sign_off import sign_run

    allowed = [item.value for item in Meaning if item is not Meaning.REVOKED]
    if bool(meaning) is bool(revokes) or (meaning and meaning not in allowed):
        raise ParameterError(
            "Say what the signature means, or which one it takes back.",
            where=f"--meaning {meaning}".strip(),
            next_action=f"Give --meaning {', '.join(allowed)}; or --revokes and a number.",
        )
    folder = _find(name, runs_dir)
    trusted = _signers(signers, folder)
    signature = sign_run(
        folder,
        name=who,
        role=role,
        meaning=Meaning(meaning) if meaning else Meaning.REVOKED,
        comment=comment,
        key=key,
        signers=trusted,
        revokes=revokes or None,
        shown=make_shown(folder, trusted),
        tell=note,
    )
    write_list(folder.parent, trusted)
    said = "" if signature.standing is Standing.VALID else f" ({signature.standing.value}: {signature.why})"
    typer.echo(f"signature {signature.number}: {signature.meaning.value} by {signature.name}{said}")
    typer.echo(f"{folder.name}: {sign_off(read_signatures(folder, trusted)).value}")


def diff(
    first: Annotated[str, typer.Argument(metavar="RUN_A", help="a run, by its name, folder or address")],
    second: Annotated[str, typer.Argument(metavar="RUN_B", help="another run")],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="write a page instead")] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Show in what two runs differ: parameters, code, versions, tables, coverage, checks, times."""
    from courtbook.evidence.bundle import write_once
    from courtbook.evidence.record import read_run
    from courtbook.report.diff import compare, diff_page, diff_text

    with _local(first, runs_dir) as one, _local(second, runs_dir) as other:
        found = compare(read_run(one), read_run(other))
    if html is None:
        typer.echo(diff_text(found))
    else:
        write_once(html, diff_page(found))
        typer.echo(f"written: {html}")


def close(name: RunName = "", runs_dir: RunsDir = None) -> None:
    """Close and seal a run that was killed and will not be resumed, so that it can be read, verified and signed."""
    from courtbook.chain import close_run

    folder = _find(name, runs_dir)
    close_run(folder)
    typer.echo(f"closed and sealed: {folder}")


def publish(
    name: RunName,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="where archives go, such as gs://bucket/runs")],
    runs_dir: RunsDir = None,
) -> None:
    """Send a sealed run to a remote archive; nothing there is overwritten, and what is there already is not sent."""
    send(_find(name, runs_dir), to)


def send(folder: Path, url: str) -> None:
    """Publish a run, unless a secret is found in it.

    Raises
    ------
    CourtbookError
        If there is a secret in it, or it cannot be sent.
    """
    from courtbook.archive import leaks_of, trusted_signers, write_remote_list
    from courtbook.evidence.publish import publish as upload

    if leaks := leaks_of(folder):
        raise CourtbookError(
            Reason.SECRET_FOUND,
            f"There seems to be a secret in {', '.join(leaks)}.",
            where=folder.name,
            next_action="Nothing was published. Look at the files, renew the secret, and start a new run without it.",
        )
    done = upload(folder, url, note)
    write_remote_list(folder.parent, trusted_signers(project_root(folder)), url)
    typer.echo(f"published: {done.url} ({done.uploaded} files sent, {done.skipped} there already)")
