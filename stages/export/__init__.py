"""The corpus in the formats that others read, each with its data sheet and Croissant metadata.

An exporter is a plain function in a file of its own: it writes below a folder and says where the records are. Formats
are this dict and ``chat-<family>`` for every family of ``stages.vlm.families``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stages.core.stage import StageError
from stages.export.chat import export_chat
from stages.export.coco import export_coco
from stages.export.holdings import Holdings
from stages.export.layout import Layout
from stages.export.parquet import export_parquet
from stages.export.refcoco import export_refcoco
from stages.vlm.families import FAMILIES

CHAT = "chat-"
EXPORTERS: dict[str, Callable[[Holdings, Path], Layout]] = {
    "coco": export_coco,
    "refcoco": export_refcoco,
    "parquet": export_parquet,
}
FORMATS = (*EXPORTERS, *(CHAT + name for name in FAMILIES))


def export(holdings: Holdings, out: Path, format_name: str, base: str | None = None) -> Layout:
    """Write the corpus in a format of ``FORMATS``. ``base``: model card, for chat formats.

    Raises:
        StageError: the format is unknown, or takes no base; see the exporters.
    """
    if format_name not in FORMATS:
        raise StageError(f"--format {format_name!r} is unknown; there are {', '.join(FORMATS)}")
    if format_name.startswith(CHAT):
        return export_chat(holdings, out, format_name.removeprefix(CHAT), base)
    if base is not None:
        raise StageError(f"--base belongs to chat formats: {format_name} depends on no model; leave it out")
    return EXPORTERS[format_name](holdings, out)
