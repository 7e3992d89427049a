"""Run the solutions of the exercises with nbval, as many side by side as the machine bears, and print one table."""

import sys

from lessons import BUILD, NOTEBOOKS, find_lessons, find_solutions, number
from trials import Trial, at_once, print_table, run_trials


def main() -> int:
    lessons, solutions = (find(NOTEBOOKS, ".ipynb", sys.argv[1:]) for find in (find_lessons, find_solutions))
    without = sorted({*map(number, lessons)} - {*map(number, solutions)})
    if without:
        print(f"Lessons without solutions: {', '.join(without)}", flush=True)
    if not solutions:
        return 0
    folder = BUILD / "solutions"
    folder.mkdir(parents=True, exist_ok=True)
    trials = [Trial("solutions", solution, sys.executable, {}, folder) for solution in solutions]
    run_trials(trials, at_once(), "solutions")
    return print_table(trials)


if __name__ == "__main__":
    sys.exit(main())
