"""What a signature that was cut short left in a run: finished if the ledger has it, else cleared."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from courtbook.evidence.bundle import sha256, write_once
from courtbook.evidence.ledger import Event, Ledger
from courtbook.evidence.manifest import Manifest, Seal, digests, page_files, read_manifests, seal
from courtbook.evidence.signatures import FILE, FOLDER

_TEMPORARY = r"\.{}\.[0-9a-f]{{32}}"  # the name under which write_once begins a file


@dataclass(frozen=True)
class Shown:
    """What readers see of a signature: makes the run's page of its next manifest, and the sign-off document."""

    page: Callable[[Manifest], str]
    document: Callable[[], str]


def seal_signature(run: Path, number: int, verdict: str, shown: Shown | None) -> None:
    """Write the document of a signature that is on record, and seal the run with it."""
    if shown is not None:
        write_once(run / f"sign-off-{number}.md", shown.document())
    seal(run, Seal.SIGNATURE, {"verdict": verdict}, shown.page if shown else None)


def settle(run: Path, shown: Shown | None, tell: Callable[[str], None]) -> None:
    """Bring a run to where no signature is half there.

    Only files that no manifest covers, and that signing would have written next, are touched. If there is anything
    else, nothing is, and verification says what. A signature that the ledger has is sealed: nobody's word is lost.
    """
    manifests = read_manifests(run)
    if not manifests:
        return
    covered = {*manifests[-1].files, manifests[-1].path.name}
    left = [name for name in digests(run) if name not in covered]
    number = 1 + max((int(FILE.fullmatch(name)[1]) for name in covered if FILE.fullmatch(name)), default=0)  # type: ignore[index]
    count, pages = len(manifests) + 1, len([item for item in page_files(run) if item.name in covered])
    ledger, own_page = f"ledger-{count}.jsonl", f"index-{pages + 1}.html" if pages else "index.html"
    ours = _pattern(number, ledger, own_page, f"manifest-{count}.json", manifests[-1].path.name)
    if not left or not all(ours.fullmatch(name) and not (run / name).is_symlink() for name in left):
        return
    events = Ledger(run / "ledger.jsonl").events()[manifests[-1].evidence["ledger"]["events"] :]
    if {event["kind"] for event in events} - {"signed", "torn_line"}:
        return
    signed = next((event["data"] for event in events if event["kind"] == "signed"), None)
    if signed is None:
        _clear(run, left)
        tell(f"cleared what a signature that was cut short left: {', '.join(left)}")
    elif _whole(run, signed, left):
        _clear(run, [name for name in left if name not in (ledger, *signed["files"])])
        seal_signature(run, signed["number"], manifests[-1].evidence["verdict"], shown)
        tell(f"sealed a signature that was cut short: {signed['number']}, {signed['meaning']} by {signed['name']}")


def _pattern(number: int, ledger: str, page: str, manifest: str, before: str) -> re.Pattern[str]:
    """Return what matches the files that the signature of a number writes, and those that it begins them under."""
    own = rf"{number:02d}-[a-z]+-[a-z0-9-]+\.json(\.sig)?"
    document = f"sign-off-{number}.md"
    flat = [_TEMPORARY.format(re.escape(name)) for name in (page, manifest, before, document)]
    whole = [re.escape(name) for name in (ledger, page, document)]
    return re.compile("|".join([rf"{FOLDER}/({own}|{_TEMPORARY.format(own)})", *whole, *flat]))


def _whole(run: Path, signed: Event, left: list[str]) -> bool:
    """Tell whether the files of a signature are there as the ledger has them, and no others."""
    files: dict[str, str] = dict(signed["files"])
    others = [name for name in left if name.startswith(f"{FOLDER}/") and name not in files]
    return not others and all(name in left and sha256(run / name) == digest for name, digest in files.items())


def _clear(run: Path, names: list[str]) -> None:
    for name in names:
        (run / name).unlink()
