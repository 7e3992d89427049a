"""Make .venv from requirements.lock, unless it is there and made from this lock; with --site, add the site's tools.

Runs on the reader's own Python, as doctor.py does, so it must parse on an old one to say so.
"""

import sys

if not (3, 11) <= sys.version_info[:2] < (3, 14):
    sys.exit(
        "Two Towers needs Python 3.11, 3.12 or 3.13, and %s is Python %d.%d. "  # noqa: UP031
        "Install one of them, or name it: make run PYTHON=python3.12"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )

import hashlib
import os
import subprocess
import venv
from pathlib import Path

from basics import ROOT, SCRIPTS, find_lessons, write_whole

VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCK = ROOT / "requirements.lock"
SITE_LOCK = ROOT / "docs" / "requirements.lock"
STAMP = VENV / "made-from"  # written last and deleted first, so that a half-made environment is stale
SITE_STAMP = VENV / "site-made-from"


class SetUpFailed(Exception):
    """pip could not install something; the text has its last lines."""


def wanted(lock: Path) -> str:
    """Describe the environment that this lock, this Python and this folder ask for."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    return f"{digest} {sys.version_info[0]}.{sys.version_info[1]} {ROOT}\n"


def is_made(stamp: Path, lock: Path) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == wanted(lock)


def pip_install(*arguments: str, what: str, packages: int) -> None:
    """Run pip, showing one line that counts packages instead of pip's own hundreds."""
    command = [str(PYTHON), "-m", "pip", "install", "--no-deps", "--disable-pip-version-check", *arguments]
    over = "\r" if sys.stdout.isatty() else ""  # the next line goes over this one
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log, collected = [], 0
    try:
        for line in process.stdout:
            log.append(line)
            collected += line.startswith(("Collecting", "Processing"))
            state = "now unpacking" if line.startswith("Installing") else "downloaded"
            if over:
                print(f"{over}  {collected:3} of at most {packages} packages {state:20}", end="", flush=True)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if process.wait():
        raise SetUpFailed(f"pip could not install {what}; its last lines:\n" + "".join(log[-20:]))
    done = f"{collected} packages installed from {what}" if packages > 1 else f"{what} installed"
    print(f"{over}  {done:60}".rstrip(" "), flush=True)


def install_lock(lock: Path) -> None:
    packages = sum("==" in line for line in lock.read_text(encoding="utf-8").splitlines())
    pip_install("--require-hashes", "-r", str(lock), what=lock.relative_to(ROOT).as_posix(), packages=packages)


def make_environment() -> None:
    print("Making .venv from requirements.lock: about 700 MB to download, 2.6 GB on disk, once.", flush=True)
    STAMP.unlink(missing_ok=True)
    venv.create(VENV, clear=True, with_pip=True)
    install_lock(LOCK)
    pip_install("--no-build-isolation", "--editable", ".", what="recsys_utils, from this folder,", packages=1)
    write_whole(STAMP, wanted(LOCK))


def add_site_tools() -> None:
    print("Adding the site's tools to .venv: about 100 MB to download, once.", flush=True)
    install_lock(SITE_LOCK)
    write_whole(SITE_STAMP, wanted(SITE_LOCK))


def main() -> None:
    lessons = [argument for argument in sys.argv[1:] if argument != "--site"]
    find_lessons(SCRIPTS, ".py", lessons)  # refuses a LESSON that is not there, before anything is installed
    try:
        if not is_made(STAMP, LOCK):
            make_environment()
        if "--site" in sys.argv and not is_made(SITE_STAMP, SITE_LOCK):
            add_site_tools()
    except (SetUpFailed, OSError, subprocess.CalledProcessError) as error:
        print(f"\n{error}\nSet-up failed. What `make doctor` says of this machine:", flush=True)
        import doctor  # which imports us

        doctor.report(*doctor.OF_THE_MACHINE)
        sys.exit(1)


if __name__ == "__main__":
    main()
