"""What is wrong with an executed notebook, for those who verify an archive."""

import ast
import io
import itertools
import tokenize
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError
from courtbook.evidence.cells import (
    IN_PAPERMILL,
    TRUTH,
    CellState,
    code_cells,
    has_error,
    is_note,
    load,
    source_of,
    state_of,
)
from courtbook.evidence.truth import notes_of


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
        content = load(notebook)
    except CourtbookError as error:
        return (error.what,)
    found, counts = _faults_of_notebook(content), itertools.count(1)
    over = ""
    for name, cell in code_cells(content):
        state, count = state_of(cell), cell.get("execution_count")
        say = partial("cell `{0}` {1}".format, name)
        begun = state in (CellState.DONE, CellState.FAILED) or (state is CellState.INTERRUPTED and count is not None)
        due = next(counts) if begun and source_of(cell).strip() else None
        if count != due:
            found.append(say(f"is {state.value} and has the count {count}, not {due}"))
        if over and state is not CellState.NOT_RUN:
            found.append(say(f"is {state.value}, though cell `{over}` before it is not done"))
        if complete and state is not CellState.DONE:
            found.append(say(f"is {state.value}"))
        if state is CellState.NOT_RUN and cell["outputs"]:
            found.append(say("is not run and yet has outputs"))
        if state is CellState.DONE and has_error(cell):
            found.append(say("is done and yet shows an error"))
        if state is CellState.DONE and not cell["outputs"] and _shows(source_of(cell)):
            found.append(say("ends in an expression and shows nothing"))
        status = cell["metadata"].get("papermill", {}).get("status")
        if status not in (None, IN_PAPERMILL[state][0]):
            found.append(say(f"is {state.value}, and papermill's metadata call it {status}"))
        over = over or (name if state is not CellState.DONE else "")
    return tuple(found)


def _faults_of_notebook(content: dict[str, Any]) -> list[str]:
    """Return what is wrong with the notebook as a whole: who executed it, and whether summary and note hold."""
    cells, summary = list(code_cells(content)), content["metadata"].get("courtbook", {})
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
    elif [cell for cell in content["cells"] if is_note(cell, TRUTH)] != notes_of(content):
        found.append("its note on how it ended is not what the cells say")
    return found
