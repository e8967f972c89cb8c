"""``python -m tests.report.screenshot``: the README's picture, metrics/report.png, taken of metrics/report/index.html in Chromium."""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.report.browser import Page, visit

PAGE, PICTURE = Path("metrics/report/index.html"), Path("metrics/report.png")
WIDTH_PX, HEIGHT_PX = 1100, 800
MOST_BYTES = 300_000
COLOURS = 128
# What is on the screen, once the pictures there are loaded.
SCREENS = ("scrollTo(0, 0)", "document.querySelector('.card').scrollIntoView(); scrollBy(0, -90)")
LOADED = "[...document.querySelectorAll('img[data-picture]')].filter((image) => image.getBoundingClientRect().top < innerHeight).every((image) => image.naturalWidth)"


async def _shots(page: Page) -> list[Image.Image]:
    """The page's first screen and the first screen of its samples."""
    await page.call("Emulation.setDeviceMetricsOverride", width=WIDTH_PX, height=HEIGHT_PX, deviceScaleFactor=1, mobile=False)
    await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    return [await _shot(page, script) for script in SCREENS]


async def _shot(page: Page, script: str) -> Image.Image:
    await page.do(script)
    await page.until(LOADED)
    with tempfile.TemporaryDirectory() as folder:
        await page.save(Path(folder, "shot.png"))
        return Image.open(io.BytesIO(Path(folder, "shot.png").read_bytes())).convert("RGB")


def side_by_side(shots: list[Image.Image], most_bytes: int = MOST_BYTES) -> bytes:
    """The screens beside each other as a PNG of few colours, shrunk until it fits into ``most_bytes``."""
    page = Image.new("RGB", (sum(shot.width for shot in shots), max(shot.height for shot in shots)))
    left = 0
    for shot in shots:
        page.paste(shot, (left, 0))
        left += shot.width
    while True:
        packed = io.BytesIO()
        page.quantize(COLOURS, dither=Image.Dither.NONE).save(packed, format="PNG", optimize=True)
        if packed.tell() <= most_bytes:
            return packed.getvalue()
        page = page.resize((page.width * 9 // 10, page.height * 9 // 10), Image.Resampling.LANCZOS)


def main() -> None:
    """Take the picture, or say what is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.report.screenshot", description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="another report (default: %(default)s)")
    page = parser.parse_args().page
    if not page.is_file():
        sys.exit(f"{page} is not there: run `dvc repro` first")
    PICTURE.write_bytes(side_by_side(visit(page.absolute().as_uri(), _shots)))
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
