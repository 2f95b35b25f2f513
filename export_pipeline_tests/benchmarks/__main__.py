"""What the project promises of its speed: `python -m export_pipeline_tests.benchmarks NAME`."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console

from export_pipeline_tests.benchmarks import archive, crash, quota, receiver, scale, transfer

BENCHMARKS: Mapping[str, tuple[Callable[[], dict[str, Any]], Callable[[Any, Console], None]]] = {
    "receiver": (receiver.measure, receiver.show),
}
WITH_OPTIONS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "archive": archive.main,
    "crash": crash.main,
    "quota": quota.main,
    "scale": scale.main,
    "transfer": transfer.main,
}
"""Those that read their own options and print by themselves."""


def main() -> None:
    """Run one benchmark; print a table, or with `--json` one object."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in WITH_OPTIONS:
        WITH_OPTIONS[name](rest)
        return
    parser = argparse.ArgumentParser(prog="python -m export_pipeline_tests.benchmarks")
    parser.add_argument("name", choices=[*BENCHMARKS, *WITH_OPTIONS])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args([name, *rest])
    measure, show = BENCHMARKS[options.name]
    result = measure()
    if options.json:
        print(json.dumps(result))
    else:
        show(result, Console())


if __name__ == "__main__":
    main()
