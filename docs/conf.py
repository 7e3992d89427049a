"""How Sphinx turns the lessons and the pages of docs/ into the site; `make site` calls it on a copy of both."""

import ast
import json
import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import latex2mathml.converter
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxTranslator

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = html_title = "Two Towers"
author, copyright = "the authors of Two Towers", "the authors of Two Towers, under the MIT licence"
language = "en"
root_doc = "docs/index"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["**/.*"]

# Lessons are shown as they were run; nothing is executed, and no widget looks for its scripts on another host.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_merge_streams = True
nb_code_prompt_show, nb_code_prompt_hide = "Show the set-up", "Hide the set-up"  # the only cells that are folded
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

# The functions of recsys_utils, in the order of their files.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "code"

html_theme = "sphinx_book_theme"
html_use_index = html_domain_indices = False  # the search finds more
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["tables.js"]
html_sourcelink_suffix = ""  # a lesson's download is NN_name.ipynb
html_theme_options = {
    "repository_url": PROJECT["urls"]["Repository"],
    "repository_branch": "main",
    "path_to_docs": "",
    "use_repository_button": True,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "launch_buttons": {
        "colab_url": "https://colab.research.google.com",
        "binderhub_url": "https://mybinder.org",
        "notebook_interface": "jupyterlab",
    },
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search field stands in the sidebar
    "secondary_sidebar_items": {"**": ["page-toc"], "docs/index": [], "docs/results": []},
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "search_bar_text": "Search the course",
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def prepare_notebook(app: Sphinx, page: str, source: list[str]) -> None:
    """Number a lesson's title, fold set-up and import cells; the notebook to download stays as it is."""
    if not page.startswith("notebooks/"):
        return
    notebook = json.loads(source[0])
    title, *code = notebook["cells"][:1] + [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    lesson = re.fullmatch(r"notebooks/(\d\d)_\w+", page)
    if lesson:
        title["source"] = re.sub(r"\A# ", f"# {lesson[1]} · ", "".join(title["source"]))
    else:  # solutions: reached from their lesson, so that nobody meets them in the sidebar first
        notebook["metadata"]["orphan"] = True
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":  # Jupyter's anchors keep the capitals of a heading, the site's do not
            text = "".join(cell["source"])
            cell["source"] = re.sub(r"(?<=\.ipynb#)[^)\s]+", lambda anchor: anchor[0].lower(), text)
    for cell in code[:3]:
        text = "".join(cell["source"])
        only_imports = all(isinstance(line, ast.Import | ast.ImportFrom) for line in ast.parse(text).body)
        if "colab" in cell["metadata"].get("tags", []) or only_imports or "set_up(" in text:
            cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "hide-input"]
    source[0] = json.dumps(notebook)


def write_as_rst(app: Sphinx, what: str, name: str, thing: object, options: dict, lines: list[str]) -> None:
    """Turn what our docstrings have beside NumPy's style into reStructuredText: `name : text`, indented blocks, |x|."""
    section, result = "", []
    for line in lines:
        if line and set(line) == {"-"}:
            section = result[-1]
        parameter = re.fullmatch(r"(\w[\w, *]*?) : (.+)", line)
        if section == "Parameters" and parameter:  # napoleon would take the text for a type
            result += [parameter[1], f"    {parameter[2]}"]
            continue
        if not section and line.startswith("    ") and result[-2:-1] != ["::"] and result[-1] == "":
            result += ["::", ""]
        result.append(line if line.startswith("    ") else line.replace("|", r"\|"))
    lines[:] = result


def skip_fields(app: Sphinx, what: str, name: str, thing: object, skip: bool, options: dict) -> bool | None:
    """Leave out 'Alias for field number 0': what a NamedTuple's fields hold stands in its docstring."""
    return True if type(thing).__name__ == "_tuplegetter" else None


def mathml(latex: str, display: str) -> str:
    """Return an equation as MathML, which browsers draw themselves; what the converter gets wrong is put right."""
    latex = re.sub(r"\\[lr]Vert\b", r"\\|", latex)  # bars of one height
    latex = re.sub(r"\{aligned\}", "{align*}", latex)
    latex = re.sub(r"(?<=[\w})])\s*(?=\\(?:log|exp|cos)\b)", r"\\,", latex)  # y log x, not ylogx
    latex = re.sub(r"(\\(?:log|exp|cos))\s*(?=\\(?:sigma|frac)|[a-zA-Z])", r"\1\\,", latex)
    xml = latex2mathml.converter.convert(latex, display=display)
    drawn = ElementTree.fromstring(xml.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))
    for over in drawn.iter("mover"):
        if over[1].text == "\u2015":  # \overline: not a dash of one length, but a line as long as what is below it
            over.tag = "mrow"
            over.set("style", "border-top: 1px solid; padding-top: 1px")
            over.remove(over[1])
    return ElementTree.tostring(drawn, encoding="unicode")


def write_mathml(translator: SphinxTranslator, node: nodes.Node, display: str) -> None:
    """Put an equation into the page."""
    drawn = mathml(node.astext(), display)
    translator.body.append(f'<div class="equation">{drawn}</div>' if display == "block" else drawn)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Add the steps above to Sphinx."""
    app.connect("source-read", prepare_notebook)
    app.connect("autodoc-process-docstring", write_as_rst, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", skip_fields)
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(lambda translator, node: write_mathml(translator, node, "inline"), None),
        block_renderers=(lambda translator, node: write_mathml(translator, node, "block"), None),
    )
