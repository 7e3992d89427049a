"""What contributors and services read: guide, changelog, citation, workflows, hooks. Nothing in them may go stale."""

import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml
from badges import repository
from lessons import ROOT

import recsys_utils

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
HOOKS = [
    hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in repo["hooks"]
]
FILE = re.compile(r"[\w./-]+/[\w.-]+|[\w-]+\.(?:toml|lock|yml|cff|md|py|txt)")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def workflow(path):
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # which leaves `on` and 3.10 as they are


def steps(path):
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def check_commands(text, where):
    """Check that every `make` in a text has its target."""
    for target in re.findall(r"\bmake ([a-z-]+)", text):
        assert target in TARGETS, f"{where}: there is no make {target}"


def test_citation_has_what_the_format_asks_for_and_agrees_with_the_package():
    citation = yaml.load(read("CITATION.cff"), yaml.BaseLoader)
    allowed = "cff-version message type title authors version date-released license repository-code keywords abstract"
    assert {"cff-version", "message", "title", "authors"} <= set(citation) <= set(allowed.split())
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["authors"] == [{"name": "The Two Towers authors"}], "a group is an entity, which has a name"
    assert citation["version"] == recsys_utils.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == f"https://github.com/{repository()}"
    assert f"## [{citation['version']}] - {citation['date-released']}\n" in read("CHANGELOG.md")


def test_changelog_keeps_its_form():
    changelog = read("CHANGELOG.md")
    releases = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert releases[0] == "[Unreleased]" and releases[1].startswith(f"[{recsys_utils.__version__}] - ")
    dates = [re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d)", release)[1] for release in releases[1:]]
    assert dates == sorted(dates, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= kinds


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_guides_name_only_commands_and_files_that_are_there(name):
    text = read(name)
    blocks = re.compile(r"```\n(.+?)```", re.DOTALL)
    inline = re.findall(r"`([^`]+)`", blocks.sub("", text))
    check_commands("\n".join([*blocks.findall(text), *inline]), name)
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert "://" in link or (ROOT / link).exists(), f"{name} links {link}"
    for pattern in (code for code in inline if re.fullmatch(r"[\w*/.-]+/[\w*.-]+", code)):
        assert list(ROOT.glob(pattern.replace("NN", "[0-9][0-9]"))), f"{name} names {pattern}"


def test_there_are_workflows():
    assert {"tests.yml", "newest.yml"} <= {path.name for path in WORKFLOWS}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_calls_what_is_there_and_pins_its_actions(path):
    content = workflow(path)
    assert {"name", "on", "permissions", "jobs"} <= set(content)
    for job in content["jobs"].values():
        assert int(job["timeout-minutes"]) <= 120, "a job that hangs must end"
    for step in steps(path):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), step
        check_commands(step.get("run", ""), path.name)
        lock = step.get("with", {}).get("cache-dependency-path", "").split()
        for file in [*FILE.findall(step.get("run", "")), *lock]:
            assert file.startswith("build/") or (ROOT / file).exists(), f"{path.name}: {file} is not there"


def test_tests_run_on_every_system_and_python_that_the_package_promises():
    strategy = workflow(ROOT / ".github/workflows/tests.yml")["jobs"]["package"]["strategy"]
    promised = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if "Python :: 3." in name]
    systems = ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert strategy == {"fail-fast": "false", "matrix": {"os": systems, "python": promised}}
    commands = [step.get("run") for step in steps(ROOT / ".github/workflows/tests.yml")]
    assert {"make doctor", "make test-quick", "make test"} <= set(commands)


def test_newest_releases_are_tried_weekly_without_the_lock():
    path = ROOT / ".github/workflows/newest.yml"
    assert workflow(path)["on"]["schedule"] == [{"cron": "17 4 * * 1"}]
    commands = "\n".join(step.get("run", "") for step in steps(path))
    assert "requirements.lock" not in commands and "make setup" not in commands
    extras = re.findall(r"--extra (\w+)", commands)
    assert extras == ["lessons", "dev"] and set(extras) < set(PROJECT["optional-dependencies"])
    assert "--assume-old=setup" in commands and "pytest notebooks --nbval-lax" in commands


def test_a_test_run_without_set_up_uses_the_python_it_is_given():
    command = ["make", "--dry-run", "test-quick", "--assume-old=setup", "VENV=other-python"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("other-python -m pytest tests/test_"), result.stdout


def test_hooks_need_no_versions_beside_the_lock():
    for hook in HOOKS:
        assert hook["language"] == "system" and "additional_dependencies" not in hook
        check_commands(hook["entry"], hook["id"])


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_hooks_pass_here(hook):
    """Run each as pre-commit does, with the Python of these tests in the place of .venv's."""
    command = shlex.split(hook["entry"])
    if command[0] == "make":
        command += ["--assume-old=setup", f"VENV={shlex.quote(sys.executable)}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_whitespace_hook_finds_whitespace(tmp_path):
    (entry,) = (shlex.split(hook["entry"]) for hook in HOOKS if hook["id"] == "whitespace")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "file").write_text("a \n", encoding="utf-8")
    subprocess.run(["git", "add", "file"], cwd=tmp_path, check=True)
    result = subprocess.run(entry, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode and "trailing whitespace" in result.stdout
