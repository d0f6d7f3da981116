"""What a signature that was cut short left in a run: finished if the ledger has it, else cleared."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from courtbook.evidence.binding import SIGNING
from courtbook.evidence.bundle import write_once
from courtbook.evidence.ledger import LEDGER, MANIFEST, Ledger
from courtbook.evidence.manifest import Manifest, Seal, digests, read_manifests, seal
from courtbook.evidence.series import numbered
from courtbook.evidence.signatures import FILE, FOLDER


@dataclass(frozen=True)
class Shown:
    """What readers see of a signature: makes the run's page of its next manifest, and the sign-off document."""

    page: Callable[[Manifest], str]
    document: Callable[[], str]


def seal_signature(run: Path, number: int, verdict: str, shown: Shown) -> None:
    """Write the document of a signature that is on record, and seal the run with it."""
    write_once(run / f"sign-off-{number}.md", shown.document())
    seal(run, Seal.SIGNATURE, {"verdict": verdict}, shown.page)


def settle(run: Path, shown: Shown, tell: Callable[[str], None]) -> None:
    """Bring a run to where no signature is half there.

    Only files that no manifest covers, and that signing would have written next, are touched. If there is anything
    else, nothing is, and verification says what. A signature that the ledger has is sealed: nobody's word is lost.
    """
    manifests = read_manifests(run)
    if not manifests:
        return
    last, count = manifests[-1], len(manifests) + 1
    covered = {*last.files, last.path.name}
    left = {name: entry for name, entry in digests(run).items() if name not in covered}
    number = 1 + max((int(found[1]) for found in map(FILE.fullmatch, covered) if found), default=0)
    ledger, page = numbered(LEDGER, count), numbered("index.html", len(last.pages) + 1)
    flat = (ledger, page, f"sign-off-{number}.md", numbered(MANIFEST, count), last.path.name)
    own = re.compile("|".join([rf"{FOLDER}/{number:02d}-[a-z]+-[a-z0-9-]+\.json(\.sig)?", *map(re.escape, flat)]))
    events = Ledger(run / "ledger.jsonl").events()[last.evidence["ledger"]["events"] :]
    strange = [name for name, entry in left.items() if "link" in entry or not own.fullmatch(_meant(name))]
    if not left or strange or {event["kind"] for event in events} - SIGNING:
        return
    signed = next((event["data"] for event in events if event["kind"] == "signed"), None)
    if signed is None:
        _clear(run, left)
        tell(f"cleared what a signature that was cut short left: {', '.join(left)}")
    elif signed["files"] == {name: entry["sha256"] for name, entry in left.items() if name.startswith(f"{FOLDER}/")}:
        _clear(run, left.keys() - {ledger, *signed["files"]})
        seal_signature(run, signed["number"], last.evidence["verdict"], shown)
        tell(f"sealed a signature that was cut short: {signed['number']}, {signed['meaning']} by {signed['name']}")


def _meant(name: str) -> str:
    """Return the name that a file would have got, if it has the one under which write_once begins it."""
    return re.sub(r"(^|/)\.([^/]+)\.[0-9a-f]{32}$", r"\1\2", name)


def _clear(run: Path, names: Iterable[str]) -> None:
    for name in names:
        (run / name).unlink()
