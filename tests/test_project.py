"""The project as a whole: pins agree, commands exist, nothing of one machine is in a file."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest
import readme
import yaml
from lessons import NOTEBOOKS, ROOT, SCRIPTS
from lock import environment_file, read_pins
from packaging.requirements import Requirement

import recsys_utils

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SITE_LOCK = (ROOT / "docs" / "requirements.lock").read_text(encoding="utf-8")  # what the site needs beyond LOCK
README = (ROOT / "README.md").read_text(encoding="utf-8")


def requirements():
    extras = PROJECT["project"]["optional-dependencies"]
    return [Requirement(line) for group in (PROJECT["project"]["dependencies"], *extras.values()) for line in group]


def test_every_requirement_of_pyproject_is_a_range_that_its_pin_satisfies():
    pins = dict(re.split("[ ;]", pin)[0].split("==") for pin in [*read_pins(LOCK), *read_pins(SITE_LOCK)])
    for requirement in [*requirements(), *map(Requirement, PROJECT["build-system"]["requires"])]:
        bounds = {bound.operator for bound in requirement.specifier}
        assert ">=" in bounds and bounds <= {">=", "<"}, f"{requirement} is no range with a floor"
        assert requirement.specifier.contains(pins[requirement.name]), f"{requirement} is locked at another version"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel, with no network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_wheel_says_what_it_is(wheel):
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = BytesParser().parsebytes(wheel.read(path))
    assert metadata["Version"] == recsys_utils.__version__
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().startswith("# Two Towers")
    assert metadata["License-Expression"] == "MIT" and metadata["Keywords"]
    pythons = {c.rpartition(" ")[2] for c in metadata.get_all("Classifier") if c.startswith("Programming Language")}
    assert {"3.11", "3.12", "3.13"} <= pythons and "3.14" not in pythons
    needed = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    assert {str(one.specifier) for one in needed if one.name == "numpy"} == {">=2.0"}, "a pin would force everybody's"


def test_wheel_carries_the_data_the_queries_and_the_figure_style(wheel):
    names = set(wheel.namelist())
    for folder, inside in (("data", "_data"), ("notebooks/sql", "_sql"), ("notebooks/scripts", "_scripts")):
        for path in filter(Path.is_file, (ROOT / folder).rglob("*")):
            assert f"recsys_utils/{inside}/{path.relative_to(ROOT / folder).as_posix()}" in names
    assert "recsys_utils/two_towers.mplstyle" in names
    assert not any(name.startswith(("tests", "tools", "notebooks")) for name in names)


def test_lesson_runs_out_of_the_wheel(wheel, tmp_path):
    """As on Colab, where a solution has nothing of the repository but the wheel."""
    wheel.extractall(tmp_path)
    heading = re.search(r"^# ## (.+)$", min(SCRIPTS.glob("*.py")).read_text(encoding="utf-8"), re.MULTILINE)[1]
    code = f"""import recsys_utils.lessons
print(recsys_utils.__file__)
recsys_utils.lessons.run_lesson("01", globals(), until={heading!r})
print(SEED)"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    file, ran, seed = result.stdout.splitlines()
    assert Path(file).is_relative_to(tmp_path) and re.fullmatch(r"Ran \d+ cells of lesson 01\.", ran) and seed == "1"


@pytest.mark.parametrize(("lock", "least"), [(LOCK, 100), (SITE_LOCK, 20)])
def test_lock_has_hashes_and_no_addresses(lock, least):
    requirements = re.split(r"\n(?=[A-Za-z0-9])", lock)
    assert len(requirements) > least
    assert all("--hash=sha256:" in requirement for requirement in requirements if "==" in requirement)
    assert "://" not in lock and "index-url" not in lock
    assert "tensorflow-macos" not in lock


def test_site_lock_holds_only_what_the_other_lacks():
    ours, theirs = ({re.split("[ =]", pin)[0] for pin in read_pins(lock)} for lock in (SITE_LOCK, LOCK))
    assert not ours & theirs, "installing the site's tools must leave the lessons' versions alone"
    assert "sphinx" in ours


def test_environment_file_carries_the_pins_of_the_lock():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert text == environment_file(LOCK), "run `make lock`"
    environment = yaml.safe_load(text)
    python, _, pip = environment["dependencies"]
    assert python == "python=3.11" and PROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert pip["pip"] == [*read_pins(LOCK), "-e ."]


def test_readme_shows_every_command_and_every_lesson():
    commands = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"run", "test", "lab", "notebooks", "lint", "help"} <= set(commands)
    for command in commands:
        assert f"`make {command}" in README or f"make {command}\n" in README, f"make {command} is not in README.md"
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        assert f"notebooks/{notebook.name}" in README


def test_every_lesson_fits_into_the_memory_of_binder():
    table = README.split("<!-- lessons -->")[1].split("<!-- /lessons -->")[0]
    peaks = {cells[1].strip(): float(cells[4]) for row in table.splitlines()[3:] if len(cells := row.split("|")) > 4}
    assert set(peaks) == {notebook.name[:2] for notebook in NOTEBOOKS.glob("*.ipynb")}
    assert all(0.1 < gigabytes < 2 for gigabytes in peaks.values()), peaks


@pytest.mark.parametrize("block", ["lessons", "leaderboard", "benchmark"])
def test_readme_has_a_place_for_every_table(block):
    assert f"<!-- {block} -->\nnew\n<!-- /{block} -->" in readme.replace_block(README, block, "new")


def test_readme_gives_every_file_at_the_top_its_line():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {path.split("/")[0] for path in tracked.splitlines()} - {"README.md"}
    for name in (name for name in top if not name.startswith(".")):  # those with a dot are for tools
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
