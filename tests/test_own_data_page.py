"""docs/your_own_data.md runs as it stands, on a plain table and on an odd one, through the models of two lessons."""

import re
import subprocess
import sys

import pytest
from basics import ROOT

PAGE = (ROOT / "docs" / "your_own_data.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
RATINGS, CLICKS, ELEVEN, FOURTEEN, SETTINGS, IN_EARNEST = range(6)
# What the tables hold is found, and what is recommended has its title.
CHECK = """
(model,) = (name for name in ndcg if name.startswith("lesson"))
assert ndcg[model].mean() > 1.5 * ndcg["most popular"].mean(), ndcg
assert best.shape == (10,) and own.items["title"][best].str.startswith("Thing ").all()
"""
CATEGORIES = """
own.items["genres"] = own.items["title"].str.extract(r'"(\\d+)"')[0] + "|Thing"
assert borrow("14", movies=own).genres.shape == (len(own.items), 13)
"""


def test_each_model_takes_under_fifteen_lines():
    assert len(CODE) == 6, "each block is run below"
    for block in CODE:
        assert len([line for line in block.splitlines() if line.strip()]) < 15, block
    assert 'borrow("11"' in CODE[ELEVEN] and 'borrow("14"' in CODE[FOURTEEN]


@pytest.mark.parametrize(
    ("blocks", "more"),
    [((RATINGS, ELEVEN, FOURTEEN, SETTINGS, IN_EARNEST), ""), ((CLICKS, ELEVEN, FOURTEEN), CATEGORIES)],
    ids=["plain ratings", "odd clicks"],
)
def test_the_page_runs_as_it_stands(blocks, more, own_tables):
    code = "\n".join(CODE[block] + CHECK * (block in (ELEVEN, FOURTEEN)) for block in blocks) + more
    result = subprocess.run([sys.executable, "-c", code], cwd=own_tables, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.count("compared with") == 2 and "300 users" in result.stdout
