"""The notebooks as files: paired with their scripts, executed, readable, linked."""

import re

import jupytext
import nbformat
import pytest
from badges import repository
from lessons import NOTEBOOKS, ROOT, SCRIPTS

LESSONS = sorted(path.stem for path in SCRIPTS.glob("*.py"))
SOLUTIONS = sorted(f"solutions/{path.stem}" for path in SCRIPTS.glob("solutions/*.py"))
# Lessons of the second edition, until all are.
SECOND = [lesson for lesson in LESSONS if "# ## Check yourself\n" in (SCRIPTS / f"{lesson}.py").read_text("utf-8")]
PAGES = ["README.md", "data/README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
MARKDOWN_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
MARKDOWN_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


@pytest.fixture(params=LESSONS + SOLUTIONS)
def lesson(request):
    return request.param


@pytest.fixture
def notebook(lesson):
    return nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def outputs(cell):
    for output in cell.outputs:
        yield output, output.get("text", "") or output.get("data", {}).get("text/plain", "")


def read(lesson):
    return nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4)


def tags_of(cell):
    return cell.metadata.get("tags", [])


def section(notebook, heading):
    """Return the prose from this heading to the next of the same level."""
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", prose(notebook), re.DOTALL | re.MULTILINE)[1]


def test_every_notebook_has_a_script():
    assert LESSONS, "no lesson found"
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == LESSONS
    assert sorted(f"solutions/{path.stem}" for path in NOTEBOOKS.glob("solutions/*.ipynb")) == SOLUTIONS


def test_script_and_notebook_hold_the_same_cells(lesson, notebook):
    script = jupytext.read(SCRIPTS / f"{lesson}.py")

    def content(pair):
        return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in pair.cells]

    assert content(script) == content(notebook), f"run `make notebooks LESSON={lesson[:2]}`"


def test_every_code_cell_was_executed_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_no_output_is_an_error_a_warning_or_a_wall(notebook):
    for cell in code_cells(notebook):
        for output, text in outputs(cell):
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", f"{cell.source}\n{text}"
            assert text.count("\n") <= 60, f"{text.count(chr(10))} lines of output from\n{cell.source}"
            assert not re.search(r" at 0x[0-9a-f]+>", text), f"an address that changes every run:\n{text}"


def test_a_rebuild_can_be_byte_stable(notebook):
    assert [cell.id for cell in notebook.cells] == [f"cell-{position:03}" for position in range(len(notebook.cells))]
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"jupytext", "kernelspec", "language_info"}
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)


def test_cells_are_small(notebook):
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= 25, cell.source


@pytest.mark.parametrize("lesson", SECOND)
def test_a_lesson_is_short(lesson):
    notebook = read(lesson)
    cells = [cell for cell in code_cells(notebook) if "colab" not in tags_of(cell)]
    lines = [[line for line in cell.source.splitlines() if line.strip()] for cell in cells]
    assert len(cells) <= 48
    assert sum(map(len, lines)) <= 250
    assert all(len(cell.source.splitlines()) <= 15 for cell in cells), [cell for cell in lines if len(cell) > 15]
    words = re.sub(r"^\[!\[.*$", "", prose(notebook), flags=re.MULTILINE).split()
    assert len(words) <= 1800
    everything = "\n".join(cell.source for cell in notebook.cells)
    assert not re.findall(r"(?i)\b(?:films?|persons?)\b", everything), "a lesson says movie and user"


@pytest.mark.parametrize("lesson", SECOND)
def test_a_lesson_has_a_diagram_questions_with_answers_and_exercises_with_solutions(lesson):
    notebook = read(lesson)
    assert any("draw_two_towers(" in cell.source for cell in code_cells(notebook))
    questions = section(notebook, "Check yourself")
    assert 3 <= questions.count("<details>") == questions.count("</details>") <= 5
    exercises = re.findall(r"^\d\. \*\*(.+?)\.?\*\*", section(notebook, "Exercises"), re.MULTILINE)
    assert 3 <= len(exercises) <= 4
    assert f"(solutions/{lesson}.ipynb)" in section(notebook, "Exercises")
    solutions = re.split(r"^## ", "\n\n".join(cell.source for cell in read(f"solutions/{lesson}").cells), flags=re.M)[
        1:
    ]
    assert [text.partition("\n")[0] for text in solutions] == [
        f"Exercise {place}. {title}" for place, title in enumerate(exercises, 1)
    ]
    for text in solutions:
        assert re.search(r"^\s*assert ", text, re.MULTILINE), f"nothing is checked in\n{text}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_claims_are_checked(lesson):
    notebook = read(lesson)
    compared = [cell for cell in code_cells(notebook) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(compared) >= 3
    assert all(cell.outputs for cell in compared), "a compared cell without output compares nothing"
    asserts = re.findall(r"^\s*assert .+", "\n".join(cell.source for cell in code_cells(notebook)), re.MULTILINE)
    assert len(asserts) >= 3


@pytest.mark.parametrize("lesson", LESSONS)
def test_anatomy(lesson):
    notebook = read(lesson)
    first = notebook.cells[0].source
    assert re.match(r"# \w+", first)
    for heading in ("**What you'll do**", "**What you'll learn**", "**What you'll need**"):
        assert heading in first
    headings = re.findall(r"^## (.+)$", prose(notebook), re.MULTILINE)
    order = [headings.index(heading) for heading in ("In practice", "Exercises", "Takeaways")]
    assert order == sorted(order)
    tags = [tag for cell in code_cells(notebook) for tag in cell.metadata.get("tags", [])]
    assert tags.count("colab") == 1 and tags.count("parameters") == 1
    last_code = max(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    exercises = next(i for i, cell in enumerate(notebook.cells) if "## Exercises" in cell.source)
    assert last_code < exercises, "nothing may depend on the exercises"


def test_set_up_cell_is_the_same_in_every_lesson(notebook):
    reference = nbformat.read(NOTEBOOKS / f"{LESSONS[0]}.ipynb", as_version=4)
    here, there = (
        next(cell.source for cell in code_cells(pair) if "colab" in cell.metadata.get("tags", []))
        for pair in (notebook, reference)
    )
    assert here == there
    assert len([line for line in here.splitlines() if line]) <= 15


def test_set_up_cell_installs_what_the_badge_opens(lesson, notebook):
    badge = re.search(
        rf"colab.research.google.com/github/{repository()}/blob/([^/]+)/notebooks/{lesson}.ipynb", prose(notebook)
    )
    cell = next(cell.source for cell in code_cells(notebook) if "colab" in cell.metadata.get("tags", []))
    assert f"two-towers[lessons] @ https://github.com/{repository()}/archive/refs/heads/{badge[1]}.zip" in cell


def test_badges_open_this_lesson(lesson, notebook):
    first = notebook.cells[0].source
    assert f"https://colab.research.google.com/github/{repository()}/blob/main/notebooks/{lesson}.ipynb" in first
    assert f"https://mybinder.org/v2/gh/{repository()}/main?urlpath=lab/tree/notebooks/{lesson}.ipynb" in first


def anchors(text):
    return {re.sub(r"[^\w\- ]", "", h).replace(" ", "-").lower() for h in re.findall(r"^#+ (.+)$", text, re.M)}


def check_links(text, folder):
    for target in MARKDOWN_LINK.findall(text) + [target for _, target in MARKDOWN_IMAGE.findall(text)]:
        if target.startswith("https://"):
            continue
        page, _, anchor = target.partition("#")
        assert (folder / page).exists(), f"{target} does not exist"
        if anchor and not page.endswith(".ipynb"):
            there = (folder / page).read_text(encoding="utf-8") if page else text
            assert anchor.lower() in anchors(there), f"no heading for {target}"
    for alt, target in MARKDOWN_IMAGE.findall(text):
        assert len(alt) > 5, f"the image {target} has no alt text"
        assert not target.startswith("http"), f"the image {target} needs the network"


def test_links_and_alt_text_of_lessons(lesson, notebook):
    check_links(prose(notebook), (NOTEBOOKS / lesson).parent)


@pytest.mark.parametrize("page", PAGES)
def test_links_and_alt_text_of_pages(page):
    path = ROOT / page
    check_links(path.read_text(encoding="utf-8"), path.parent)


def test_link_checker_sees_a_broken_link_and_a_missing_alt(tmp_path):
    (tmp_path / "page.md").write_text("# A page\n\n### a term\n", encoding="utf-8")
    check_links("[there](page.md#a-term), [here](#here)\n\n## Here", tmp_path)
    for text in ("[gone](gone.md)", "[gone](#gone)", "[gone](page.md#gone)", "![](x.png)"):
        with pytest.raises(AssertionError):
            check_links(text, tmp_path)
