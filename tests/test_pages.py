"""The pages of docs/: every term and symptom leads to a lesson's section, and the course map to what lessons say."""

import re
import xml.etree.ElementTree as ElementTree

import course_map
import jupytext
import pytest
from lessons import NOTEBOOKS, ROOT, SCRIPTS, find_lessons, number
from test_notebooks import anchors, check_links

SCRIPT_OF = {number(path): path for path in find_lessons(SCRIPTS, ".py", [])}
NEEDS = {lesson: course_map.needed_lessons(path.read_text(encoding="utf-8")) for lesson, path in SCRIPT_OF.items()}
TO_A_LESSON = r"\[lesson (\d\d)\]\(\.\./notebooks/(\w+)\.ipynb\)"
GLOSSARY, SYMPTOMS, COURSE_MAP, TEACH = (
    (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    for page in ("glossary", "symptoms", "course_map", "teach")
)


def entries(page):
    """Cut a page at its third-level headings: heading and what follows it."""
    parts = re.split(r"^### (.+)\n", re.sub(r"^## .+\n", "", page, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def prose(lesson):
    cells = jupytext.read(SCRIPT_OF[lesson]).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_glossary_is_in_alphabetical_order_under_its_letters():
    terms = [term for term, _ in entries(GLOSSARY)]
    assert len(terms) >= 60
    assert terms == sorted(terms, key=str.casefold)
    letter = ""
    for level, heading in re.findall(r"^(##|###) (.+)$", GLOSSARY.split("## References")[0], re.MULTILINE):
        letter = heading if level == "##" else letter
        assert heading[0].upper() == letter, f"{heading} stands under {letter}"


@pytest.mark.parametrize("page", [GLOSSARY, SYMPTOMS], ids=["glossary", "symptoms"])
def test_each_entry_has_an_anchor_of_its_own_and_leads_to_a_section(page):
    headings = re.findall(r"^#+ .+$", page, re.MULTILINE)
    assert len(anchors(page)) == len(headings), "two headings share an anchor"
    for heading, text in entries(page):
        assert re.search(rf"^See {TO_A_LESSON}", text, re.MULTILINE), f"{heading} leads to no lesson"
        assert len(text.split("See [lesson")[0].split()) >= 12, f"{heading} is hardly explained"
    for lesson, stem, section in re.findall(rf'{TO_A_LESSON}, "([^"]+)"', page):
        assert SCRIPT_OF[lesson].stem == stem
        assert f"\n## {section}\n" in f"\n{prose(lesson)}\n", f"lesson {lesson} has no section {section!r}"


def test_symptoms_say_what_to_do():
    symptoms = entries(SYMPTOMS)
    assert len(symptoms) >= 25
    for heading, text in symptoms:
        assert text.count("**Do**: ") == 1, f"{heading} does not say what to do, once"


@pytest.mark.parametrize("lesson", SCRIPT_OF)
def test_lesson_links_its_terms_to_the_glossary_and_no_heading_does(lesson):
    text = prose(lesson)
    terms = re.findall(r"\]\(\.\./docs/glossary\.md#([\w-]+)\)", text)
    assert len(set(terms)) >= 3
    assert len(set(terms)) == len(terms), "a term is linked where it comes up first, once"
    assert not re.search(r"^#.*glossary\.md", text, re.MULTILINE)
    check_links(text, NOTEBOOKS)


def test_needs_are_the_links_of_what_you_will_need():
    script = (
        "# # Title\n#\n# **What you'll need**: [Lesson 07](07_a.ipynb) or [Lesson\n# 03](03_b.ipynb); half a\n"
        "# minute; half a gigabyte\n# of memory.\n\n# %% [markdown]\n# [Lesson 09](09_c.ipynb) comes later.\n"
    )
    assert course_map.needed_lessons(script) == ["03", "07"]
    assert course_map.time_and_memory(script) == ("½", "0.5")
    assert course_map.time_and_memory(script.replace("half a\n# minute;", "one and\n# a half minutes;")) == (
        "1½",
        "0.5",
    )


def test_table_of_the_course_map_has_the_needs_of_every_lesson():
    rows = re.findall(r"^\| (\d\d) \[.+?\| (.+?) \|", COURSE_MAP, re.MULTILINE)
    assert {lesson: re.findall(r"\[(\d\d)\]", near) for lesson, near in rows} == NEEDS


def test_course_map_is_what_the_lessons_say_now():
    picture, page = course_map.build()
    remedy = "call .venv/bin/python tools/course_map.py"
    assert page == COURSE_MAP, remedy
    assert picture == course_map.PICTURE.read_text(encoding="utf-8"), remedy


def test_arrows_of_the_map_leave_out_only_what_follows_from_others():
    drawn = course_map.drawn_needs(NEEDS)
    assert course_map.drawn_needs({"1": [], "2": ["1"], "3": ["1", "2"]}) == {"1": [], "2": ["1"], "3": ["2"]}
    for lesson in NEEDS:
        assert course_map.find_reachable(drawn, lesson) == course_map.find_reachable(NEEDS, lesson)
    svg = ElementTree.fromstring(course_map.draw(NEEDS))
    arrows = [path for path in svg.findall(".//{*}path") if path.get("marker-end")]
    assert len(arrows) == sum(map(len, drawn.values()))


def test_map_is_legible_on_light_and_dark_and_tells_what_it_shows():
    svg = ElementTree.fromstring(course_map.PICTURE.read_text(encoding="utf-8"))
    assert svg.get("role") == "img" and svg.get("aria-labelledby") == "title description"
    assert {svg.find("{*}title").get("id"), svg.find("{*}desc").get("id")} == {"title", "description"}
    described = svg.find("{*}desc").text
    boxes = {text.text for text in svg.findall(".//{*}text") if text.get("font-weight")}
    assert boxes == set(NEEDS) and all(lesson in described for lesson in NEEDS)
    colours = {text.get("fill") for text in svg.findall(".//{*}text")}
    assert colours == {course_map.INK, course_map.GREY}, "dark on a pastel box, grey beside it"


def test_plan_of_a_term_has_fourteen_weeks_and_every_lesson_once():
    weeks = re.findall(r"^\| (\d+) \| (.+?) \|", TEACH, re.MULTILINE)
    assert [int(week) for week, _ in weeks] == list(range(1, 15))
    assert re.findall(r"notebooks/(\w+)\.ipynb", "".join(cell for _, cell in weeks)) == [
        path.stem for path in SCRIPT_OF.values()
    ]
