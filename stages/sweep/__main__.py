"""Experiments over a grid of parameters, side by side: ``python -m stages.sweep --name sweep --over finetune.lora.rank=4,8``.

An experiment that is there is not run again, so the same command goes on where a sweep was stopped. ``--table`` prints
the table of the last sweep from its tracked file, metrics/sweep.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from stages.core.stage import StageError
from stages.sweep.grid import experiments_of
from stages.sweep.running import check_workspace, last_words, log_of, missing, run_all
from stages.sweep.shown import shown_experiments
from stages.sweep.table import columns_of, printed_sweep, write_sweep

INTERRUPTED = 130


def main() -> None:
    """Run what the arguments ask for; status 1 where an experiment failed."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        if given.table:
            print(printed_sweep(given.markdown))
            return
        failed = sweep(given)
        print(printed_sweep(markdown=given.markdown))
    except StageError as error:
        print(f"\nsweep: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except KeyboardInterrupt as error:
        print("\nsweep: stopped; the same command goes on with what is missing", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from error
    if failed:
        raise SystemExit(1)


def sweep(given: argparse.Namespace) -> list[str]:
    """Run what is missing, write the table of what is there; names of the experiments that failed.

    Raises:
        StageError: an argument cannot be read, tracked files are changed, or no experiment succeeded.
    """
    experiments = experiments_of(given.name, given.over, given.set)
    todo = missing(experiments, shown_experiments())
    if todo:
        check_workspace()
    ended = run_all(todo, given.jobs, given.target)
    found = shown_experiments()
    failed = [name for name, status in ended.items() if status != 0 or name not in found]
    for name in failed:
        print(f"\n{name} failed (status {ended[name]}), {log_of(name)} ends with:\n{last_words(name)}", file=sys.stderr)
    print(f"\n{len(experiments) - len(failed)} of {len(experiments)} experiments are there; dvc exp show --only-changed", file=sys.stderr)
    write_sweep(experiments, found, columns_of(given.contender, given.reference))
    return failed


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="sweep", help="first part of the experiments' names (default: %(default)s)")
    parser.add_argument("--over", action="append", default=[], metavar="KEY=A,B", help="a parameter and its values; several make a grid")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter that all experiments share")
    parser.add_argument("--jobs", type=int, default=2, help="experiments at once (default: %(default)s)")
    parser.add_argument("--target", action="append", default=[], metavar="STAGE", help="run no further than this stage (default: everything)")
    parser.add_argument("--contender", default="tuned", help="whose figures the table shows (default: %(default)s)")
    parser.add_argument("--reference", default="base", help="whom it is compared with (default: %(default)s)")
    parser.add_argument("--table", action="store_true", help="print the table of the last sweep and run nothing")
    parser.add_argument("--markdown", action="store_true", help="print it as GitHub Markdown")
    given = parser.parse_args(words)
    if given.jobs < 1:
        parser.error("--jobs: at least 1")
    if not given.table and not given.over:
        parser.error("give --over KEY=A,B, or --table")
    return given


if __name__ == "__main__":
    main()
