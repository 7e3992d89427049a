"""Binder's way in: repo2docker takes environment.yml, its pins resolve, and JupyterLab opens each lesson's address."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import yaml
from basics import NOTEBOOKS, ROOT

MISSED = "not tried: what Binder makes of the checkout; make site-tools installs it"
pytest.importorskip("repo2docker", reason=f"repo2docker is not installed; {MISSED}")
from repo2docker.app import Repo2Docker  # noqa: E402

BADGE = re.compile(r"https://mybinder\.org/v2/gh/[\w.-]+/[\w.-]+/main\?urlpath=([^)\s]+)")
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def build_pack(monkeypatch):
    """Whatever repo2docker chooses for the checkout, as it chooses it."""
    monkeypatch.chdir(ROOT)
    app = Repo2Docker()
    pack = next(pack for kind in app.buildpacks if (pack := kind(base_image=app.base_image)).detect())
    pack.platform = "linux/amd64"
    return pack


def test_repo2docker_takes_environment_yml_and_its_python(build_pack):
    assert type(build_pack).__name__ == "CondaBuildPack"
    assert build_pack.environment_yaml_path == "environment.yml"
    assert build_pack.python_version == "3.11" and not build_pack.separate_kernel_env


def test_dockerfile_installs_environment_yml_after_copying_the_course(build_pack):
    dockerfile = build_pack.render()
    copy = re.search(r"^COPY --chown=\S+ src/ \$\{REPO_DIR\}", dockerfile, re.MULTILINE)
    install = re.search(r'env update -p \$\{NB_PYTHON_PREFIX\} --file "environment\.yml"', dockerfile)
    assert copy and install and copy.start() < install.start(), "pip needs the course itself for -e ."
    assert "environment.py-3.11-linux-64.lock" in " ".join(build_pack.get_build_script_files())
    assert "env/environment.lock" in dockerfile


def test_pins_resolve_for_binders_python_and_system(tmp_path):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *pins, course = environment["dependencies"][-1]["pip"]
    assert course == "-e ."
    (tmp_path / "pins.txt").write_text("\n".join([*pins, f"-e {ROOT}"]), encoding="utf-8")
    command = [sys.executable, "-m", "uv", "--quiet", "pip", "compile", "pins.txt", "--no-header", "--no-annotate"]
    command += ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_35"]  # Ubuntu 22.04's
    # Outside the checkout, whose settings for uv Binder's pip does not read.
    resolved = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert resolved.returncode == 0, resolved.stderr
    names = {re.split("[ =]", pin)[0] for pin in pins}
    new = [line for line in resolved.stdout.splitlines() if "==" in line and re.split("[ =]", line)[0] not in names]
    assert new == [], "environment.yml does not pin what its pins need"


def wait_until_up(process, log, ask):
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            return ask("api")
        except urllib.error.URLError:  # nobody listens yet
            time.sleep(0.1)
    pytest.fail(f"JupyterLab does not answer within a minute:\n{log.read_text()}")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start JupyterLab on the checkout, as Binder does; return a function that asks it for a path."""
    folder = tmp_path_factory.mktemp("jupyter")
    places = "JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR JUPYTER_RUNTIME_DIR JUPYTERLAB_WORKSPACES_DIR IPYTHONDIR"
    environment = os.environ | {place: str(folder / place.lower()) for place in places.split()}
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = os.urandom(16).hex()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={ROOT}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    log = folder / "log"
    with log.open("w") as said:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=said, stderr=subprocess.STDOUT)

    def ask(path):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers={"Authorization": f"token {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()

    try:
        wait_until_up(process, log, ask)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def test_binders_address_opens_each_lesson(server):
    paths = BADGE.findall(README)
    assert len(paths) == len(list(NOTEBOOKS.glob("*.ipynb"))) == len(set(paths))
    for path in paths:
        status, page = server(path)
        assert status == 200 and "<title>JupyterLab</title>" in page
        notebook = json.loads(server(path.replace("lab/tree", "api/contents", 1))[1])
        assert notebook["type"] == "notebook"
        first = notebook["content"]["cells"][0]["source"]
        assert f"?urlpath={path})" in first, "the lesson has another badge than README.md"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        server("api/contents/notebooks/00_no_such_lesson.ipynb")
