"""Files of one kind in a folder, numbered since none is ever overwritten: ``plan.json``, ``plan-2.json``, ..."""

from itertools import count
from pathlib import Path


def numbered(name: str, number: int) -> str:
    """Return the name of a file or folder of a series; the first one has no number."""
    path = Path(name)
    return name if number == 1 else f"{path.stem}-{number}{path.suffix}"


def series(folder: Path, name: str) -> tuple[Path, ...]:
    """Return what there is of a series, oldest first, up to the first gap."""
    found: list[Path] = []
    while (following := folder / numbered(name, len(found) + 1)).exists():
        found.append(following)
    return tuple(found)


def next_free(folder: Path, name: str) -> Path:
    """Return the first path of a series at which nothing stands yet."""
    return next(path for number in count(1) if not (path := folder / numbered(name, number)).exists())
