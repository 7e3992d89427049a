"""Draw which lesson needs which, and list it: docs/images/course_map.svg and the table of docs/course_map.md.

Call it after an edit of a lesson's "What you'll need", which is where the arrows come from.
"""

import re
from html import escape
from typing import NamedTuple

from basics import ROOT, SCRIPTS, find_lessons, number, write_whole

PAGE, PICTURE = ROOT / "docs" / "course_map.md", ROOT / "docs" / "images" / "course_map.svg"
TABLE = re.compile(r"(<!-- lessons -->\n).*?(<!-- /lessons -->)", re.DOTALL)
SAID = {"half a": "½", "a": "1", "one": "1", "one and a half": "1½", "two": "2"}  # minutes, as the lessons say them


class Place(NamedTuple):
    """Where a lesson's box stands, and the two lines in it."""

    column: float
    row: int
    first: str
    second: str
    idea: str  # for the table


PLACES = {
    "01": Place(2, 0, "data and", "noise floor", "what a two-tower model is; how good a model can get"),
    "02": Place(2, 1, "classics", "predict stars", "the mark to beat in stars"),
    "03": Place(3.5, 2, "classics", "rank movies", "the mark to beat in rankings"),
    "04": Place(0.5, 2, "two towers", "by hand", "a two-tower model in NumPy, every gradient checked"),
    "05": Place(0, 3, "from SVD", "to towers", "linear towers are matrix factorisation"),
    "06": Place(1, 3, "content", "and a leak", "towers that read features, and how averages leak"),
    "07": Place(2, 4, "biases, ids,", "content", "towers that beat the classics in stars; a new user"),
    "08": Place(0, 4, "several", "right answers", "a sigmoid for each answer, not a softmax"),
    "09": Place(1, 4, "watch ratio,", "two heads", "a ranker's head against a retriever's"),
    "10": Place(4, 3, "likes and", "negatives", "without negatives there is nothing to learn"),
    "11": Place(3, 3, "in-batch", "softmax", "the batch is the negative set; logQ; an index"),
    "12": Place(4, 4, "sampling", "bias", "logQ, temperature, hard negatives, measured"),
    "13": Place(4, 5, "the same", "in Keras 3", "the same loss in thirteen lines of Keras 3; keras-rs; how to move"),
    "14": Place(3, 4, "watch", "history", "a user is what they did last"),
    "15": Place(3, 5, "new users,", "new movies", "users and movies that nobody has seen"),
    "16": Place(2, 5, "what near", "means", "when to believe a cosine"),
}
PARTS = {
    "Foundations": ("01", "05", "#9ecae1"),
    "Predict": ("06", "10", "#fdbe85"),
    "Retrieve": ("11", "16", "#b7dfb0"),
}
INK, GREY = "#1a1a1a", "#757575"  # text in boxes; lines and text beside them, legible on white and on black
STEP, ACROSS, DOWN, WIDE, HIGH = 130, 10, 10, 108, 62  # pixels: between columns, margins, size of a box
BETWEEN = HIGH + 42  # pixels from one row to the next


def read_need(script: str) -> str:
    """Cut "What you'll need" out of a lesson's script."""
    return re.search(r"# \*\*What you'll need\*\*: (.*?)\n\n", script, re.DOTALL)[1].replace("\n#", "")


def needed_lessons(script: str) -> list[str]:
    """List the numbers of the lessons that "What you'll need" links to."""
    return sorted(re.findall(r"\]\((\d\d)_\w+\.ipynb\)", read_need(script)))


def time_and_memory(script: str) -> tuple[str, str]:
    """Read how many minutes and gigabytes "What you'll need" asks for."""
    need = read_need(script)
    minutes = re.search(r"\b(half a|a|one|one and a half|two) minutes?\b", need, re.IGNORECASE)[1].lower()
    memory = re.search(r"(\d\.?\d*) GB|half a gigabyte", need)
    return SAID[minutes], memory[1] or "0.5"


def find_reachable(needs: dict[str, list[str]], lesson: str) -> set[str]:
    """Find every lesson that this one needs, directly or through another."""
    return {one for near in needs[lesson] for one in {near} | find_reachable(needs, near)}


def drawn_needs(needs: dict[str, list[str]]) -> dict[str, list[str]]:
    """Leave out the needs that follow from others, so that the picture keeps few lines."""
    return {
        lesson: [one for one in near if not any(one in find_reachable(needs, other) for other in near)]
        for lesson, near in needs.items()
    }


def draw(needs: dict[str, list[str]]) -> str:
    """Draw the map as an SVG image with a title and a description."""
    lines = [_draw_arrow(PLACES[one], PLACES[lesson]) for lesson, near in drawn_needs(needs).items() for one in near]
    boxes = [_draw_box(lesson, PLACES[lesson]) for lesson in needs]
    legend = [_draw_legend(row, name, colour) for row, (name, (_, _, colour)) in enumerate(PARTS.items())]
    told = "; ".join(f"{lesson} after {' and '.join(near) or 'none'}" for lesson, near in drawn_needs(needs).items())
    columns, rows = (max(getattr(place, name) for place in PLACES.values()) for name in ("column", "row"))
    width, height = round(2 * ACROSS + columns * STEP + WIDE), round(2 * DOWN + rows * BETWEEN + HIGH)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
            '  role="img" aria-labelledby="title description" font-family="sans-serif" text-anchor="middle">',
            '<title id="title">Which lesson needs which</title>',
            f'<desc id="description">A box a lesson, an arrow from each to those that build on it: {told}.</desc>',
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"',
            f'  orient="auto"><path d="M0 0L10 5L0 10z" fill="{GREY}"/></marker></defs>',
            *legend,
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def _middle(place: Place) -> tuple[float, float]:
    return ACROSS + WIDE / 2 + place.column * STEP, DOWN + HIGH / 2 + place.row * BETWEEN


def _draw_arrow(start: Place, end: Place) -> str:
    """Draw a line down from one box, across between two rows, and down to another; past a row it runs between boxes."""
    (x, y), (to_x, to_y) = _middle(start), _middle(end)
    gap, half = BETWEEN - HIGH, HIGH / 2
    path = f"M{x:g} {y + half:g}V{y + half + gap / 2:g}"
    if end.row - start.row > 1:
        path += f"H{(x + to_x) / 2:g}V{to_y - half - gap / 2:g}"
    path += f"H{to_x:g}V{to_y - half:g}"
    return f'<path d="{path}" fill="none" stroke="{GREY}" stroke-width="2" marker-end="url(#tip)"/>'


def _draw_box(lesson: str, place: Place) -> str:
    x, y = _middle(place)
    colour = next(colour for first, last, colour in PARTS.values() if first <= lesson <= last)
    rows = [f'<text x="{x:g}" y="{y - 11:g}" font-size="17" font-weight="bold" fill="{INK}">{lesson}</text>']
    rows += [
        f'<text x="{x:g}" y="{y + 7 + 17 * line:g}" font-size="15" fill="{INK}">{escape(word)}</text>'
        for line, word in enumerate((place.first, place.second))
    ]
    corner = f'x="{x - WIDE / 2:g}" y="{y - HIGH / 2:g}" width="{WIDE}" height="{HIGH}" rx="8"'
    return "\n".join([f'<rect {corner} fill="{colour}" stroke="{GREY}"/>', *rows])


def _draw_legend(row: int, name: str, colour: str) -> str:
    y = DOWN + 26 * row
    return (
        f'<rect x="{ACROSS}" y="{y}" width="18" height="18" rx="4" fill="{colour}" stroke="{GREY}"/>\n'
        f'<text x="{ACROSS + 26}" y="{y + 15}" font-size="16" fill="{GREY}" text-anchor="start">{name}</text>'
    )


def table(scripts: dict[str, str], stems: dict[str, str]) -> str:
    """Make the table of the page: lesson, what it needs, its idea, minutes and memory."""

    def link(lesson: str, text: str) -> str:
        return f"[{text}](../notebooks/{stems[lesson]}.ipynb)"

    rows = ["| lesson | builds on | the idea | minutes | GB |", "|---|---|---|---|---|"]
    for lesson, script in scripts.items():
        title = re.search(r"^# # (.+)$", script, re.MULTILINE)[1]
        near = ", ".join(link(one, one) for one in needed_lessons(script)) or "–"
        minutes, memory = time_and_memory(script)
        rows.append(f"| {lesson} {link(lesson, title)} | {near} | {PLACES[lesson].idea} | {minutes} | {memory} |")
    return "\n".join(rows) + "\n"


def build() -> tuple[str, str]:
    """Make the picture and the page anew from the lessons."""
    paths = find_lessons(SCRIPTS, ".py", [])
    scripts = {number(path): path.read_text(encoding="utf-8") for path in paths}
    picture = draw({lesson: needed_lessons(script) for lesson, script in scripts.items()})
    rows = table(scripts, {number(path): path.stem for path in paths})
    page = TABLE.sub(lambda found: f"{found[1]}\n{rows}\n{found[2]}", PAGE.read_text(encoding="utf-8"))
    return picture, page


def main() -> None:
    picture, page = build()
    write_whole(PICTURE, picture)
    write_whole(PAGE, page)


if __name__ == "__main__":
    main()
