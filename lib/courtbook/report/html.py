"""Executed notebooks as HTML pages."""

from pathlib import Path


def export_notebook(notebook: Path) -> str:
    """Return an executed notebook as one HTML page with its figures inside and its code left out."""
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(exclude_input=True, exclude_output_prompt=True, embed_images=True)
    content = nbformat.read(notebook, as_version=4)
    body, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": notebook.stem}})
    return str(body)
