"""Measure everything, take a quick look (with the argument 1), or be the process of one part for `measure`.

With the argument `sequences`, and perhaps a folder of them, measure the sequence protocol alone. With `develop`, the
name of a tower, perhaps that folder, and changes such as `dropout=0.5`, train it for choosing its settings.
"""

import json
import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # not this folder, which is a package of that one
    if sys.argv[1:2] == ["sequences"]:
        from bench.sequence_plan import write_sequences

        write_sequences(*sys.argv[2:3])
        return
    if sys.argv[1:2] == ["develop"]:
        from bench.sequence_plan import print_development

        print_development(*sys.argv[2:])
        return
    if len(sys.argv) == 5:
        module, function, arguments, path = sys.argv[1:]
        result = getattr(import_module(module), function)(*json.loads(arguments))
        Path(path).write_text(json.dumps(result), encoding="utf-8")
        return
    if sys.argv[1:] not in ([], ["1"]):
        raise SystemExit(f"bench is given {' '.join(sys.argv[1:])}; expected nothing, 1, sequences or develop")
    from bench.plan import FULL, QUICK, benchmark
    from bench.report import write

    for report in benchmark(QUICK if sys.argv[1:] == ["1"] else FULL):
        text = write(report)
    print(text)


if __name__ == "__main__":
    main()
