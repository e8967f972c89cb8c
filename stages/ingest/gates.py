"""Gates before decoding: a file that is there and not empty, not too many pixels, one page."""

from __future__ import annotations

from pathlib import Path

from stages.ingest.faults import Fault


def read_content(file: Path, path: str) -> bytes:
    """Bytes of a file that is not empty.

    Raises:
        Fault: missing or empty.
    """
    try:
        content = file.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Fault("missing_file", path, "the file is not there: fetch it or mend the table that names it") from error
    if not content:
        raise Fault("unreadable_image", path, "the file is empty (0 bytes): fetch it again")
    return content


def refuse_large(width: int, height: int, max_pixels: int, path: str) -> None:
    """The size gate, to be passed with the header's numbers before any pixel is decoded."""
    if width * height > max_pixels:
        cause = f"{width} x {height} pixels, more than ingest.max_pixels = {max_pixels}: scale it down or raise the limit"
        raise Fault("too_large", path, cause)


def require_page(page: int | None, pages: int, path: str) -> None:
    """One page, or the one that the card asks for."""
    if page is None and pages > 1:
        raise Fault("several_pages", path, f"{pages} pages: say in the card which one is meant (pictures: {{page: 0}}), or split the file")
    if (page or 0) >= pages:
        raise Fault("several_pages", path, f"the card asks for page {page}, counted from 0, and the file has {pages}: mend the card")
