"""Executed notebooks: what became of each cell, said alike by cells, metadata and a note on top."""

import ast
import hashlib
import io
import itertools
import json
import os
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason

TRUTH = "courtbook-truth"  # id and tag of the note on top
RUNNING = "running"  # the state of a cell while it runs; found afterwards, it means that nobody saw the cell end
_INJECTED, _BANNER = "injected-parameters", "papermill-error-cell-tag"
_HALF_PAIR = re.compile("[\ud800-\udfff]")
Cell = dict[str, Any]


class CellState(Enum):
    """How a code cell ended."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not run"


# What papermill calls it: its status, and whether there was an exception.
_PAPERMILL: dict[CellState, tuple[str, bool | None]] = {
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


def _load(path: Path) -> dict[str, Any]:
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
        isinstance(_source(cell), str)
        and _tells(metadata)
        and isinstance(metadata.get("tags", []), list)
        and isinstance(metadata.get("courtbook", {}).get("state"), str | None)
        and all(isinstance(output["output_type"], str) for output in outputs)
        and isinstance(cell.get("execution_count"), int | None)
        and (cell["cell_type"] != "code" or "outputs" in cell)
    )


def _source(cell: Cell) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _tagged(cell: Cell, tag: str) -> bool:
    return bool(tag in cell["metadata"].get("tags", []))


def _note(cell: Cell, *tags: str) -> bool:
    return cell["cell_type"] == "markdown" and any(_tagged(cell, tag) for tag in tags)


def _errors(cell: Cell) -> bool:
    return any(output["output_type"] == "error" for output in cell["outputs"])


def _code(content: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Yield the code cells, each with its id; one without is named by its place."""
    for number, cell in enumerate(content["cells"], start=1):
        if cell["cell_type"] == "code":
            yield str(cell.get("id") or f"cell-{number}"), cell


def _state(cell: Cell) -> CellState:
    told = cell["metadata"].get("courtbook", {}).get("state")
    if told == RUNNING:
        return CellState.INTERRUPTED
    if told in {state.value for state in CellState}:
        return CellState(told)
    if _errors(cell) or cell["metadata"].get("papermill", {}).get("exception") is True:
        return CellState.FAILED
    if cell.get("execution_count") is None and not cell["outputs"]:
        return CellState.NOT_RUN
    # A dead kernel leaves a cell that has a count and, in papermill's words, is completed. It left no reply.
    replied = "shell.execute_reply" in cell["metadata"].get("execution", {})
    return CellState.DONE if replied else CellState.INTERRUPTED


def _records(content: dict[str, Any]) -> tuple[CellRecord, ...]:
    return tuple(
        CellRecord(name, _state(cell), cell.get("execution_count"), len(cell["outputs"]))
        for name, cell in _code(content)
    )


def read_cells(notebook: Path) -> tuple[CellRecord, ...]:
    """Return the code cells of a notebook in their order.

    A cell that carries no state of ours gets the one that its count, its outputs and the kernel's reply speak for.

    Raises
    ------
    CourtbookError
        If it cannot be read as a notebook.
    """
    return _records(_load(notebook))


def settle(content: dict[str, Any]) -> None:
    """Make papermill's metadata agree with the states of the cells, in place.

    papermill itself calls every cell completed when a kernel has died, those that never ran included.
    """
    over = False
    for cell in content["cells"]:
        told = cell["metadata"].get("papermill")
        state = cell["metadata"].get("courtbook", {}).get("state")
        if cell["cell_type"] == "code":
            over = over or state != CellState.DONE.value
            if told and state != RUNNING:
                told["status"], told["exception"] = _PAPERMILL[_state(cell)]
        elif told and (over or told.get("status") != "completed"):
            told["status"], told["exception"] = _PAPERMILL[CellState.NOT_RUN]
        if told and told.get("status") == "pending":
            told.update(start_time=None, end_time=None, duration=None)


def tell_truth(notebook: Path, source: Path, verdict: str, why: str) -> tuple[CellRecord, ...]:
    """Rewrite an executed notebook so that it tells how it ended, and return what became of its code cells.

    Called when the process that executed it has ended, however it ended. Calling it again changes nothing.

    Parameters
    ----------
    notebook : Path
        The executed notebook. If it is missing or damaged it is made from its source, with no cell run; a damaged
        file is kept beside it.
    source : Path
        The notebook that was to be executed.
    verdict, why : str
        How the step ended, and the reason in words.

    Raises
    ------
    CourtbookError
        If the notebook cannot be written, or is there and cannot be opened.
    """
    try:
        content = _load(notebook)
    except CourtbookError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError | IsADirectoryError):
            raise
        content = _unrun(source)
        _set_aside(notebook)
    content["cells"] = [cell for cell in content["cells"] if not _note(cell, TRUTH)]
    for _, cell in _code(content):
        cell["metadata"]["courtbook"] = {"state": _state(cell).value}
    records = _records(content)
    whole = all(record.state is CellState.DONE for record in records)
    settle(content)
    if told := content["metadata"].get("papermill"):
        told["exception"] = None if whole else True
    made = content["metadata"].get("courtbook", {}).get("made")
    counts = {state.value: sum(record.state is state for record in records) for state in CellState}
    content["metadata"]["courtbook"] = {
        "verdict": verdict,
        "why": why,
        "cells": counts,
        **({"made": made} if made else {}),
    }
    content["cells"][:0] = _notes(content)
    save_whole(notebook, json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
    return records


def _set_aside(notebook: Path) -> None:
    if notebook.exists() or notebook.is_symlink():
        number, aside = 1, notebook.with_name(f"{notebook.name}.damaged")
        while aside.exists():
            number += 1
            aside = notebook.with_name(f"{notebook.name}.{number}.damaged")
        notebook.rename(aside)


def _unrun(source: Path) -> dict[str, Any]:
    """Return a source as a notebook of which nothing ran."""
    try:
        content = _load(source)
        made = "It left no readable notebook. This is its source; nothing of it is known to have run."
    except CourtbookError as error:
        content = {"cells": [], "metadata": {}, "nbformat": 4}
        made = f"It left no readable notebook, and there is no source to show: {error.what}"
    for number, cell in enumerate(content["cells"], start=1):
        cell.setdefault("id", f"cell-{number}")
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])
            cell["metadata"].pop("execution", None)
            cell["metadata"]["courtbook"] = {"state": CellState.NOT_RUN.value}
    content["metadata"].pop("papermill", None)
    content["metadata"]["courtbook"] = {"made": made}
    content["nbformat_minor"] = max(5, content.get("nbformat_minor", 5))
    return content


def _notes(content: dict[str, Any]) -> list[Cell]:
    """Return the note that a notebook must have on top, in a list that is empty if it needs none."""
    records, told = _records(content), content["metadata"]["courtbook"]
    by = {state: [record for record in records if record.state is state] for state in CellState}
    whole = len(by[CellState.DONE]) == len(records)
    if whole and "made" not in told and told["verdict"] != "INTERRUPTED":
        return []
    lines = [f"**How this notebook ended: {told['verdict']}.**", *([told["made"]] if "made" in told else [])]
    lines += [f"Cell `{cell.id}` ended in an error." for cell in by[CellState.FAILED]]
    lines += [
        f"Cell `{cell.id}` was cut off: it may have done a part of its work, and its output may be incomplete."
        for cell in by[CellState.INTERRUPTED]
    ]
    if left := ", ".join(f"`{cell.id}`" for cell in by[CellState.NOT_RUN]):
        lines.append(f"Not run, because the notebook ended before: {left}.")
    if whole and records:
        lines.append("Every cell ran, but what they put on record is no verdict that counts.")
    counts = [record.count for record in records if record.count is not None]
    if counts != list(range(1, len(counts) + 1)):
        lines.append(
            "The execution counts do not go on from 1: another kernel ran some of the cells, or in another order."
        )
    # Indented, so that nothing in the reason is taken for markup.
    text = "\n\n".join([*lines, "    " + (" ".join(told["why"].split()) or "no reason is on record")])
    metadata = {"tags": [TRUTH]}
    return [{"cell_type": "markdown", "id": TRUTH, "metadata": metadata, "source": text.splitlines(keepends=True)}]


def cells_digest(notebook: Path) -> str:
    """Return the SHA-256 of types, ids and sources of all cells, without those that running a notebook adds.

    A source and its executed copy have the same one exactly if no cell was changed, added, removed or moved.

    Raises
    ------
    CourtbookError
        If it cannot be read as a notebook.
    """
    cells = [cell for cell in _load(notebook)["cells"] if not _note(cell, TRUTH, _BANNER)]
    kept = [
        [cell["cell_type"], cell.get("id"), _source(cell)]
        for before, cell in zip([None, *cells], cells, strict=False)
        if not _injected(before, cell)
    ]
    return hashlib.sha256(json.dumps(kept, separators=(",", ":")).encode()).hexdigest()


def _injected(before: Cell | None, cell: Cell) -> bool:
    """Whether papermill put a cell there: nothing but constants, at the top or behind the parameters."""
    there = before is None or _tagged(before, "parameters")
    if cell["cell_type"] != "code" or not _tagged(cell, _INJECTED) or not there:
        return False
    try:
        for line in ast.parse(_source(cell)).body:
            if not isinstance(line, ast.Assign):
                return False
            ast.literal_eval(line.value)
    except (SyntaxError, ValueError):
        return False
    return True


def _shows(source: str) -> bool:
    """Whether a cell that ran to its end must have shown something: it ends in an expression, not in a call of step."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False  # with a magic; what it shows cannot be told
    if not body or not isinstance(last := body[-1], ast.Expr) or _hushed(source):
        return False
    call = last.value.func if isinstance(last.value, ast.Call) else None
    return not (isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "step")


def _hushed(source: str) -> bool:
    kinds = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.string.strip()]
    code = [token.string for token in kinds if token.type != tokenize.COMMENT]
    return code[-1] == ";"


def faults(notebook: Path, *, complete: bool) -> tuple[str, ...]:
    """Return what is wrong with an executed notebook, in words that name the cell; empty if nothing is.

    Cells must have run in their order, once each, none skipped, with counts from 1 on, and show what they end in.

    Parameters
    ----------
    complete : bool
        Whether every cell must be done. If not, the cells that ran must be the first ones, and only the last of them
        may have failed or been interrupted.
    """
    try:
        content = _load(notebook)
    except CourtbookError as error:
        return (error.what,)
    found, counts = _faults_of_notebook(content), itertools.count(1)
    over = ""
    for name, cell in _code(content):
        state, count = _state(cell), cell.get("execution_count")
        say = partial("cell `{0}` {1}".format, name)
        begun = state in (CellState.DONE, CellState.FAILED) or (state is CellState.INTERRUPTED and count is not None)
        due = next(counts) if begun and _source(cell).strip() else None
        if count != due:
            found.append(say(f"is {state.value} and has the count {count}, not {due}"))
        if over and state is not CellState.NOT_RUN:
            found.append(say(f"is {state.value}, though cell `{over}` before it is not done"))
        if complete and state is not CellState.DONE:
            found.append(say(f"is {state.value}"))
        if state is CellState.NOT_RUN and cell["outputs"]:
            found.append(say("is not run and yet has outputs"))
        if state is CellState.DONE and _errors(cell):
            found.append(say("is done and yet shows an error"))
        if state is CellState.DONE and not cell["outputs"] and _shows(_source(cell)):
            found.append(say("ends in an expression and shows nothing"))
        status = cell["metadata"].get("papermill", {}).get("status")
        if status not in (None, _PAPERMILL[state][0]):
            found.append(say(f"is {state.value}, and papermill's metadata call it {status}"))
        over = over or (name if state is not CellState.DONE else "")
    return tuple(found)


def _faults_of_notebook(content: dict[str, Any]) -> list[str]:
    """Return what is wrong with the notebook as a whole: who executed it, and whether summary and note hold."""
    cells, summary = list(_code(content)), content["metadata"].get("courtbook", {})
    states = [cell["metadata"].get("courtbook", {}).get("state") for _, cell in cells]
    ids = Counter(str(cell["id"]) for cell in content["cells"] if "id" in cell)
    found = [] if cells else ["it has no code cell"]
    found += [f"{number} cells have the id `{name}`" for name, number in ids.items() if number > 1]
    if not set(states) <= {state.value for state in CellState}:
        found.append("not every cell carries a state: courtbook did not execute this notebook to its end")
    if not all(isinstance(summary.get(name), str) for name in ("verdict", "why")):
        found.append("it carries no verdict: courtbook did not close this notebook")
    elif summary.get("cells") != {state.value: states.count(state.value) for state in CellState}:
        found.append("its summary of the cells is not what the cells say")
    elif [cell for cell in content["cells"] if _note(cell, TRUTH)] != _notes(content):
        found.append("its note on how it ended is not what the cells say")
    return found
