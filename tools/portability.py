"""Run the lessons, assertions and compared outputs, on emulated processors, and print one table.

With `--in-turn` each lesson runs on one of the machines, the next lesson on the next: a third of the time.
"""

import platform
import sys

from lessons import BUILD, NOTEBOOKS, find_lessons
from trials import Trial, at_once, print_table, run_trials

# What the kernel's process is told: the kernels of OpenBLAS (NumPy, SciPy, implicit), the vector instructions of oneDNN
# (TensorFlow) and of NumPy's own loops, and the number of threads. tests/test_portability.py checks that all take hold.
MACHINES = {
    "SSE4.1, 1 thread": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    },
    "AVX, no oneDNN, 2 threads": {
        "OPENBLAS_CORETYPE": "Sandybridge",
        "ONEDNN_MAX_CPU_ISA": "AVX",  # Eigen multiplies with oneDNN's kernels even where TensorFlow does not call it
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OMP_NUM_THREADS": "2",
        "TF_NUM_INTRAOP_THREADS": "2",
        "TF_NUM_INTEROP_THREADS": "2",
    },
    "AVX2, 4 threads": {  # OpenBLAS alone takes no more than there are cores
        "OPENBLAS_CORETYPE": "Haswell",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OMP_NUM_THREADS": "4",
        "TF_NUM_INTRAOP_THREADS": "4",
        "TF_NUM_INTEROP_THREADS": "4",
    },
}


def main() -> int:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        sys.exit(f"make portability emulates x86-64 processors on one of them; this machine is {platform.machine()}")
    in_turn = "--in-turn" in sys.argv
    lessons = find_lessons(NOTEBOOKS, ".ipynb", [argument for argument in sys.argv[1:] if argument != "--in-turn"])
    folder = BUILD / "portability"
    folder.mkdir(parents=True, exist_ok=True)
    trials = [
        Trial(name, lesson, sys.executable, settings, folder)
        for machine, (name, settings) in enumerate(MACHINES.items())
        for turn, lesson in enumerate(lessons)
        if not in_turn or turn % len(MACHINES) == machine
    ]
    run_trials(trials, at_once(), "emulated machines")
    return print_table(trials)


if __name__ == "__main__":
    sys.exit(main())
