"""Lesson 07 in the real JupyterLab: it runs, its sliders move the table, and it is legible in both themes."""

import base64
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from basics import BUILD, NOTEBOOKS

from recsys_utils.columns import GENRES
from recsys_utils.datasets.movielens import load_movielens

MISSED = "not tried: lesson 07 in JupyterLab, its sliders, its look in the light and the dark theme"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip(f"there is no Chromium here; {MISSED}", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason=f"Playwright is not installed; {MISSED}")
pytest.importorskip("jupyterlab", reason=f"JupyterLab is not installed; {MISSED}")

LESSON = "07_beat_the_rating_baselines"
PICTURES = BUILD / "screenshots"
QUIET = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update".split()
MINUTES = 60_000  # milliseconds
NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]\d+)?|–|NaN|")
TEXT_ON_PAGE = 4.0  # least contrast of ink and page, as tests/test_setup.py has it for the style


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start JupyterLab on a copy of the lesson, without outputs, as Binder lays it out; nothing is left behind."""
    folder = tmp_path_factory.mktemp("jupyterlab")
    (folder / "notebooks").mkdir()
    shutil.copytree(NOTEBOOKS / "images", folder / "notebooks" / "images")
    notebook = nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4)
    notebook.metadata.pop("jupytext", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / "notebooks" / f"{LESSON}.ipynb")
    settings = folder / "settings" / "@jupyterlab"
    for name, content in [
        ("notebook-extension/tracker", '{"windowingMode": "none"}'),  # draw all cells, not only those in view
        ("apputils-extension/notification", '{"checkForUpdates": false, "fetchNews": "false"}'),
    ]:
        (settings / name).parent.mkdir(parents=True)
        (settings / f"{name}.jupyterlab-settings").write_text(content, encoding="utf-8")
    places = "JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR JUPYTER_RUNTIME_DIR JUPYTERLAB_WORKSPACES_DIR IPYTHONDIR"
    places += " TWO_TOWERS_LEADERBOARD TWO_TOWERS_ITEM_VECTORS"
    environment = os.environ | {place: str(folder / place.lower()) for place in places.split()}
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = os.urandom(16).hex()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    log = folder / "log"
    with log.open("w") as written:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=written, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            if process.poll() is not None or "is running at" in log.read_text():
                break
            time.sleep(0.1)
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}/lab/tree/notebooks/{LESSON}.ipynb?token={token}"
    finally:
        process.terminate()  # which ends its kernels, too
        process.wait(30)


@pytest.fixture(scope="module")
def page(server):
    """Open the lesson in Chromium, run all cells and wait until the last one is done."""
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(server)
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady", timeout=2 * MINUTES)
        page.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for()
        page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(
            """() => {
                const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')]
                const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel
                const failed = document.querySelector('[data-mime-type="application/vnd.jupyter.error"]')
                return failed || prompts.every(e => /\\[\\d+\\]/.test(e.innerText)) && kernel.status == 'idle'
            }""",
            timeout=8 * MINUTES,
        )
        yield page
        browser.close()


def change_theme(page, theme):
    page.evaluate(f"jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme.title()}'}})")
    page.wait_for_function(f"document.body.dataset.jpThemeName == 'JupyterLab {theme.title()}'")
    page.wait_for_timeout(1000)  # the style sheet follows its name


def outputs(page, mime_type):
    return page.locator(f'.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.{mime_type}"]')


def pixels(image):
    """Decode a picture into (height, width, 4) channels from 0 to 255."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(image)).convert("RGBA"))


def luminance(colours):
    """Give the relative luminance of WCAG 2, for colours (..., 3) from 0 to 255."""
    share = np.asarray(colours) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def genre_sliders(page):
    """Return the parts of each slider by its genre."""
    found = {}
    for slider in page.locator(".widget-slider").all():
        label, readout = slider.locator(".widget-label"), slider.locator(".widget-readout")
        found[label.inner_text()] = SimpleNamespace(
            handle=slider.locator(".noUi-handle"), track=slider.locator(".noUi-base"), label=label, readout=readout
        )
    return found


def recommended(page):
    return page.locator(".widget-hbox table")


def check_sliders_are_whole(page):
    sliders = genre_sliders(page)
    genres = load_movielens().items[GENRES].str.get_dummies("|").drop(columns="(no genres listed)")
    assert list(sliders) == list(genres)
    table = recommended(page).bounding_box()
    for genre, slider in sliders.items():
        assert re.fullmatch(r"[0-5]\.[05]", slider.readout.inner_text()), genre
        for part in (slider.label, slider.readout):
            shown, needed = part.evaluate("e => [e.clientWidth, e.scrollWidth]")
            assert needed <= shown, f"{genre}: {part.inner_text()!r} is {needed} pixels wide, {shown} are shown"
        readout = slider.readout.bounding_box()
        assert readout["x"] + readout["width"] <= table["x"], f"the table covers the read-out of {genre}"


def test_all_cells_run_and_show_tables_and_plots(page):
    assert outputs(page, "error").all_inner_texts() == []
    assert outputs(page, "stderr").all_inner_texts() == []
    assert page.locator(".jp-OutputArea .jp-RenderedHTMLCommon table").count() >= 4
    assert page.locator(".jp-RenderedImage img").count() >= 1, "the learning curves"


def test_a_dragged_slider_moves_the_table(page):
    check_sliders_are_whole(page)
    before = recommended(page).inner_text()
    slider = genre_sliders(page)["Action"]
    slider.handle.scroll_into_view_if_needed()
    handle, track = slider.handle.bounding_box(), slider.track.bounding_box()
    middle = handle["y"] + handle["height"] / 2
    page.mouse.move(handle["x"] + handle["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(track["x"], middle, steps=8)
    page.mouse.up()
    assert slider.readout.inner_text() == "0.0"
    page.wait_for_function(
        """before => {
            const table = document.querySelector('.widget-hbox table')
            return table && table.innerText != before
        }""",
        arg=before,
        timeout=MINUTES,
    )
    assert recommended(page).locator("tr").count() == 11, "ten movies and the heading"
    check_sliders_are_whole(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_and_tables_are_legible(page, theme):
    change_theme(page, theme)
    take_pictures(page, theme)
    ground = page.evaluate("getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor")
    ground = luminance([int(channel) for channel in re.findall(r"\d+", ground)[:3]])
    assert (ground > 0.9) == (theme == "light") and (ground < 0.05) == (theme == "dark")

    for image in page.locator(".jp-RenderedImage img").all():
        drawn = pixels(base64.b64decode(image.get_attribute("src").split(",")[1]))
        assert (drawn[..., 3] == 0).mean() > 0.5, "most of a figure is transparent"
        image.scroll_into_view_if_needed()
        corner = pixels(image.screenshot())[2, 2, :3]
        assert abs(luminance(corner) - ground) < 0.02, f"behind a figure is {corner}, on a {theme} page"

    cells = page.locator(".jp-OutputArea table").evaluate_all(
        """tables => tables.flatMap(table => [...table.rows].flatMap(row => [...row.cells].map(cell => {
            const column = [...table.tBodies[0].rows].map(each => each.cells[cell.cellIndex].innerText.trim())
            return [column, getComputedStyle(cell).textAlign, getComputedStyle(cell).color]
        })))"""
    )
    assert len(cells) > 200
    for column, side, colour in cells:
        wanted = "right" if all(NUMBER.fullmatch(value) for value in column) else "left"
        assert side == wanted, column
        ink = luminance([float(channel) for channel in re.findall(r"[\d.]+", colour)[:3]])
        assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) >= TEXT_ON_PAGE, column


def take_pictures(page, theme):
    """Leave a picture of the page's top, and of each kind of output in its place, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, part in [
        ("top", page.locator(".jp-Cell").first),
        ("plot", page.locator(".jp-RenderedImage").first),
        ("frame", page.locator(".jp-OutputArea .dataframe").first),
        ("table", page.locator(".jp-OutputArea table").nth(1)),
        ("sliders", page.locator(".widget-slider").first),
    ]:
        part.evaluate("e => e.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(300)
        page.screenshot(path=PICTURES / f"lab-{theme}-{name}.png")
