"""Measure everything, take a quick look (with the argument 1), or be the process of one part for `measure`.

With the argument `sequences`, and perhaps a folder of them, measure the sequence protocol alone.
"""

import json
import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # not this folder, which is a package of that one
    if len(sys.argv) == 5:
        module, function, arguments, path = sys.argv[1:]
        result = getattr(import_module(module), function)(*json.loads(arguments))
        Path(path).write_text(json.dumps(result), encoding="utf-8")
        return
    if sys.argv[1:2] == ["sequences"]:
        from bench.sequence_plan import write_sequences

        write_sequences(sys.argv[2] if len(sys.argv) > 2 else None)
        return
    from basics import BUILD

    from bench.plan import FULL, QUICK, benchmark
    from bench.report import markdown

    report = benchmark(QUICK if sys.argv[1:] == ["1"] else FULL)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = markdown(report)
    (BUILD / "bench.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
