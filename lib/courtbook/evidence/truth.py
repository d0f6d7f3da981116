"""Makes an executed notebook tell the truth about how it ended, whatever ended it."""

import json
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError
from courtbook.evidence.cells import (
    IN_PAPERMILL,
    RUNNING,
    TRUTH,
    Cell,
    CellRecord,
    CellState,
    code_cells,
    is_note,
    load,
    records_of,
    save_whole,
    state_of,
)


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
                told["status"], told["exception"] = IN_PAPERMILL[state_of(cell)]
        elif told and (over or told.get("status") != "completed"):
            told["status"], told["exception"] = IN_PAPERMILL[CellState.NOT_RUN]
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
        content = load(notebook)
    except CourtbookError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError | IsADirectoryError):
            raise
        content = _unrun(source)
        _set_aside(notebook)
    content["cells"] = [cell for cell in content["cells"] if not is_note(cell, TRUTH)]
    for _, cell in code_cells(content):
        cell["metadata"]["courtbook"] = {"state": state_of(cell).value}
    records = records_of(content)
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
    content["cells"][:0] = notes_of(content)
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
        content = load(source)
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


def notes_of(content: dict[str, Any]) -> list[Cell]:
    """Return the note that a notebook must have on top, in a list that is empty if it needs none."""
    records, told = records_of(content), content["metadata"]["courtbook"]
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
