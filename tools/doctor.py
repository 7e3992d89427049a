"""Say, a line a check, whether this machine and .venv are fit for the course, and what to do where they are not.

Runs on the reader's own Python before anything is installed, so it must parse on an old one to say so.
"""

import sys

try:
    import environment
except SystemExit as refusal:  # the Python is outside the range
    sys.exit(f"FAIL  Python: {refusal}")
except ImportError as error:
    sys.exit(
        f"FAIL  Python: {sys.executable} lacks the module {error.name}. On Debian and Ubuntu, "
        "`sudo apt install python3-venv` brings it; elsewhere, install Python from python.org"
    )

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from basics import ROOT
from lock import read_pins

GB = 1e9
DISK_GB = 5  # .venv with the site's tools takes 3.4; the rest is for downloads and for build/
TEMPORARY_GB = 2  # pip keeps the files of one installation here until it has unpacked them: 0.7 as downloaded
BUILD_GB = 1  # once .venv is made
MEMORY_GB = 2  # a lesson takes up to 1.4, the notebook's server and the browser the rest
PROBE = "tabulate"  # a small package of requirements.lock, to ask the index for
ANEW = "`rm -r .venv && make setup` makes it anew"

# Signs in pip's output of what stands between it and the index, the telling ones first.
OBSTACLES = {
    "CERTIFICATE_VERIFY_FAILED|SSLError|confirming the ssl certificate": (
        "its certificate is not trusted. Behind a company's network, name that network's certificates: "
        "pip config set global.cert FILE"
    ),
    "ProxyError|Tunnel connection failed|407 Client Error": (
        "the proxy does not let pip through. Set the right one in HTTPS_PROXY"
    ),
    "40[13] (Client )?Error": (
        "the index refuses pip. Check the name and password in your pip settings (pip config list)"
    ),
    "NewConnectionError|NameResolutionError|Failed to establish|timed out|ConnectionReset|RemoteDisconnected": (
        "no answer. Check the network, and the index in your pip settings (pip config list)"
    ),
    "No matching distribution": (
        "it answers, but lacks what requirements.lock names. Use one with every public package (pip config list)"
    ),
}

# Run by .venv's Python: which of the pins on stdin are missing or at another version there.
COMPARE = """
import sys
from importlib.metadata import PackageNotFoundError, version
from pip._vendor.packaging.requirements import Requirement

for pin in map(Requirement, sys.stdin):
    if pin.marker is None or pin.marker.evaluate():
        try:
            found = version(pin.name)
        except PackageNotFoundError:
            print(f"{pin.name} is missing")
        else:
            if not pin.specifier.contains(found, prereleases=True):
                print(f"{pin.name} is {found}, not {str(pin.specifier)[2:]}")
"""


class Unfit(Exception):
    """A check that failed; the text names what is wrong and the remedy."""


def run(*command: str | Path, seconds: int, text: str = "", **settings: str) -> subprocess.CompletedProcess:
    """Run a command, with its output in one string; after so many seconds it counts as failed."""
    try:
        return subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env=os.environ | settings,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, f"timed out after {seconds} seconds")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, str(error))


def last_line(output: str) -> str:
    """Return what an error says in the end, cut to a line."""
    return (output.strip().splitlines() or ["no message"])[-1][:200]


def check_python() -> Iterator[str]:
    if sys.maxsize < 2**32:
        raise Unfit(f"Python: {sys.executable} has 32 bits, TensorFlow needs 64. Install the 64-bit one")
    yield f"Python {platform.python_version()}"


def check_git() -> Iterator[str]:
    found = run("git", "--version", seconds=20)
    if found.returncode:
        raise Unfit("git: not found. Install it from git-scm.com; on a Mac, `xcode-select --install` brings it")
    yield found.stdout.strip()


def check_processor() -> Iterator[str]:
    system, machine = platform.system(), platform.machine().lower()
    x86 = machine in ("x86_64", "amd64")
    if system == "Darwin" and x86:
        raise Unfit("processor: TensorFlow has ended for Macs with Intel. Open the lessons in Colab or Binder")
    if system == "Windows" and not x86:
        raise Unfit("processor: TensorFlow for Windows needs an x86-64 one. Open the lessons in Colab or Binder")
    if x86 and not has_avx(system):
        raise Unfit("processor: it has no AVX, which TensorFlow needs. Open the lessons in Colab or Binder")
    yield f"processor {machine}"


def has_avx(system: str) -> bool:
    """Tell whether an x86-64 processor has AVX; true where the system does not say."""
    if system == "Windows":
        import ctypes  # not in every build of Python elsewhere

        return bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(39))  # PF_AVX_INSTRUCTIONS_AVAILABLE
    cpuinfo = Path("/proc/cpuinfo")
    return not cpuinfo.exists() or re.search(r"^flags.*\bavx\b", cpuinfo.read_text(errors="replace"), re.M) is not None


def check_disk() -> Iterator[str]:
    made = environment.is_made(environment.STAMP, environment.LOCK)
    free, needed = shutil.disk_usage(ROOT).free / GB, BUILD_GB if made else DISK_GB
    if free < needed:
        raise Unfit(
            f"disk: {free:.1f} GB free where the course lies; it needs {needed}. Free some, "
            "or move the course to a larger disk. `rm -r .venv` gives back a half-made environment's"
        )
    yield f"disk: {free:.1f} GB free, {needed} needed"


def check_temporary_folder() -> Iterator[str]:
    try:
        folder = tempfile.gettempdir()
    except OSError:
        raise Unfit("temporary folder: none can be written. Name one in TMPDIR (on Windows, TEMP)") from None
    free = shutil.disk_usage(folder).free / GB
    if free < TEMPORARY_GB:
        raise Unfit(
            f"temporary folder: {free:.1f} GB free in {folder}; pip needs {TEMPORARY_GB}. Free some, "
            "or name a folder on a larger disk in TMPDIR (on Windows, TEMP)"
        )
    yield f"temporary folder: {free:.1f} GB free, {TEMPORARY_GB} needed"


def check_memory() -> Iterator[str]:
    free = available_memory()
    if free is None:
        yield f"memory: this system does not say how much is free; {MEMORY_GB} GB needed"
    elif free / GB < MEMORY_GB:
        raise Unfit(
            f"memory: {free / GB:.1f} GB free; a lesson needs {MEMORY_GB}. Close other programs, give the container "
            "or virtual machine more, or open the lessons in Colab or Binder"
        )
    else:
        yield f"memory: {free / GB:.1f} GB free, {MEMORY_GB} needed"


def available_memory() -> float | None:
    """Return the bytes that a program can have without swapping, or None where the system does not say."""
    system = platform.system()
    if system == "Linux":
        found = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
        amounts = [int(found[1]) * 1024] if found else []
        return min(amounts + container_memory(Path("/sys/fs/cgroup")), default=None)
    if system == "Darwin":
        output = run("vm_stat", seconds=20).stdout
        size = re.search(r"page size of (\d+) bytes", output)
        pages = re.findall(r"Pages (?:free|inactive|speculative): +(\d+)", output)
        return int(size[1]) * sum(map(int, pages)) if size and pages else None
    if system == "Windows":
        import ctypes

        # MEMORYSTATUSEX: its length and a percentage in 32 bits each, then in 64 the memory, what is free, and more.
        status = (ctypes.c_uint64 * 8)(64)
        return status[2] if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else None
    return None


def container_memory(cgroup: Path) -> list[int]:
    """List what a container's limit leaves free, in bytes; empty without a limit. Reads both versions of cgroups."""
    left = []
    for limit, used, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, now = (cgroup / limit).read_text().strip(), int((cgroup / used).read_text())
            statistics = ((cgroup / limit).parent / "memory.stat").read_text()
        except OSError:
            continue
        if most != "max":  # version 1 writes a huge number instead
            cache = re.search(rf"^{cached} (\d+)", statistics, re.M)
            left.append(int(most) - now + (int(cache[1]) if cache else 0))
    return left


def check_folder() -> Iterator[str]:
    try:
        with tempfile.NamedTemporaryFile(dir=ROOT, prefix=".doctor-"):
            pass
    except OSError as error:
        raise Unfit(
            f"folder: {ROOT} cannot be written ({error.strerror}). Move the course to a folder of your own"
        ) from None
    yield "folder: can be written"


def check_index() -> Iterator[str]:
    """Make a throw-away environment as set-up would, and let its pip ask the index."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        venv = Path(folder, "venv")
        made = run(sys.executable, "-m", "venv", venv, seconds=180)
        if made.returncode:
            raise Unfit(
                f"venv: {sys.executable} cannot make an environment ({last_line(made.stdout)}). "
                "On Debian and Ubuntu, `sudo apt install python3-venv`; elsewhere, install Python from python.org"
            )
        yield "venv: makes an environment with pip"
        yield ask_index(venv / environment.PYTHON.relative_to(environment.VENV))


def ask_index(python: Path) -> str:
    """Let this Python's pip fetch one small package, by the reader's own index, proxy and certificates."""
    pins = read_pins(environment.LOCK.read_text(encoding="utf-8"))
    (pin,) = (pin for pin in pins if pin.startswith(f"{PROBE}=="))
    options = "--no-deps --no-cache-dir --disable-pip-version-check --no-input --retries 1 --timeout 15 -vv"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        asked = run(python, "-m", "pip", "download", *options.split(), "--dest", folder, pin, seconds=90)
    if asked.returncode:
        # pip's own words are not shown: they may hold the address of a private index.
        reasons = [reason for sign, reason in OBSTACLES.items() if re.search(sign, asked.stdout)]
        unknown = f"pip could not download {pin}. Try it: {Path(sys.executable).name} -m pip download {pin}"
        raise Unfit(f"package index: {(reasons or [unknown])[0]}. Only set-up needs the index")
    return f"package index: gives {pin}"


def check_environment() -> Iterator[str]:
    """Follow .venv from its folder to its TensorFlow: what comes later means nothing where the former fails."""
    if not environment.VENV.exists():
        raise Unfit(".venv: not made yet. `make setup` makes it")
    if not environment.STAMP.exists():
        raise Unfit(".venv: half made. `make setup` makes it anew")
    if not environment.is_made(environment.STAMP, environment.LOCK):
        raise Unfit(
            ".venv: made from another requirements.lock, Python or folder than this one. `make setup` makes it anew"
        )
    started = run(environment.PYTHON, "--version", seconds=60)
    if started.returncode:
        raise Unfit(f".venv: its Python does not start ({last_line(started.stdout)}). {ANEW}")
    yield ".venv: made from this requirements.lock"
    locks = [environment.LOCK]
    if environment.is_made(environment.SITE_STAMP, environment.SITE_LOCK):
        locks.append(environment.SITE_LOCK)
    pins = [pin for lock in locks for pin in read_pins(lock.read_text(encoding="utf-8"))]
    pins.append("two-towers")  # recsys_utils, from this folder
    compared = run(environment.PYTHON, "-c", COMPARE, seconds=120, text="\n".join(pins))
    if compared.returncode:
        raise Unfit(f"packages: cannot be listed ({last_line(compared.stdout)}). {ANEW}")
    wrong = compared.stdout.splitlines()
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise Unfit(f"packages: {'; '.join(wrong[:5])}{more}. {ANEW}")
    yield "packages: all at the versions of requirements.lock"
    imported = run(environment.PYTHON, "-c", "import tensorflow", seconds=180, TF_CPP_MIN_LOG_LEVEL="3")
    if imported.returncode:
        raise Unfit(f"TensorFlow: cannot be imported ({last_line(imported.stdout)}). {ANEW}")
    yield "TensorFlow: can be imported"


OF_THE_MACHINE = (
    check_python,
    check_git,
    check_processor,
    check_disk,
    check_temporary_folder,
    check_memory,
    check_folder,
    check_index,
)


def report(*checks) -> int:
    """Print a line for each thing checked; return how many failed."""
    failed = 0
    for check in checks:
        try:
            for found in check():
                print(f"OK    {found}", flush=True)
        except Unfit as trouble:
            failed += 1
            print(f"FAIL  {trouble}.", flush=True)
    return failed


def main() -> int:
    failed = report(*OF_THE_MACHINE, check_environment)
    print("All is well." if not failed else "Do what the first FAIL says, then call `make doctor` again.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
