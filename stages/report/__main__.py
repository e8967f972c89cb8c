"""Write the page: ``python -m stages.report``."""

from __future__ import annotations

import argparse
import logging
import shutil
from pathlib import Path

from stages.core.params import Params, load_params, require
from stages.core.stage import run_stage
from stages.report.page import render
from stages.report.record import write_record
from stages.report.tables import load_world

log = logging.getLogger("medground")
PAGE = Path("metrics/report/index.html")


def report(params: Params) -> None:
    """Render metrics/report/index.html."""
    settings = params.report
    require(settings.samples_per_gallery >= 1, "report.samples_per_gallery", "at least 1", settings.samples_per_gallery)
    require(settings.thumbnail_px >= 32, "report.thumbnail_px", "at least 32", settings.thumbnail_px)
    require(settings.max_mb >= 2, "report.max_mb", "at least 2", settings.max_mb)
    page = render(load_world(list(params.datasets)), params)
    if PAGE.parent.exists():
        shutil.rmtree(PAGE.parent)
    PAGE.parent.mkdir(parents=True)
    size = PAGE.write_bytes(page.encode("utf-8"))
    if size > settings.max_mb * 1e6:
        log.warning(
            "report: %s has %.0f MB, more than report.max_mb = %d: lower report.samples_per_gallery or report.thumbnail_px",
            PAGE, size / 1e6, settings.max_mb,
        )  # fmt: skip
    log.info("report: %s", PAGE)


def main() -> None:
    argparse.ArgumentParser(prog="python -m stages.report", description=__doc__).parse_args()
    run_stage("report", report)
    write_record(PAGE, load_params())


if __name__ == "__main__":
    main()
