"""The site: its links on the files, its pages in Chromium, on a desk and on a phone, light and dark."""

import functools
import json
import re
import shutil
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import pytest
import website
from badges import repository
from lessons import BUILD, NOTEBOOKS, find_lessons, find_solutions

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update".split()
PICTURES = BUILD / "screenshots"
HEIGHTS = {390: 844, 1280: 900}  # of a phone and of a small desk, by width
VIEWS = [(width, theme) for width in HEIGHTS for theme in ("light", "dark")]
LESSONS = [path.stem for path in find_lessons(NOTEBOOKS, ".ipynb", [])]
SOLUTIONS = [path.stem for path in find_solutions(NOTEBOOKS, ".ipynb", [])]
IN_BATCH = next(name for name in LESSONS if name.startswith("11"))
WITH_PICTURE = ["docs/index", "docs/glossary", "docs/symptoms", "docs/course_map", "docs/results", "docs/api"]
WITH_PICTURE += [f"notebooks/{name}" for name in LESSONS if name[:2] in ("01", "07", "11", "14")]
FOR_AXE = ["docs/index", f"notebooks/{IN_BATCH}", "docs/glossary", "docs/symptoms", "docs/api"]
FOR_AXE += [f"notebooks/{LESSONS[0]}", *(f"notebooks/solutions/{name}" for name in SOLUTIONS[:1])]

UNFOLD = "document.querySelectorAll('.bd-article details:not([class])').forEach((answer) => { answer.open = true })"
# What is wider than the page and not inside a box that scrolls, boxes that scroll and have no place in the order of
# the tab key, equations without a size, and TeX that was left as it is.
FAULTS = r"""() => {
  const faults = [];
  const name = (part) => `${part.tagName}.${part.className} ${part.textContent.trim().slice(0, 60)}`;
  const article = document.querySelector(".bd-article") ?? document.querySelector("#main-content");
  const scrolls = (part) => /auto|scroll/.test(getComputedStyle(part).overflowX);
  if (document.documentElement.scrollWidth > innerWidth) faults.push("the page scrolls sideways");
  for (const part of article.querySelectorAll("pre, table, math, img, svg, dt")) {
    const box = part.getBoundingClientRect();
    if (!box.width || part.closest("details:not([open])")) continue;
    let around = part;
    while (around !== article && !scrolls(around)) around = around.parentElement;
    const edge = around === article ? box.right : around.getBoundingClientRect().right;
    if (edge > innerWidth + 1) faults.push(`wider than the page: ${name(part)}`);
  }
  for (const part of article.querySelectorAll("*")) {
    if (!scrolls(part) || part.scrollWidth <= part.clientWidth + 1 || !part.clientWidth) continue;
    if (part.tabIndex < 0) faults.push(`the keyboard cannot scroll: ${name(part)}`);
  }
  for (const equation of article.querySelectorAll("math")) {
    const box = equation.getBoundingClientRect();
    const hidden = equation.closest("details:not([open])");
    if (!hidden && (box.width < 4 || box.height < 6)) faults.push(`equation without a size: ${name(equation)}`);
    if (/\\/.test(equation.textContent)) faults.push(`raw TeX in an equation: ${name(equation)}`);
  }
  const prose = article.cloneNode(true);
  prose.querySelectorAll("pre, code, .sig, script").forEach((part) => part.remove());
  const raw = prose.textContent.match(/\$\$.{0,40}|\\(frac|sum|mathcal|begin|log|hat|top|cdot)\b.{0,40}/);
  if (raw) faults.push(`raw TeX: ${raw[0]}`);
  return faults;
}"""


@pytest.fixture(scope="module")
def site():
    """Build the site as `make site` does."""
    return website.build(strict=True).parent


@pytest.fixture(scope="module")
def address(site):
    """Serve the site on this machine."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here; not tried: how the site's pages look, scroll, search and are reached")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])


@pytest.fixture
def open_page(browser, address):
    """Return a function that opens a page of the site in a window of its own and notes what it asks other hosts for."""
    contexts = []

    def open_one(name, width=1280, theme="light"):
        viewport = {"width": width, "height": HEIGHTS[width]}
        context = browser.new_context(viewport=viewport, color_scheme=theme, accept_downloads=False)
        contexts.append(context)
        page = context.new_page()
        page.faults = []
        page.on("request", lambda request: note(page, request.url.startswith((address, "data:")), request.url))
        page.on("response", lambda response: note(page, response.status < 400, f"{response.status} {response.url}"))
        page.on("pageerror", lambda error: note(page, False, f"script: {error}"))
        page.goto(address + name + ".html")
        return page

    def note(page, good, what):
        if not good:
            page.faults.append(what)

    yield open_one
    for context in contexts:
        context.close()


def files(site):
    """List the files of the site's pages; the theme leaves templates of its own among the styles."""
    return sorted(path for path in site.glob("**/*.html") if "_static" not in path.parts)


def pages(site):
    """List the site's pages by their addresses, without '.html'."""
    return [path.relative_to(site).with_suffix("").as_posix() for path in files(site)]


class Addresses(HTMLParser):
    """What a page leads to, what it loads, and where in it one can go."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.ids = [], [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values[name] for name in ("id", "name") if values.get(name)}
        for name in ("href", "src", "srcset", "data", "poster"):
            if values.get(name):
                (self.links if (tag, name) == ("a", "href") else self.loaded).append(values[name])


@pytest.fixture(scope="module")
def parsed(site):
    return {path: Addresses(path.read_text(encoding="utf-8")) for path in files(site)}


def test_every_link_and_every_anchor_of_every_page_leads_somewhere(site, parsed):
    assert len(parsed) > len(LESSONS) + 7
    dead = []
    for path, page in parsed.items():
        for target in [*page.links, *page.loaded]:
            parts = urlsplit(target)
            if parts.scheme in ("https", "mailto", "data"):
                continue
            there = Path(path.parent, unquote(parts.path)).resolve() if parts.path else path
            known = parsed[there].ids if there in parsed else {""}
            whole = there.exists() and (unquote(parts.fragment) in known or there.suffix != ".html")
            if parts.scheme or not whole or not there.is_relative_to(site):
                dead.append(f"{path.relative_to(site)}: {target}")
    assert not dead, "\n".join(dead)


def test_no_page_and_no_style_names_another_host_to_load_from(site, parsed):
    remote = [
        f"{path.relative_to(site)}: {target}"
        for path, page in parsed.items()
        for target in page.loaded
        if urlsplit(target).netloc and not target.startswith(f"https://github.com/{repository()}")  # the canonical one
    ]
    for style in site.glob("_static/**/*.css"):
        remote += re.findall(r"(?:@import\s+|url\()[\"']?(?:https?:)?//[^)\"']+", style.read_text(encoding="utf-8"))
    assert not remote, "\n".join(remote)


@pytest.mark.parametrize(("width", "theme"), VIEWS)
def test_pages_fit_load_nothing_from_elsewhere_and_show_their_equations(site, open_page, address, width, theme):
    PICTURES.mkdir(parents=True, exist_ok=True)
    faults = []
    page = open_page("docs/index", width, theme)
    equations = 0
    for name in pages(site):
        page.faults.clear()
        page.goto(address + name + ".html", wait_until="load")
        page.wait_for_function("document.readyState === 'complete' && document.fonts.status === 'loaded'")
        if name == "index":
            page.wait_for_url("**/docs/index.html")
        page.evaluate(UNFOLD)
        found = page.evaluate(FAULTS) + page.faults
        found += [] if page.evaluate("document.documentElement.dataset.theme") == theme else ["the other theme"]
        faults += [f"{name}: {fault}" for fault in found]
        equations += page.locator("math").count()
        if name in WITH_PICTURE:
            page.screenshot(path=PICTURES / f"site-{name.split('/')[-1]}-{width}-{theme}.png")
    assert not faults, "\n".join(faults)
    assert equations > 100


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FOR_AXE)
def test_axe_finds_no_serious_violation(open_page, name, theme):
    if CHROMIUM is not None:
        from axe_playwright_python.sync_playwright import Axe
    page = open_page(name, 1280, theme)
    page.wait_for_function("document.getAnimations().length === 0")  # colours change slowly as the theme is set
    violations = Axe().run(page).response["violations"]
    found = [
        f"{violation['id']} ({violation['impact']}): {part['html'][:160]} {part.get('failureSummary', '')[:200]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for part in violation["nodes"][:5]
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", HEIGHTS)
def test_first_tab_reaches_a_visible_link_to_the_text_and_every_stop_shows(open_page, width):
    page = open_page(f"notebooks/{IN_BATCH}", width)
    page.keyboard.press("Tab")
    page.wait_for_timeout(400)  # it slides in
    first = page.locator(":focus")
    box = first.bounding_box()
    assert first.get_attribute("href") == "#main-content" and "Skip" in first.inner_text()
    assert box["y"] >= 0 and box["height"] > 10 and box["width"] > 50
    shows = """() => {
      const part = document.activeElement, style = getComputedStyle(part), box = part.getBoundingClientRect();
      const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
      const there = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
      return [`${part.tagName}.${part.className} ${part.textContent.trim().slice(0, 40)}`, ring && there];
    }"""
    hidden = []
    for _ in range(45):
        page.keyboard.press("Tab")
        page.wait_for_timeout(30)
        name, visible = page.evaluate(shows)
        hidden += [] if visible else [name]
    assert not hidden, "\n".join(hidden)


def test_skip_link_leads_past_the_sidebar(open_page):
    page = open_page("docs/glossary")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("width", HEIGHTS)
def test_search_finds_a_term(open_page, width):
    page = open_page("docs/index", width)
    page.keyboard.press("Control+k")
    page.keyboard.type("logQ")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=logQ*")
    page.locator("#search-results li a").first.wait_for()
    page.wait_for_function("/found/.test(document.querySelector('#search-results').textContent)")
    found = page.locator("#search-results li a").evaluate_all("links => links.map((link) => link.href).join(' ')")
    assert "docs/glossary.html" in found and IN_BATCH in found
    assert not page.faults


def test_sidebar_opens_on_a_phone_and_leads_to_a_lesson(open_page):
    page = open_page("docs/index", 390)
    link = page.locator(f".bd-sidebar-primary a[href*='{LESSONS[0]}'], dialog a[href*='{LESSONS[0]}']").first
    assert not link.is_visible()
    page.locator("button.primary-toggle:visible").first.click()
    link.wait_for(state="visible")
    assert link.bounding_box()["x"] >= 0
    page.screenshot(path=PICTURES / "site-sidebar-390-light.png")
    link.click()
    page.wait_for_url(f"**/{LESSONS[0]}.html")


def test_theme_can_be_switched_and_stays_on_the_next_page(open_page):
    page = open_page("docs/index")
    theme = "document.documentElement.dataset.theme"
    page.get_by_role("button", name="Color mode").click()
    page.locator("button.theme-change-button[data-mode='dark']:visible").click()
    assert page.evaluate(theme) == "dark"
    page.locator(".prev-next-footer a.right-next").click()
    page.wait_for_url(f"**/{LESSONS[0]}.html")
    assert page.evaluate(theme) == "dark"


def test_figures_are_shown_as_they_are_on_a_dark_page(open_page):
    for name in ("docs/index", "docs/course_map", f"notebooks/{IN_BATCH}"):
        page = open_page(name, 1280, "dark")
        styles = page.locator(".bd-article img").evaluate_all(
            "images => images.map((image) => [getComputedStyle(image).backgroundColor, getComputedStyle(image).filter])"
        )
        assert styles and set(map(tuple, styles)) == {("rgba(0, 0, 0, 0)", "none")}, name


def check_buttons(site, page, name, notebook):
    """Check that a page opens its notebook in Colab and on Binder and offers it as it is."""
    place = f"{repository()}/blob/main/notebooks/{name}.ipynb"
    assert f"https://colab.research.google.com/github/{place}" in page.links
    binder = [link for link in page.links if link.startswith("https://mybinder.org/v2/gh/" + repository())]
    assert binder and all(f"lab/tree/notebooks/{name}.ipynb" in unquote(link) for link in binder)
    [download] = {link for link in page.links if link.endswith(".ipynb") and not urlsplit(link).scheme}
    offered = (site / "notebooks" / f"{name}.html").parent / download
    assert nbformat.read(offered, as_version=4) == nbformat.read(notebook, as_version=4)


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_has_its_buttons_and_its_neighbours(parsed, site, name):
    check_buttons(
        site, parsed[site / "notebooks" / f"{name}.html"], name, website.executed(NOTEBOOKS / f"{name}.ipynb")
    )
    text = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    near = [LESSONS[place] for place in (LESSONS.index(name) - 1, LESSONS.index(name) + 1) if 0 <= place < len(LESSONS)]
    footer = re.search(r'<div class="prev-next-area">.*?</footer>', text, re.DOTALL)[0]
    assert all(f"{other}.html" in footer for other in near) and footer.count("<a") == 2
    folded = re.findall(r"<details class=\"admonition hide above-input\">(.*?)</details>", text, re.DOTALL)
    assert any("set_up" in part for part in folded)
    assert re.search(rf"<h1>{name[:2]} · ", text)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solutions_are_reached_from_their_lesson_and_lead_back(parsed, site, name):
    path = site / "notebooks" / "solutions" / f"{name}.html"
    check_buttons(site, parsed[path], f"solutions/{name}", NOTEBOOKS / "solutions" / f"{name}.ipynb")
    assert f"solutions/{name}.html" in parsed[site / "notebooks" / f"{name}.html"].links
    assert f"../{name}.html#exercises" in parsed[path].links
    text = path.read_text(encoding="utf-8")
    assert f"<h1>Solutions of lesson {name[:2]}" in text
    assert len(re.findall(r"<details class=\"admonition hide above-input\">", text)) == 1, "the set-up cell is folded"


def test_no_solution_is_in_the_sidebar_or_between_two_lessons(site):
    for path in files(site):
        text = path.read_text(encoding="utf-8")
        around = re.findall(r'<nav class="bd-links.*?</nav>|<div class="prev-next-area">.*?</footer>', text, re.DOTALL)
        assert "solutions/" not in "".join(around), path.relative_to(site)


@pytest.mark.parametrize("name", LESSONS)
def test_answers_are_folded_and_their_markdown_is_formatted(site, name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    questions = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown").count("<details>")
    text = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    answers = re.findall(r"<details>\s*<summary>.+?</summary>(.*?)</details>", text, re.DOTALL)
    assert len(answers) == questions
    for answer in answers:
        assert re.search(r"<(?:p|ul|ol|table)\b", answer), answer
        assert not re.search(r"\*\*|`|\]\(|\$", re.sub(r"<(pre|code)\b.*?</\1>", "", answer, flags=re.DOTALL)), answer


def test_tables_have_their_words_left_and_their_numbers_right(open_page):
    page = open_page("docs/results")
    row = page.locator("table").first.locator("tbody tr").first
    alignment = row.locator("td").evaluate_all("cells => cells.map((cell) => getComputedStyle(cell).textAlign)")
    assert alignment[:3] == ["left"] * 3 and alignment[3:] == ["right"] * 8
    page = open_page(f"notebooks/{IN_BATCH}")
    movies = page.locator("table.dataframe").filter(has=page.locator("th", has_text="genres"))
    cells = movies.first.locator("tbody tr").first.locator("td")  # title, year, genres
    alignment = cells.evaluate_all("cells => cells.map((cell) => getComputedStyle(cell).textAlign)")
    assert alignment == ["left", "right", "left"]


def test_every_public_function_stands_on_the_page_of_the_api(parsed, site):
    page = parsed[site / "docs" / "api.html"]
    package = website.ROOT / "recsys_utils"
    missing = []
    for path in package.glob("**/*.py"):
        module = ".".join(path.relative_to(website.ROOT).with_suffix("").parts)
        names = re.findall(r"^(?:def|class) ([a-zA-Z]\w*)", path.read_text(encoding="utf-8"), re.MULTILINE)
        missing += [f"{module}.{name}" for name in names if f"{module}.{name}" not in page.ids]
    assert not missing, "\n".join(missing)


def test_address_of_the_site_leads_to_its_first_page(open_page, address):
    page = open_page("index")
    page.wait_for_url(urljoin(address, "docs/index.html"))
    assert page.locator("img[alt*='user tower']").evaluate("image => image.naturalWidth > 100")
    assert page.get_by_role("link", name="Start with lesson 01").get_attribute("href").endswith(f"{LESSONS[0]}.html")
    assert json.dumps(page.faults) == "[]"
