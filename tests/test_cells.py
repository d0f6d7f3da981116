"""What an executed notebook says about its cells, whatever state it was left in."""

import errno
import itertools
import json
import os
from pathlib import Path

import nbformat
import pytest
from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.cells import CellState, cells_digest, read_cells
from courtbook.evidence.faults import faults
from courtbook.evidence.truth import tell_truth
from hypothesis import given, settings
from hypothesis import strategies as st

DONE, FAILED, INTERRUPTED, NOT_RUN = CellState
NAMES = ("parameters", "open", "work", "conclude")


def source(folder: Path, *more: nbformat.NotebookNode) -> Path:
    """Write a source of four code cells with text between them."""
    cells = [nbformat.v4.new_markdown_cell("# Title", id="intro")]
    for name in NAMES:
        code = "x: int = 1" if name == "parameters" else f"{name}()"
        tags = {"tags": ["parameters"]} if name == "parameters" else {}
        cells += [nbformat.v4.new_code_cell(code, id=name, metadata=tags)]
        cells += [nbformat.v4.new_markdown_cell(f"After {name}", id=f"{name}-text")]
    path = folder / "source.ipynb"
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[*cells, *more])))
    return path


def executed(folder: Path, *states: str) -> Path:
    """Write what execution leaves of that source, when its cells are in these states; the rest has not run."""
    notebook = nbformat.read(source(folder), as_version=4)
    injected = nbformat.v4.new_code_cell("# Parameters\nx = 2\n", metadata={"tags": ["injected-parameters"]}, id="i")
    notebook.cells.insert(2, injected)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        cell.metadata["papermill"] = {"status": "completed", "exception": False, "start_time": "s", "end_time": "e"}
    for count, (cell, state) in enumerate(zip(code, [*states, *["not run"] * 5], strict=False), start=1):
        cell.metadata["courtbook"] = {"state": state}
        if state != "not run":
            cell.execution_count = count
        if state == "done" and cell.source.endswith("()"):
            cell.outputs = [nbformat.v4.new_output("stream", text="shown")]
        if state == "failed":
            cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[])]
    notebook.metadata["papermill"] = {"exception": None}
    path = folder / "executed.ipynb"
    path.write_text(nbformat.writes(notebook))
    return path


def content(path: Path) -> dict:
    return json.loads(path.read_text())


def note(path: Path) -> str:
    top = content(path)["cells"][0]
    assert (top["id"], top["metadata"]["tags"]) == ("courtbook-truth", ["courtbook-truth"])
    return "".join(top["source"])


def change(path: Path, name: str, **values: object) -> None:
    """Change one cell behind our back."""
    notebook = content(path)
    next(cell for cell in notebook["cells"] if cell["id"] == name).update(values)
    path.write_text(json.dumps(notebook))


def test_a_whole_notebook_is_left_without_a_note_and_without_a_fault(tmp_path):
    path = executed(tmp_path, *["done"] * 5)
    records = tell_truth(path, source(tmp_path), "GO", "all is well")
    assert [(record.id, record.state, record.count, record.outputs) for record in records] == [
        ("parameters", DONE, 1, 0), ("i", DONE, 2, 0), ("open", DONE, 3, 1), ("work", DONE, 4, 1),
        ("conclude", DONE, 5, 1),
    ]  # fmt: skip
    assert read_cells(path) == records
    told = content(path)
    assert told["cells"][0]["id"] == "intro"
    assert told["metadata"]["courtbook"]["cells"] == {"done": 5, "failed": 0, "interrupted": 0, "not run": 0}
    assert faults(path, complete=True) == ()
    nbformat.validate(told)


def test_a_cell_that_was_running_was_cut_off_and_nothing_after_it_is_called_completed(tmp_path):
    path = executed(tmp_path, "done", "done", "done", "running")
    records = tell_truth(path, source(tmp_path), "INTERRUPTED", "the process was killed")
    assert [record.state for record in records] == [DONE, DONE, DONE, INTERRUPTED, NOT_RUN]
    told = content(path)
    papermill = {cell["id"]: cell["metadata"].get("papermill") for cell in told["cells"]}
    assert [papermill[name]["status"] for name in (*NAMES, "open-text", "work-text", "conclude-text")] == [
        "completed", "completed", "failed", "pending", "completed", "pending", "pending",
    ]  # fmt: skip
    assert papermill["conclude"]["end_time"] is None
    assert (papermill["work"]["exception"], told["metadata"]["papermill"]["exception"]) == (True, True)
    text = note(path)
    assert "INTERRUPTED" in text
    assert "`work` was cut off" in text
    assert "Not run, because the notebook ended before: `conclude`." in text
    assert text.endswith("\n\n    the process was killed")
    assert faults(path, complete=False) == ()
    assert faults(path, complete=True) == ("cell `work` is interrupted", "cell `conclude` is not run")
    nbformat.validate(told)


def test_a_failed_last_cell_is_named_and_nothing_is_said_to_be_left(tmp_path):
    path = executed(tmp_path, *["done"] * 4, "failed")
    tell_truth(path, source(tmp_path), "NO-GO", "coverage 12 %")
    assert "`conclude` ended in an error" in note(path)
    assert "Not run" not in note(path)
    assert faults(path, complete=False) == ()


def test_every_cell_may_be_done_and_the_step_still_have_no_verdict(tmp_path):
    path = executed(tmp_path, *["done"] * 5)
    tell_truth(path, source(tmp_path), "INTERRUPTED", "the notebook ended without a verdict")
    assert "no verdict that counts" in note(path)


@settings(deadline=None, max_examples=60)
@given(states=st.lists(st.sampled_from(["done", "failed", "interrupted", "not run", "running", "else"]), max_size=5))
def test_telling_it_twice_changes_nothing_and_no_lie_remains(tmp_path_factory, states):
    folder = tmp_path_factory.mktemp("states")
    path = executed(folder, *states)
    records = tell_truth(path, source(folder), "INTERRUPTED", "x")
    first = path.read_bytes()
    assert tell_truth(path, source(folder), "INTERRUPTED", "x") == records
    assert path.read_bytes() == first
    assert cells_digest(path) == cells_digest(source(folder))
    for cell, record in zip([c for c in content(path)["cells"] if c["cell_type"] == "code"], records, strict=True):
        assert (cell["metadata"]["papermill"]["status"] == "completed") == (record.state is DONE)
    # In order: done cells, then at most one that is not, then none that ran.
    rest = [record.state for record in itertools.dropwhile(lambda record: record.state is DONE, records)]
    in_order = all(later is NOT_RUN for later in rest[1:])
    assert in_order == (not [fault for fault in faults(path, complete=False) if "shows nothing" not in fault])


@pytest.mark.parametrize(
    "left",
    [None, b"", b"{", b"[]", b'"x"', b"\xff\xfe\x00", b"[" * 100_000, b'{"nbformat": 4, "cells": [{}]}',
     b'{"nbformat": 4, "metadata": {"courtbook": 3}, "cells": []}'],
)  # fmt: skip
def test_what_cannot_be_read_is_kept_and_made_anew_from_the_source(tmp_path, left):
    path = tmp_path / "a name.ipynb"
    if left is not None:
        path.write_bytes(left)
    records = tell_truth(path, source(tmp_path), "INTERRUPTED", "papermill died early")
    assert [(record.id, record.state, record.count) for record in records] == [(name, NOT_RUN, None) for name in NAMES]
    assert "no readable notebook" in note(path)
    kept = tmp_path / "a name.ipynb.damaged"
    assert kept.read_bytes() == left if left is not None else not kept.exists()
    assert cells_digest(path) == cells_digest(source(tmp_path))
    assert faults(path, complete=False) == ()
    nbformat.validate(content(path))
    first = path.read_bytes()
    tell_truth(path, source(tmp_path), "INTERRUPTED", "papermill died early")
    assert path.read_bytes() == first, "that it was made from the source is not forgotten"


def test_a_second_damaged_file_does_not_replace_the_first(tmp_path):
    path = tmp_path / "n.ipynb"
    for text in ("one", "two"):
        path.write_text(text)
        tell_truth(path, source(tmp_path), "INTERRUPTED", "x")
    assert [(tmp_path / f"n.ipynb{part}.damaged").read_text() for part in ("", ".2")] == ["one", "two"]


def test_outputs_that_a_source_was_saved_with_are_not_shown_as_those_of_the_run(tmp_path):
    (tmp_path / "was").mkdir()
    old = executed(tmp_path / "was", *["done"] * 5)
    path = tmp_path / "n.ipynb"
    assert {(r.state, r.count, r.outputs) for r in tell_truth(path, old, "INTERRUPTED", "x")} == {(NOT_RUN, None, 0)}


def test_without_a_readable_source_the_note_alone_stands(tmp_path):
    path = tmp_path / "n.ipynb"
    assert tell_truth(path, tmp_path / "gone.ipynb", "INTERRUPTED", "x") == ()
    assert "no source to show" in note(path)
    assert str(tmp_path) not in note(path)
    nbformat.validate(content(path))


def test_a_notebook_that_cannot_be_opened_is_not_taken_for_a_damaged_one(tmp_path, monkeypatch):
    path = executed(tmp_path, "done")
    before = path.read_bytes()

    def fail(self: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        with pytest.raises(CourtbookError, match="Input/output error"):
            tell_truth(path, source(tmp_path), "GO", "x")
    assert path.read_bytes() == before


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_last_whole_version(tmp_path, monkeypatch, call):
    path = executed(tmp_path, "done")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)
    with pytest.raises(CourtbookError, match="No space left") as caught:
        tell_truth(path, source(tmp_path), "GO", "x")
    assert caught.value.reason is Reason.DISK_FULL
    assert path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["executed.ipynb", "source.ipynb"]


def test_what_a_killed_save_left_is_cleared_away(tmp_path):
    path = executed(tmp_path, "done")
    (tmp_path / ".executed.ipynb.part").write_text('{"half')
    tell_truth(path, source(tmp_path), "INTERRUPTED", "x")
    assert not (tmp_path / ".executed.ipynb.part").exists()


def test_a_reason_is_text_and_not_markup(tmp_path):
    from courtbook.report.html import export_notebook

    path = executed(tmp_path, "done", "failed")
    tell_truth(path, source(tmp_path), "NO-GO", "<script>alert(1)</script>\n\n# GO \ud800 **GO** é 🏀")
    page = export_notebook(path)
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; # GO \\ud800 **GO** é 🏀" in page


def test_counts_of_a_second_kernel_are_spoken_of(tmp_path):
    path = executed(tmp_path, *["done"] * 5)
    change(path, "work", execution_count=1)
    tell_truth(path, source(tmp_path), "INTERRUPTED", "x")
    assert "another kernel" in note(path)
    assert "cell `work` is done and has the count 1, not 4" in faults(path, complete=True)


def test_digest_is_that_of_the_source_until_a_cell_changes(tmp_path):
    original = source(tmp_path)
    path = executed(tmp_path, *["done"] * 4, "failed")
    tell_truth(path, original, "NO-GO", "x")
    assert cells_digest(path) == cells_digest(original)
    cells = content(path)["cells"]
    banner = {"cell_type": "markdown", "metadata": {"tags": ["papermill-error-cell-tag"]}, "source": "x"}
    for tampered, same in [
        ([banner, *cells], True),
        ([*cells[:3], {**cells[3], "source": ["x = ", "3"]}, *cells[4:]], True),  # the parameters of another run
        ([{**cell, "source": cell["source"]} for cell in cells], True),
        (cells[:-1], False),
        ([*cells[:-2], cells[-1], cells[-2]], False),
        ([*cells, {**cells[-1], "id": "more"}], False),
        ([*cells[:-1], {**cells[-1], "id": "renamed"}], False),
        ([*cells[:-1], {**cells[-1], "source": "after conclude"}], False),
        ([*cells[:-1], {**cells[-1], "cell_type": "raw"}], False),
        # Hidden behind a tag: code that is not of constants, that stands elsewhere, or in a cell that is no code.
        ([*cells[:3], {**cells[3], "source": "x = open('f')"}, *cells[4:]], False),
        ([*cells[:3], {**cells[3], "source": "import os"}, *cells[4:]], False),
        ([*cells, cells[3]], False),
        ([*cells, {**cells[5], "metadata": {"tags": ["courtbook-truth"]}}], False),
    ]:
        path.write_text(json.dumps({**content(path), "cells": tampered}))
        assert (cells_digest(path) == cells_digest(original)) is same, [cell["source"] for cell in tampered]


def test_digest_of_signs_that_have_no_utf8(tmp_path):
    one, two = (source(tmp_path, nbformat.v4.new_markdown_cell(text, id="odd")).read_bytes() for text in "éz")
    (tmp_path / "one.ipynb").write_bytes(one.replace("é".encode(), b"\\ud800"))
    (tmp_path / "two.ipynb").write_bytes(two)
    assert cells_digest(tmp_path / "one.ipynb") != cells_digest(tmp_path / "two.ipynb")


UNTOLD = "not every cell carries a state: courtbook did not execute this notebook to its end"


def state(name: str) -> dict:
    return {"metadata": {"courtbook": {"state": name}}}


@pytest.mark.parametrize(
    ("cell", "values", "said"),
    [
        ("work", {"execution_count": 9}, "cell `work` is done and has the count 9, not 4"),
        ("work", {"execution_count": None}, "cell `work` is done and has the count None, not 4"),
        ("work", {"outputs": []}, "cell `work` ends in an expression and shows nothing"),
        ("work", {"outputs": [{"output_type": "error"}]}, "cell `work` is done and yet shows an error"),
        ("work", state("not run"), "cell `work` is not run and has the count 4, not None"),
        ("work", state("not run"), "cell `work` is not run and yet has outputs"),
        ("work", state("failed"), "cell `conclude` is done, though cell `work` before it is not done"),
        ("work", state("failed"), "its summary of the cells is not what the cells say"),
        ("work", state("running"), UNTOLD),
        ("work", {"metadata": {}}, UNTOLD),
        ("work", {"metadata": {"courtbook": {"state": "done"}, "papermill": {"status": "pending"}}},
         "cell `work` is done, and papermill's metadata call it pending"),
        ("work", {"id": "open"}, "2 cells have the id `open`"),
        ("intro", {"metadata": {"tags": ["courtbook-truth"]}}, "its note on how it ended is not what the cells say"),
    ],
)  # fmt: skip
def test_a_changed_notebook_has_faults_that_name_the_cell(tmp_path, cell, values, said):
    path = executed(tmp_path, *["done"] * 5)
    tell_truth(path, source(tmp_path), "GO", "x")
    change(path, cell, **values)
    assert said in faults(path, complete=True)


def test_an_old_or_foreign_notebook_is_not_trusted(tmp_path):
    path = executed(tmp_path, *["done"] * 5)
    notebook = content(path)
    for cell in notebook["cells"]:
        cell["metadata"].pop("courtbook", None)
        cell["metadata"]["execution"] = {"shell.execute_reply": "t"} if cell["id"] != "conclude" else {}
    path.write_text(json.dumps(notebook))
    assert [record.state for record in read_cells(path)] == [DONE, DONE, DONE, DONE, INTERRUPTED], "no reply, not done"
    found = faults(path, complete=False)
    assert any("carries a state" in fault for fault in found)
    assert any("carries no verdict" in fault for fault in found)


def test_a_notebook_without_code_or_that_is_none_has_faults(tmp_path):
    path = tmp_path / "n.ipynb"
    assert "No such file" in faults(path, complete=True)[0]
    path.write_text("{")
    assert "cannot be read" in faults(path, complete=True)[0]
    with pytest.raises(CourtbookError, match="cannot be read"):
        read_cells(path)
    path.write_text(nbformat.writes(nbformat.v4.new_notebook()))
    assert "it has no code cell" in faults(path, complete=True)


@pytest.mark.parametrize(
    ("code", "must_show"),
    [("f()", True), ("1", True), ("x = 1\nx", True), ("await f()", True), ("f() # ;", True), ("'a;'", True),
     ("step.a.b()", True), ("other.conclude()", True), ("step.conclude()", False), ("f();", False),
     ("f() ; # quiet", False), ("x = 1", False), ("x: int = 1", False), ("import os", False),
     ("if x:\n    f()", False), ("# only words", False), ("%magic", False)],
)  # fmt: skip
def test_a_cell_that_ends_in_an_expression_must_show_something(tmp_path, code, must_show):
    path = executed(tmp_path, *["done"] * 5)
    change(path, "work", source=code, outputs=[])
    tell_truth(path, source(tmp_path), "GO", "x")
    assert bool(faults(path, complete=True)) is must_show


def test_a_blank_cell_needs_no_count(tmp_path):
    path = executed(tmp_path, *["done"] * 5)
    change(path, "work", source=["\n"], outputs=[], execution_count=None)
    change(path, "conclude", execution_count=4)
    tell_truth(path, source(tmp_path), "GO", "x")
    assert faults(path, complete=True) == ()
