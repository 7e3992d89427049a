"""The project as a whole: pins agree, commands exist, nothing of one machine is in a file."""

import re
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest
import readme
import yaml
from lessons import NOTEBOOKS, ROOT
from lock import environment_file, read_pins

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def names_and_versions(pins):
    return {tuple(pin.split(" ")[0].split(";")[0].split("==")) for pin in pins}


def test_every_requirement_of_pyproject_is_pinned_and_locked():
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *(pin for extra in extras.values() for pin in extra)]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", pin) for pin in wanted)
    assert names_and_versions(wanted) <= names_and_versions(read_pins(LOCK))
    assert set(PROJECT["build-system"]["requires"]) <= set(wanted)


def test_lock_has_hashes_and_no_addresses():
    requirements = re.split(r"\n(?=[A-Za-z0-9])", LOCK)
    assert len(requirements) > 100
    assert all("--hash=sha256:" in requirement for requirement in requirements if "==" in requirement)
    assert "://" not in LOCK and "index-url" not in LOCK
    assert "tensorflow-macos" not in LOCK


def test_environment_file_carries_the_pins_of_the_lock():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert text == environment_file(LOCK), "run `make lock`"
    environment = yaml.safe_load(text)
    python, _, pip = environment["dependencies"]
    assert python == "python=3.11" and PROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert pip["pip"] == [*read_pins(LOCK), "-e ."]


def test_set_up_cells_install_this_version():
    version = PROJECT["project"]["version"]
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        assert f"@v{version}" in notebook.read_text(encoding="utf-8"), notebook.name


def test_readme_shows_every_command_and_every_lesson():
    commands = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"run", "test", "lab", "notebooks", "lint", "help"} <= set(commands)
    for command in commands:
        assert f"`make {command}" in README or f"make {command}\n" in README, f"make {command} is not in README.md"
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        assert f"notebooks/{notebook.name}" in README


@pytest.mark.parametrize("block", ["lessons", "leaderboard", "benchmark"])
def test_readme_has_a_place_for_every_table(block):
    assert f"<!-- {block} -->\nnew\n<!-- /{block} -->" in readme.replace_block(README, block, "new")


def test_readme_gives_every_file_at_the_top_its_line():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {path.split("/")[0] for path in tracked.splitlines()} - {".gitignore", ".gitattributes", ".ci", "README.md"}
    for name in top:
        assert re.search(rf"`{re.escape(name)}/?`", README), f"README.md does not say what {name} is for"


def test_python_outside_the_range_gets_one_clear_line(tmp_path):
    source = (ROOT / "tools" / "environment.py").read_text(encoding="utf-8")
    old = source.replace("import sys\n", "import sys\nsys.version_info = (3, 9, 1)\n", 1)
    result = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "3.11, 3.12 or 3.13" in result.stderr and "3.9" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("repo", ["", "no-slash", "a/b/c", "a b/c"])
def test_badges_refuse_what_is_no_repository(repo):
    before = README
    result = subprocess.run(
        [sys.executable, ROOT / "tools" / "badges.py", *repo.split()], capture_output=True, text=True
    )
    assert result.returncode == 1 and "expected owner/name" in result.stderr
    assert (ROOT / "README.md").read_text(encoding="utf-8") == before


def test_readme_code_runs_on_a_csv(tmp_path):
    rng = np.random.default_rng(1)
    pairs = rng.permutation(40 * 60)[:1200]
    table = {
        "customer": pairs // 60,
        "product": pairs % 60,
        "stars": rng.integers(1, 6, 1200),
        "when": rng.permutation(1200),
    }
    pd.DataFrame(table).to_csv(tmp_path / "my_ratings.csv", index=False)
    (code,) = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "NDCG@10" in result.stdout
