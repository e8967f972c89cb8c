"""The corpus for use elsewhere, with its data sheet and Croissant metadata: ``python -m stages.export``."""

from __future__ import annotations

import argparse
import json
import logging
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from stages.core.params import ParamError, load_params
from stages.core.splits import SPLITS
from stages.core.stage import StageError
from stages.export import FORMATS, export
from stages.export.croissant import croissant
from stages.export.datasheet import datasheet, hub_card, limits
from stages.export.holdings import PIXELS, Holdings, load_holdings
from stages.export.layout import Layout, write_json
from stages.export.pictures import write_withheld
from stages.vlm.loading import LoadError

log = logging.getLogger("medground")
# What an export leaves in its folder: a folder with this file may be written anew, any other that is not empty may not.
RECEIPT = "export.json"


def main() -> None:
    """Read the command line, export, say what was written."""
    parser = argparse.ArgumentParser(prog="python -m stages.export", description=__doc__)
    parser.add_argument("--format", required=True, choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--out", required=True, type=Path, help="folder to write; emptied first when an earlier export lies in it")
    parser.add_argument("--split", default=",".join(SPLITS), help="splits, with commas between them (default: %(default)s)")
    parser.add_argument("--base", help="chat formats: card of the model that will be tuned; needed where boxes are pixels after its resize")
    parser.add_argument("--pixels", default=PIXELS[0], choices=PIXELS, help="whose pictures go along: where the licence allows it, all (for your own house), none")
    parser.add_argument("--published", help="date of publication for croissant.json, YYYY-MM-DD (default: none is stated)")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        holdings = load_holdings(load_params().datasets, wanted_splits(given.split), given.pixels)
        receipt = write_export(holdings, given.out, given.format, given.base, given.published)
    except (ParamError, StageError, FileNotFoundError, NotADirectoryError, PermissionError, LoadError) as error:
        print(f"\nexport: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    log.info(
        "%s: %d examples, %d pictures (%d left out); read %s first",
        given.out, receipt["examples"], receipt["pictures"], receipt["withheld"], given.out / "datasheet.md",
    )  # fmt: skip


def wanted_splits(given: str) -> tuple[str, ...]:
    """The named splits in their usual order.

    Raises:
        StageError: one is unknown, or none is named.
    """
    names = {name.strip() for name in given.split(",")} - {""}
    if not names or names - set(SPLITS):
        raise StageError(f"--split {given!r}: expected some of {', '.join(SPLITS)} with commas between them")
    return tuple(split for split in SPLITS if split in names)


def write_export(holdings: Holdings, out: Path, format_name: str, base: str | None = None, published: str | None = None) -> dict[str, Any]:
    """Write one export with its pages into ``out``; returns the receipt. Equal corpora give equal bytes.

    Raises:
        StageError: the folder holds something else, the date is none, or the exporter refuses.
    """
    if published is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", published):
        raise StageError(f"--published {published!r}: expected a date as YYYY-MM-DD")
    _make_room(out, format_name)
    layout = export(holdings, out, format_name, base)
    withheld = write_withheld(holdings, out / "withheld.json")
    receipt = _receipt(holdings, format_name, layout, withheld)
    write_json(out / RECEIPT, receipt)
    page = datasheet(holdings, format_name, layout, withheld)
    (out / "datasheet.md").write_text(page, encoding="utf-8")
    if format_name == "parquet":
        (out / "README.md").write_text(hub_card(holdings, page), encoding="utf-8")
    write_json(out / "croissant.json", croissant(holdings, out, format_name, layout, limits(holdings), published))
    return receipt


def _make_room(out: Path, format_name: str) -> None:
    """Empty the folder of an earlier export, finished or not; refuse one that holds anything else."""
    if out.is_dir() and any(out.iterdir()):
        if not _is_export(out / RECEIPT):
            raise StageError(f"--out {out} is not empty and holds no earlier export (no {RECEIPT} of this command): name another folder")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RECEIPT, {"format": format_name, "finished": False})


def _is_export(receipt: Path) -> bool:
    try:
        content = json.loads(receipt.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") in FORMATS and "finished" in content


def _receipt(holdings: Holdings, format_name: str, layout: Layout, withheld: int) -> dict[str, Any]:
    return {
        "format": format_name,
        "finished": True,
        "corpus": holdings.checksum,
        "splits": list(holdings.splits),
        "examples": len(holdings.examples),
        "pictures": len(holdings.pictures),
        "withheld": withheld,
        "pixels": holdings.pixels,
        "settings": layout.settings,
    }


if __name__ == "__main__":
    main()
