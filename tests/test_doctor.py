"""`make doctor` on a broken environment of each kind: the line that fails, and the remedy in it."""

import ast
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from http.server import SimpleHTTPRequestHandler
from types import SimpleNamespace
from unittest.mock import Mock

import doctor
import environment
import pytest
from lessons import ROOT
from lock import read_pins

(PROBE,) = (pin for pin in read_pins(environment.LOCK.read_text(encoding="utf-8")) if pin.startswith("tabulate=="))
Usage = SimpleNamespace


def said(check):
    """Return what a check prints, and how many of its lines are a FAIL."""
    lines = []
    try:
        lines += [f"OK    {line}" for line in check()]
    except doctor.Unfit as trouble:
        return [*lines, f"FAIL  {trouble}."]
    return lines


def fails(check):
    """Return the last line of a check, which has to fail."""
    *_, last = said(check)
    assert last.startswith("FAIL  "), last
    assert "\n" not in last
    return last


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The commands in a folder of their own, whose .venv is the environment of these tests, as set-up leaves it."""
    root = tmp_path / "two towers"
    (root / "notebooks" / "scripts").mkdir(parents=True)
    (root / "docs").mkdir()
    for name in ("Makefile", "requirements.lock", "docs/requirements.lock"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    venv = root / ".venv"
    monkeypatch.setattr(doctor, "ROOT", root)
    for name, value in {
        "ROOT": root,
        "VENV": venv,
        "PYTHON": venv / environment.PYTHON.relative_to(environment.VENV),
        "LOCK": root / "requirements.lock",
        "SITE_LOCK": root / "docs" / "requirements.lock",
        "STAMP": venv / "made-from",
        "SITE_STAMP": venv / "site-made-from",
    }.items():
        monkeypatch.setattr(environment, name, value)
    environment.PYTHON.parent.mkdir(parents=True)
    give_python(f'exec "{sys.executable}" "$@"')
    environment.STAMP.write_text(environment.wanted(environment.LOCK), encoding="utf-8")
    return root


def give_python(line):
    if os.name == "nt":
        pytest.skip("the Python of a made-up .venv is a shell script: on Windows, .venv is not checked")
    environment.PYTHON.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    environment.PYTHON.chmod(0o755)


@pytest.fixture
def index(serve, tmp_path, monkeypatch):
    """Return a function that starts a package index with one package, and points pip at it and at nothing else."""
    name, version = PROBE.split("==")
    wheel = f"{name}-{version}-py3-none-any.whl"
    folder = tmp_path / "site" / "simple" / name
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel}">{wheel}</a>', encoding="utf-8")
    with zipfile.ZipFile(folder / wheel, "w") as archive:
        about = f"{name}-{version}.dist-info"
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    for setting in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(setting)
    for setting in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(setting, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    def start(**options):
        server = serve(**options)
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
        return server

    return start


def run_doctor(root, **settings):
    return subprocess.run(
        [sys.executable, root / "tools" / "doctor.py"],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_sound_environment_is_ok_in_every_line(project, index):
    index()
    result = run_doctor(project)
    *lines, last = result.stdout.splitlines()
    assert result.returncode == 0 and result.stderr == "", result
    assert all(line.startswith("OK    ") for line in lines) and last == "All is well.", result.stdout
    told = "Python git processor disk temporary memory folder venv package .venv packages TensorFlow".split()
    assert [line.split()[1].rstrip(":") for line in lines] == told


def test_one_failure_fails_the_command_and_the_other_checks_go_on(project, index, monkeypatch):
    index()
    environment.STAMP.unlink()
    result = run_doctor(project)
    *lines, last = result.stdout.splitlines()
    assert result.returncode == 1
    assert [line for line in lines if not line.startswith("OK    ")] == [
        "FAIL  .venv: half made. `make setup` makes it anew."
    ]
    assert len(lines) == 10 and "make doctor" in last


@pytest.mark.parametrize("name", ["doctor.py", "environment.py"])
def test_an_old_python_can_read_it_and_is_told_which_ones_will_do(name, project, tmp_path):
    path = project / "tools" / name
    source = path.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    old = project / "tools" / "environment.py"
    text = old.read_text(encoding="utf-8")
    old.write_text(text.replace("import sys\n", "import sys\nsys.version_info = (3, 9, 1)\n", 1), encoding="utf-8")
    result = subprocess.run([sys.executable, path], capture_output=True, text=True)
    assert result.returncode == 1 and result.stdout == "" and result.stderr.count("\n") == 1, result
    assert "3.11, 3.12 or 3.13" in result.stderr and "Python 3.9" in result.stderr
    assert result.stderr.startswith("FAIL  Python: ") == (name == "doctor.py")


def test_a_python_without_venv_is_told_where_to_find_it(project, tmp_path):
    (project / "tools" / "venv.py").write_text("raise ModuleNotFoundError(name='venv')", encoding="utf-8")
    result = run_doctor(project)
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result
    assert "lacks the module venv" in result.stderr and "apt install python3-venv" in result.stderr


def test_a_python_that_cannot_make_an_environment_is_told_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "venv.py").write_text("raise SystemExit('ensurepip is not available')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    line = fails(doctor.check_index)
    assert line.startswith("FAIL  venv: ") and "(ensurepip is not available). On Debian" in line
    assert "apt install python3-venv" in line


def test_a_python_of_32_bits_is_refused(monkeypatch):
    monkeypatch.setattr(doctor.sys, "maxsize", 2**31 - 1)
    assert "Install the 64-bit one" in fails(doctor.check_python)


def test_git_is_missed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git: not found. Install it" in fails(doctor.check_git)


@pytest.mark.parametrize(
    ("system", "machine", "avx", "problem"),
    [
        ("Linux", "x86_64", False, "no AVX"),
        ("Darwin", "x86_64", True, "Macs with Intel"),
        ("Windows", "ARM64", True, "x86-64"),
        ("Linux", "x86_64", True, None),
        ("Linux", "aarch64", False, None),
        ("Darwin", "arm64", False, None),
        ("Windows", "AMD64", True, None),
    ],
)
def test_a_processor_without_tensorflow_is_told(system, machine, avx, problem, monkeypatch):
    monkeypatch.setattr(doctor.platform, "system", lambda: system)
    monkeypatch.setattr(doctor.platform, "machine", lambda: machine)
    monkeypatch.setattr(doctor, "has_avx", lambda system: avx)
    if problem:
        line = fails(doctor.check_processor)
        assert problem in line and "Colab or Binder" in line
    else:
        assert said(doctor.check_processor) == [f"OK    processor {machine.lower()}"]


@pytest.mark.parametrize(("flags", "expected"), [("fpu avx avx2", True), ("fpu sse4_2 avxx", False)])
def test_avx_is_read_among_the_flags(flags, expected, monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text(f"model name: avx\nflags\t\t: {flags}\n", encoding="utf-8")
    monkeypatch.setattr(doctor, "Path", lambda path: tmp_path / "cpuinfo")
    assert doctor.has_avx("Linux") is expected


def test_a_full_disk_is_told_with_what_is_needed(project, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(free=3e9))
    assert said(doctor.check_disk) == ["OK    disk: 3.0 GB free, 1 needed"], "once .venv is made, little more is needed"
    environment.STAMP.unlink()
    line = fails(doctor.check_disk)
    assert "3.0 GB free" in line and "it needs 5. Free some" in line and "rm -r .venv" in line


def test_a_full_temporary_folder_is_told_by_its_name(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(free=0.5e9))
    line = fails(doctor.check_temporary_folder)
    assert f"0.5 GB free in {tmp_path}" in line and "TMPDIR" in line
    monkeypatch.setattr(doctor.tempfile, "gettempdir", Mock(side_effect=FileNotFoundError("none usable")))
    assert "none can be written. Name one in TMPDIR" in fails(doctor.check_temporary_folder)


def test_too_little_memory_is_told_and_unknown_memory_passes(monkeypatch):
    monkeypatch.setattr(doctor, "available_memory", lambda: 1.2e9)
    line = fails(doctor.check_memory)
    assert "1.2 GB free; a lesson needs 2. Close other programs" in line
    monkeypatch.setattr(doctor, "available_memory", lambda: None)
    assert "does not say" in said(doctor.check_memory)[0]


def test_memory_here_is_what_psutil_says():
    import psutil

    free = doctor.available_memory()
    assert free is not None and free <= psutil.virtual_memory().available * 1.1


def test_memory_of_a_mac_is_read_from_vm_stat(monkeypatch):
    pages = (
        "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
        "Pages free:                               10000.\n"
        "Pages active:                            400000.\n"
        "Pages inactive:                           90000.\n"
        "Pages speculative:                          500.\n"
    )
    monkeypatch.setattr(doctor.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(doctor, "run", lambda *command, seconds: SimpleNamespace(stdout=pages))
    assert doctor.available_memory() == 16384 * 100500
    monkeypatch.setattr(doctor, "run", lambda *command, seconds: SimpleNamespace(stdout="vm_stat: not found"))
    assert doctor.available_memory() is None


@pytest.mark.parametrize("limit", ["3000000000", "max"])
def test_the_limit_of_a_container_counts(limit, tmp_path):
    for name, text in {
        "memory.max": limit,
        "memory.current": "2500000000",
        "memory.stat": "file 9\ninactive_file 7\n",
    }.items():
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
    assert doctor.container_memory(tmp_path) == ([500000007] if limit != "max" else [])


def test_the_limit_of_a_container_of_the_older_kind_counts(tmp_path):
    (tmp_path / "memory").mkdir()
    for name, text in {
        "memory.limit_in_bytes": "3000000000",
        "memory.usage_in_bytes": "2500000000",
        "memory.stat": "inactive_file 1\ntotal_inactive_file 7",
    }.items():
        (tmp_path / "memory" / name).write_text(text, encoding="utf-8")
    assert doctor.container_memory(tmp_path) == [500000007]


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "ROOT", tmp_path / "gone")  # root may write into a folder that is only read-only
    line = fails(doctor.check_folder)
    assert "gone cannot be written" in line and "Move the course" in line
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert said(doctor.check_folder) == ["OK    folder: can be written"]
    assert list(tmp_path.iterdir()) == []


class Refusing(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.send_error(403)

    def log_message(self, *arguments):
        pass


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def refused():
    """Return what is told of the index, asked by the pip of these tests, when it does not give the package."""
    with pytest.raises(doctor.Unfit) as trouble:
        doctor.ask_index(sys.executable)
    return str(trouble.value)


def test_an_index_that_is_unreachable_is_told_without_its_address(index, monkeypatch):
    index()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://somebody:secret@127.0.0.1:{free_port()}/simple")
    line = fails(doctor.check_index)
    assert line.startswith("FAIL  package index: no answer. Check the network"), line
    assert "somebody" not in line and "secret" not in line and "127.0.0.1" not in line


def test_a_proxy_that_does_not_answer_is_told(index, monkeypatch):
    index()
    monkeypatch.setenv("PIP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("PIP_INDEX_URL", "https://192.0.2.1/simple")  # an address for documentation, which nobody has
    assert "package index: the proxy does not let pip through. Set the right one" in refused()


def test_a_certificate_that_is_not_trusted_is_told(index, make_certificate):
    index(certificate=make_certificate(days=2))
    line = refused()
    assert "package index: its certificate is not trusted" in line and "global.cert" in line


def test_an_index_that_refuses_is_told(index):
    index(handler=Refusing)
    assert "package index: the index refuses pip. Check the name and password" in refused()


def test_an_index_that_lacks_a_pinned_version_is_told(index):
    shutil.rmtree(index().folder / "simple")
    assert "package index: it answers, but lacks what requirements.lock names" in refused()


def test_an_unknown_trouble_of_pip_names_the_command_to_try(index, monkeypatch):
    index()
    monkeypatch.setattr(doctor, "OBSTACLES", {})
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port()}/simple")
    assert f"-m pip download {PROBE}" in refused()


def test_environments_that_are_not_whole_are_told_apart(project):
    environment.STAMP.write_text("another lock", encoding="utf-8")
    assert "made from another requirements.lock, Python or folder" in fails(doctor.check_environment)
    environment.STAMP.unlink()
    assert "half made. `make setup`" in fails(doctor.check_environment)
    shutil.rmtree(environment.VENV)
    assert "not made yet. `make setup`" in fails(doctor.check_environment)


def test_an_environment_whose_python_is_gone_is_told(project):
    environment.PYTHON.unlink()
    line = fails(doctor.check_environment)
    assert "its Python does not start" in line and "rm -r .venv && make setup" in line


def test_a_missing_package_is_told(project, monkeypatch):
    more = "no-such-package==1.0 \\\n    --hash=sha256:0\nnot-for-us==1.0 ; sys_platform == 'beos' \\\n"
    environment.LOCK.write_text(environment.LOCK.read_text(encoding="utf-8") + more, encoding="utf-8")
    environment.STAMP.write_text(environment.wanted(environment.LOCK), encoding="utf-8")
    line = fails(doctor.check_environment)
    assert "packages: no-such-package is missing. `rm -r .venv && make setup` makes it anew" in line


def test_a_package_at_another_version_is_told(project, tmp_path, monkeypatch):
    fake = tmp_path / "other" / "tabulate-0.1.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: tabulate\nVersion: 0.1\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(fake.parent))
    line = fails(doctor.check_environment)
    assert f"packages: tabulate is 0.1, not {PROBE.split('==')[1]}. `rm -r .venv" in line


def test_packages_that_cannot_be_listed_are_told(project):
    give_python('[ "$1" = --version ] || { echo "no module named pip"; exit 1; }')
    line = fails(doctor.check_environment)
    assert "packages: cannot be listed (no module named pip). `rm -r .venv" in line


def test_a_tensorflow_that_does_not_load_is_told(project, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tensorflow.py").write_text("raise ImportError('libc is too old')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    line = fails(doctor.check_environment)
    assert "TensorFlow: cannot be imported (ImportError: libc is too old). `rm -r .venv" in line


def test_a_set_up_that_fails_shows_what_the_doctor_finds(project, index, monkeypatch):
    shutil.rmtree(environment.VENV)
    index()
    result = subprocess.run(
        ["make", "run"], cwd=project, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True
    )
    assert result.returncode
    assert "pip could not install requirements.lock; its last lines:" in result.stdout
    after = result.stdout.partition("Set-up failed. What `make doctor` says of this machine:\n")[2].splitlines()
    assert [line.split()[0] for line in after] == ["OK"] * 9, result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert not (project / ".venv" / "made-from").exists()


def test_a_set_up_that_cannot_make_a_folder_shows_what_the_doctor_finds(project, index):
    shutil.rmtree(environment.VENV)
    environment.VENV.write_text("a file where .venv should be", encoding="utf-8")
    index()
    result = subprocess.run([sys.executable, project / "tools" / "environment.py"], capture_output=True, text=True)
    assert result.returncode == 1 and "Traceback" not in result.stderr, result.stderr
    assert "Set-up failed." in result.stdout and "OK    disk" in result.stdout
