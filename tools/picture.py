"""Draws docs/demo.png, the coverage of the demo before and after, and of a run that is named docs/run_page.png."""

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from courtbook.backfill.sql import replace_dates
from courtbook.calendar import read_calendar
from courtbook.catalog import Layer, load_catalog
from courtbook.coverage import DateState, read_all, read_coverage
from courtbook.nba.prepare import prepare
from courtbook.params_file import load_params
from courtbook.report.plots import coverage_map
from courtbook.warehouse.opening import open_warehouse
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def draw_page(run: Path) -> None:
    """Draw the top of a run's newest page."""
    from courtbook.evidence.manifest import page_files
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1200, "height": 2700})
        page.goto(page_files(run)[-1].resolve().as_uri())
        image = Image.open(BytesIO(page.screenshot()))
        browser.close()
    image.convert("RGB").quantize(64).save(ROOT / "docs" / "run_page.png", optimize=True)


def draw_demo() -> None:
    """Build the incident's state in a folder of its own, draw it, fill it, draw it again."""
    with tempfile.TemporaryDirectory() as folder:
        params = load_params(ROOT / "params" / "demo.yaml", [f"warehouse.path={folder}/demo.duckdb"])
        prepare(params, fresh=True, tell=print)
        warehouse, catalog = open_warehouse(params), load_catalog()
        calendar = read_calendar(warehouse, params)
        pictures = [coverage_map(read_all(warehouse, catalog.processed, calendar), calendar, "Before: 5 January 2026")]
        levels = [*catalog.levels(Layer.PHASE3), *catalog.levels(Layer.PHASE4)]
        for table in (table for level in levels for table in level):
            lacking = read_coverage(warehouse, table, calendar).dates_in(DateState.MISSING, DateState.PARTIAL)
            if lacking:
                replace_dates(warehouse, table, calendar, lacking)
        pictures.append(coverage_map(read_all(warehouse, catalog.processed, calendar), calendar, "After the run"))
    images = [Image.open(BytesIO(picture.png())) for picture in pictures]
    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), "white")
    whole.paste(images[0], (0, 0))
    whole.paste(images[1], (0, images[0].height))
    whole.quantize(32).save(ROOT / "docs" / "demo.png", optimize=True)


if __name__ == "__main__":
    draw_page(Path(sys.argv[1])) if sys.argv[1:] else draw_demo()
