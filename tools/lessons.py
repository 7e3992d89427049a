"""Find and execute the lessons: what `make run` and `make notebooks` share."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
from basics import BUILD, NOTEBOOKS, ROOT, SCRIPTS, find_lessons, find_solutions, number, write_whole  # noqa: F401, for the tools
from nbclient import NotebookClient
from tqdm import tqdm

CELL_TIMEOUT = 300  # seconds


def progress_bar(cells: int) -> tqdm:
    """Count cells on the terminal, or in a log a line now and then."""
    return tqdm(total=cells, unit="cell", mininterval=0.1 if sys.stderr.isatty() else 20)


class MemoryPeak:
    """Watch a process and its children from a thread; `megabytes` is the largest sum of resident memory seen."""

    def __init__(self, pid: int) -> None:
        self.megabytes = 0.0
        self._process = psutil.Process(pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        try:
            while self._process.is_running():
                family = [self._process, *self._process.children(recursive=True)]
                self.megabytes = max(self.megabytes, sum(p.memory_info().rss for p in family) / 1e6)
                time.sleep(0.02)
        except psutil.NoSuchProcess:
            pass


class Lesson:
    """One notebook and its execution in a fresh kernel, in the folder where it lies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notebook = nbformat.read(path, as_version=4)
        self.seconds = 0.0
        self.peak_mb = 0.0

    @property
    def code_cells(self) -> int:
        return sum(cell.cell_type == "code" for cell in self.notebook.cells)

    def execute(self, on_cell: Callable[[], None]) -> None:
        """Run every cell, calling `on_cell` after each; nbclient's CellExecutionError tells of a failure."""
        client = NotebookClient(
            self.notebook,
            timeout=CELL_TIMEOUT,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,  # how the kernel cuts printed text into messages is a matter of timing
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(self.path.parent)}},
            on_cell_executed=lambda **_: on_cell(),
        )
        start = time.perf_counter()
        with client.setup_kernel():
            peak = MemoryPeak(client.km.provisioner.pid)
            try:
                for index, cell in enumerate(self.notebook.cells):
                    client.execute_cell(cell, index)
            except KeyboardInterrupt:
                psutil.Process(client.km.provisioner.pid).kill()  # at once, or it complains of our leaving
                raise
            finally:
                self.seconds = time.perf_counter() - start
                self.peak_mb = peak.megabytes
