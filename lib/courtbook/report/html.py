"""Executed notebooks as HTML pages."""

from pathlib import Path


def export_notebook(notebook: Path) -> str:
    """Return an executed notebook as one HTML page with its figures inside and its code left out."""
    import nbformat
    from bs4 import BeautifulSoup
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(exclude_input=True, exclude_output_prompt=True, embed_images=True)
    content = nbformat.read(notebook, as_version=4)
    body, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": notebook.stem}})
    # The template drops the words of a figure; they stand in its metadata, in the order of the page.
    outputs = [output for cell in content.cells for output in cell.get("outputs", [])]
    words = [output.metadata["image/png"]["alt"] for output in outputs if "image/png" in output.get("metadata", {})]
    page = BeautifulSoup(body, "html.parser")
    for image, alt in zip(page.select("img[src^='data:image/png']"), words, strict=True):
        image["alt"] = alt
    return str(page)
