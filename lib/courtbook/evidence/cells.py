"""Cells of notebooks: what became of each, and whether they are those of the source."""

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason

TRUTH = "courtbook-truth"  # id and tag of the note on top
RUNNING = "running"  # the state of a cell while it runs; found afterwards, it means that nobody saw the cell end
_INJECTED, BANNER = "injected-parameters", "papermill-error-cell-tag"
_HALF_PAIR = re.compile("[\ud800-\udfff]")
Cell = dict[str, Any]


class CellState(Enum):
    """How a code cell ended."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not run"


# What papermill calls it: its status, and whether there was an exception.
IN_PAPERMILL: dict[CellState, tuple[str, bool | None]] = {
    CellState.DONE: ("completed", False),
    CellState.FAILED: ("failed", True),
    CellState.INTERRUPTED: ("failed", True),
    CellState.NOT_RUN: ("pending", None),
}


@dataclass(frozen=True)
class CellRecord:
    """One code cell of an executed notebook."""

    id: str
    state: CellState
    count: int | None
    outputs: int


def save_whole(path: Path, text: str) -> None:
    """Write a notebook completely or not at all; what stood there before stays until then.

    Raises
    ------
    CourtbookError
        If it cannot be written.
    """
    # Half a surrogate pair, which JSON may hold, has no UTF-8: it is spelled out.
    whole = _HALF_PAIR.sub(lambda half: f"\\\\u{ord(half[0]):04x}", text)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if temporary.exists():
            temporary.unlink()
        raise CourtbookError(
            Reason.DISK_FULL,
            f"The notebook cannot be written: {error.strerror}. Its last whole version is kept, if there was one.",
            where=str(path),
            next_action="Make room on the disk, then go on with 'courtbook run --resume RUN'.",
        ) from error


def load(path: Path) -> dict[str, Any]:
    """Read a notebook; raise if it cannot be read as one."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content["nbformat"] != 4 or not _tells(content["metadata"]) or not all(map(_fits, content["cells"])):
            raise ValueError("its parts are not those of a notebook")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"This cannot be read as a notebook: {error.strerror if isinstance(error, OSError) else error}.",
            where=str(path),
            next_action="Take it from its archive or from git again.",
        ) from error
    return content


def _tells(metadata: dict[str, Any]) -> bool:
    return all(isinstance(metadata.get(name, {}), dict) for name in ("courtbook", "papermill", "execution"))


def _fits(cell: Cell) -> bool:
    metadata, outputs = cell["metadata"], cell.get("outputs", [])
    return (
        isinstance(source_of(cell), str)
        and _tells(metadata)
        and isinstance(metadata.get("tags", []), list)
        and isinstance(metadata.get("courtbook", {}).get("state"), str | None)
        and all(isinstance(output["output_type"], str) for output in outputs)
        and isinstance(cell.get("execution_count"), int | None)
        and (cell["cell_type"] != "code" or "outputs" in cell)
    )


def source_of(cell: Cell) -> str:
    """Return the source of a cell as one text."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def tagged(cell: Cell, tag: str) -> bool:
    """Tell whether a cell has a tag."""
    return bool(tag in cell["metadata"].get("tags", []))


def is_note(cell: Cell, *tags: str) -> bool:
    """Tell whether a cell is a text with one of these tags."""
    return cell["cell_type"] == "markdown" and any(tagged(cell, tag) for tag in tags)


def has_error(cell: Cell) -> bool:
    """Tell whether a cell shows an error."""
    return any(output["output_type"] == "error" for output in cell["outputs"])


def code_cells(content: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Yield the code cells, each with its id; one without is named by its place."""
    for number, cell in enumerate(content["cells"], start=1):
        if cell["cell_type"] == "code":
            yield str(cell.get("id") or f"cell-{number}"), cell


def state_of(cell: Cell) -> CellState:
    """Return how a code cell ended: as it says, or as its count, its outputs and the kernel's reply speak for."""
    told = cell["metadata"].get("courtbook", {}).get("state")
    if told == RUNNING:
        return CellState.INTERRUPTED
    if told in {state.value for state in CellState}:
        return CellState(told)
    if has_error(cell) or cell["metadata"].get("papermill", {}).get("exception") is True:
        return CellState.FAILED
    if cell.get("execution_count") is None and not cell["outputs"]:
        return CellState.NOT_RUN
    # A dead kernel leaves a cell that has a count and, in papermill's words, is completed. It left no reply.
    replied = "shell.execute_reply" in cell["metadata"].get("execution", {})
    return CellState.DONE if replied else CellState.INTERRUPTED


def records_of(content: dict[str, Any]) -> tuple[CellRecord, ...]:
    """Return the code cells of a notebook in their order."""
    return tuple(
        CellRecord(name, state_of(cell), cell.get("execution_count"), len(cell["outputs"]))
        for name, cell in code_cells(content)
    )


def read_cells(notebook: Path) -> tuple[CellRecord, ...]:
    """Return the code cells of a notebook in their order.

    A cell that carries no state of ours gets the one that its count, its outputs and the kernel's reply speak for.

    Raises
    ------
    CourtbookError
        If it cannot be read as a notebook.
    """
    return records_of(load(notebook))


def cells_digest(notebook: Path) -> str:
    """Return the SHA-256 of types, ids and sources of all cells, without those that running a notebook adds.

    A source and its executed copy have the same one exactly if no cell was changed, added, removed or moved.

    Raises
    ------
    CourtbookError
        If it cannot be read as a notebook.
    """
    cells = [cell for cell in load(notebook)["cells"] if not is_note(cell, TRUTH, BANNER)]
    kept = [
        [cell["cell_type"], cell.get("id"), source_of(cell)]
        for before, cell in zip([None, *cells], cells, strict=False)
        if not _injected(before, cell)
    ]
    return hashlib.sha256(json.dumps(kept, separators=(",", ":")).encode()).hexdigest()


def _injected(before: Cell | None, cell: Cell) -> bool:
    """Whether papermill put a cell there: nothing but constants, at the top or behind the parameters."""
    there = before is None or tagged(before, "parameters")
    if cell["cell_type"] != "code" or not tagged(cell, _INJECTED) or not there:
        return False
    try:
        for line in ast.parse(source_of(cell)).body:
            if not isinstance(line, ast.Assign):
                return False
            ast.literal_eval(line.value)
    except (SyntaxError, ValueError):
        return False
    return True
