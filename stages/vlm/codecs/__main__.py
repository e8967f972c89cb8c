"""``python -m stages.vlm.codecs``: measure what each box format can reach, write metrics/codecs.json, print the table."""

from __future__ import annotations

import argparse

from stages.vlm.codecs.ceiling import METRICS, printed_table, write_metrics


def main() -> None:
    """Write the metrics file, unless only the table is asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m stages.vlm.codecs", description=__doc__)
    parser.add_argument("--table", action="store_true", help=f"only print the table of {METRICS}")
    if not parser.parse_args().table:
        write_metrics()
    try:
        print(printed_table())
    except FileNotFoundError as error:
        raise SystemExit(f"codecs: {error}") from error


if __name__ == "__main__":
    main()
