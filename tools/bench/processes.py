"""Call a part in a process of its own, so that none finds the memory or the settings of another; time a call."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def measure(function: Callable[..., dict], *arguments: object) -> dict:
    """Call a function of this folder in a new process; return what it returns."""
    module, name = function.__module__, function.__name__
    call = " ".join([f"{module.removeprefix('bench.')}.{name}", *map(str, arguments)])
    print(call, end=" ", file=sys.stderr, flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [sys.executable, str(Path(__file__).parent), module, name, json.dumps(arguments), str(result)]
        if subprocess.run(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}).returncode:
            raise SystemExit(f"{call} failed; the error stands above")
        print(f"({time.perf_counter() - start:.0f} s)", file=sys.stderr)
        return json.loads(result.read_text(encoding="utf-8"))


def median_seconds(call: Callable[[], object], runs: int) -> float:
    """Time a call so many times and return the median."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
