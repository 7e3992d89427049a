"""Resolve pyproject.toml into requirements.lock, what the site needs beyond it, and the same pins for conda."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.11"  # of the Binder and conda environment


def read_pins(lock: str) -> list[str]:
    """List the lock's requirements ('name==version ; marker') without their hashes."""
    return [line.removesuffix("\\").strip() for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]


def environment_file(lock: str) -> str:
    """Write the conda environment that installs the lock's pins."""
    pins = "\n".join(f'      - "{pin}"' for pin in read_pins(lock))
    return f"""# For Binder and conda: the pins of requirements.lock. Written by `make lock`.
# On a Mac use `make run` instead: conda's pip would look for tensorflow-macos, which ended at TensorFlow 2.16.
name: two-towers
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={PYTHON}
  - pip
  - pip:
{pins}
      - "-e ."
"""


def resolve(*options: str) -> str:
    """Resolve pyproject.toml for every system and Python, with hashes and no index addresses."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--quiet", "--no-header"]
    command += ["--no-emit-index-url", *options]
    run = subprocess.run([sys.executable, "-m", *command], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return run.stdout


def beyond(lock: str, known: str) -> str:
    """Keep the requirements of a lock that another one does not have."""
    names = {re.split("[ =]", pin)[0] for pin in read_pins(known)}
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if block and re.split("[ =]", block)[0] not in names)


def main() -> None:
    lock = resolve("--extra", "lessons", "--extra", "dev", "--upgrade")
    (ROOT / "requirements.lock").write_text(lock, encoding="utf-8")
    site = resolve("--all-extras", "--upgrade", "--constraints", "requirements.lock")
    (ROOT / "docs" / "requirements.lock").write_text(beyond(site, lock), encoding="utf-8")
    (ROOT / "environment.yml").write_text(environment_file(lock), encoding="utf-8")


if __name__ == "__main__":
    main()
