"""Resolve pyproject.toml into requirements.lock, and write the same pins to environment.yml."""

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


def main() -> None:
    command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--all-extras", "--generate-hashes", "--quiet"]
    command += ["--no-header", "--no-emit-index-url", "--upgrade", "--output-file", "requirements.lock"]
    subprocess.run([sys.executable, "-m", *command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (ROOT / "environment.yml").write_text(environment_file(lock), encoding="utf-8")


if __name__ == "__main__":
    main()
