"""Run lessons with nbval in other environments, and lay the outcome out in one table."""

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from lessons import CELL_TIMEOUT, ROOT, number
from tabulate import tabulate
from tqdm import tqdm

MEMORY_GB = 2  # that a lesson in its kernel may need, with some room
# Settings of the machine we run on, which would decide what an emulated machine is for itself.
OF_THIS_MACHINE = ("OPENBLAS_", "ONEDNN_", "DNNL_", "NPY_", "OMP_", "MKL_", "TF_", "TWO_TOWERS_")
COLOUR = re.compile(r"(#x1B|\x1b)\[[0-9;]*m")  # pytest's XML spells the escape character out


def environment_with(settings: dict[str, str]) -> dict[str, str]:
    """Return our own environment with these settings in the place of this machine's."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_MACHINE)}
    return ours | settings


@dataclass
class Trial:
    """One lesson in one environment. `failures` maps a failing cell to its error; None before the trial has run."""

    column: str
    lesson: Path
    python: str
    settings: dict[str, str]
    folder: Path
    failures: dict[str, str] | None = None
    again: bool = False
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def report(self) -> Path:
        return self.folder / f"{self.lesson.stem} {self.column}.xml"

    @property
    def verdict(self) -> str:
        if self.failures:
            return ", ".join(self.failures)
        return "ok alone" if self.again else "ok"

    def start(self) -> None:
        self.report.unlink(missing_ok=True)
        options = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT}", "--color=no", "-q"]
        options += ["-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--junitxml={self.report}"]
        self.process = subprocess.Popen(
            [self.python, "-m", "pytest", str(self.lesson), *options],
            env=environment_with(self.settings),
            cwd=self.lesson.parent,
            stdin=subprocess.DEVNULL,
            stdout=self.report.with_suffix(".log").open("w"),
            stderr=subprocess.STDOUT,
        )

    def finish(self) -> None:
        self.failures = {}
        code = self.process.wait()
        cases = xml.etree.ElementTree.parse(self.report).iter("testcase") if self.report.exists() else []
        for case in cases:
            problems = [*case.findall("failure"), *case.findall("error")]
            error = "\n".join(COLOUR.sub("", problem.text or problem.get("message")) for problem in problems)
            if problems:
                self.failures[case.get("name").lower()] = error
            # After an assertion or an output that differs, later cells still mean something; after an error, nothing.
            if problems and "AssertionError" not in error and "Cell outputs differ" not in error:
                break
        if code and not self.failures:
            log = self.report.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
            self.failures[f"exit {code}"] = "\n".join(log.splitlines()[-20:])


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def at_once() -> int:
    """Return how many lessons run side by side: one for each core, as far as memory reaches."""
    return max(1, min(cores(), int(psutil.virtual_memory().available / 1e9 / MEMORY_GB)))


def run_trials(trials: list[Trial], side_by_side: int, what: str) -> None:
    """Run all trials; what fails beside others runs once more by itself, since lessons assert on speed too."""
    with tqdm(total=len(trials), unit="lesson", desc=what, mininterval=0.1 if sys.stderr.isatty() else 60) as progress:
        _run(trials, side_by_side, progress)
        if side_by_side > 1:
            again = [trial for trial in trials if trial.failures]
            progress.total += len(again)
            for trial in again:
                trial.again = True
            _run(again, 1, progress)


def _run(trials: list[Trial], side_by_side: int, progress: tqdm) -> None:
    waiting, running = list(trials), []
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                running.append(waiting.pop(0))
                running[-1].start()
            time.sleep(0.1)
            for trial in [trial for trial in running if trial.process.poll() is not None]:
                running.remove(trial)
                trial.finish()
                progress.update()
    except KeyboardInterrupt:  # the terminal has told pytest too; it takes its kernel down
        for trial in running:
            try:
                trial.process.wait(10)
            except subprocess.TimeoutExpired:
                trial.process.kill()
        raise


def print_table(trials: list[Trial]) -> int:
    """Print one table, a row for each lesson, a column for each environment, and the errors below; return the code."""
    columns = list(dict.fromkeys(trial.column for trial in trials))
    verdicts = {(trial.lesson, trial.column): trial.verdict for trial in trials}
    lessons = sorted({trial.lesson for trial in trials})
    rows = [[number(lesson), *(verdicts.get((lesson, column), "–") for column in columns)] for lesson in lessons]
    print("\n" + tabulate(rows, ["lesson", *columns], disable_numparse=True))
    if any(trial.verdict == "ok alone" for trial in trials):
        print("ok alone: failed while another lesson ran beside it, and passed when it ran again by itself")
    for trial in trials:
        for cell, error in trial.failures.items():
            print(f"\n=== {trial.lesson.name}, {cell}, {trial.column} ===\n{error}")
    failed = sum(bool(trial.failures) for trial in trials)
    return 1 if failed else 0
