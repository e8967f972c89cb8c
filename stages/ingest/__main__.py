"""``python -m stages.ingest DATASET``; ``--check CARD --root FOLDER`` tries a new card, ``--schema`` prints what cards may say."""

from __future__ import annotations

import argparse

from stages.core.stage import run_stage


def main(arguments: list[str] | None = None) -> None:
    """Entry of the stage."""
    parser = argparse.ArgumentParser(prog="python -m stages.ingest", description="A dataset in its own format -> samples, faults as values.")
    parser.add_argument("dataset", nargs="?", help="key under `datasets` in params.yaml")
    parser.add_argument("--check", metavar="CARD", help="read a card and its folder, say what is found, draw one overlay; writes no data")
    parser.add_argument("--root", metavar="FOLDER", help="folder of the data, with --check")
    parser.add_argument("--limit", metavar="N", type=int, help="with --check: read only N cases, evenly spread")
    parser.add_argument("--overlay", metavar="PNG", default="overlay.png", help="where --check draws its overlay (default: %(default)s)")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of cards (data/cards/schema.json)")
    parser.add_argument("--manual", metavar="READER", help="print what a reader understands, with an example")
    parser.add_argument("--tables", action="store_true", help="print the tables of data/cards/README.md")
    given = parser.parse_args(arguments)
    chosen = [bool(given.check), bool(given.dataset), given.schema, bool(given.manual), given.tables]
    if chosen.count(True) != 1 or bool(given.check) != bool(given.root):
        parser.error("give a dataset, or --check CARD with --root FOLDER, or one of --schema, --manual READER, --tables")
    if given.limit is not None and (given.limit < 1 or not given.check):
        parser.error("--limit needs --check and a number from 1")
    if given.schema or given.manual or given.tables:
        print(_documentation(given), end="")
    elif given.check:
        from stages.ingest.check import main as check

        check(given.check, given.root, given.overlay, given.limit)
    else:
        from stages.ingest.run import ingest

        run_stage(f"ingest/{given.dataset}", lambda params: ingest(given.dataset, params))


def _documentation(given: argparse.Namespace) -> str:
    from stages.core.params import ParamError
    from stages.ingest.schema import reader_manual, readme_tables, schema_text

    try:
        return schema_text() if given.schema else readme_tables() if given.tables else reader_manual(given.manual)
    except ParamError as error:
        raise SystemExit(f"ingest: {error}") from error


if __name__ == "__main__":
    main()
