"""``python -m stages.ingest DATASET``, or ``python -m stages.ingest --check CARD --root FOLDER`` for a new card."""

from __future__ import annotations

import argparse

from stages.core.stage import run_stage


def main(arguments: list[str] | None = None) -> None:
    """Entry of the stage."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.ingest", description="A dataset in its own format -> samples, faults as values."
    )
    parser.add_argument("dataset", nargs="?", help="key under `datasets` in params.yaml")
    parser.add_argument("--check", metavar="CARD", help="read a card and its folder, say what is found, draw one overlay; writes no data")
    parser.add_argument("--root", metavar="FOLDER", help="folder of the data, with --check")
    parser.add_argument("--overlay", metavar="PNG", default="overlay.png", help="where --check draws its overlay (default: %(default)s)")
    given = parser.parse_args(arguments)
    if bool(given.check) == bool(given.dataset) or bool(given.check) != bool(given.root):
        parser.error("give either a dataset, or --check CARD with --root FOLDER")
    if given.check:
        from stages.ingest.check import main as check

        check(given.check, given.root, given.overlay)
    else:
        from stages.ingest.run import ingest

        run_stage(f"ingest/{given.dataset}", lambda params: ingest(given.dataset, params))


if __name__ == "__main__":
    main()
