"""Picture + label map of the same size.

A label map is a grey, palette or colour picture whose values are codes. Sources in the card are grey values or palette
indices (``128``), or colours (``"#ff0000"``; palette files are then read by their colours). Several values may unite in
one label, and one value may serve several labels that nest:

    reader: picture_label_map
    files: {image: ["images/{case}.jpg"], mask: ["masks/{case}.bmp"], other: []}
    labels:
      optic disc: {sources: [0, 128], semantic: true}
      optic cup: {sources: [0], semantic: true}      # 0 is a code as soon as a label names it; else it is background
    ignored_sources: [255]                           # here the background

Maps of instances, where every value but 0 is one object, have the source ``"*"``:

    labels: {gland: {sources: ["*"], semantic: false}}

Exact match is the rule. JPEG label maps blur their codes: a fault, unless the card says
``pictures: {code_tolerance: 40}``, the largest difference of a channel that still counts as a code.
``fill_outlines: true`` fills codes that are drawn as outlines.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, tie_by_name
from stages.ingest.faults import Fault
from stages.ingest.objects import ObjectMask, from_codes
from stages.ingest.picture_masks import fill_outline, read_label_map
from stages.ingest.pictures import read_picture
from stages.ingest.readers.base import Picture, Reading, Source
from stages.ingest.readers.pictured import on_image, one_mask, pictured


class PictureLabelMap:
    """One label map a picture; each label of the card becomes one (usually semantic) region, or one a value."""

    def find(self, card: Card, root: Path) -> Found:
        """Pairs by the parts of their paths."""
        return tie_by_name(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the pair; codes that the card does not know are a fault."""
        shown = read_picture(source.root, case.image, source.card, source.limits.max_pixels)
        if not case.masks:  # the card's unmasked_images lets it through
            return Reading([pictured(case, source.card, shown, [], [])], [])
        path = one_mask(case).path
        codes, names, flags = read_label_map(source.root, path, source.card, source.limits.max_pixels)
        codes, more = on_image(codes, shown.pixels.shape[:2], source.card, path)
        flags = flags + more
        try:
            objects = from_codes(codes, names, source.card, path)
        except Fault as fault:
            if fault.kind != "empty_mask" or source.card.empty_images == "fault":
                raise
            objects = []
        if source.card.fill_outlines:
            objects, flags = _filled(objects, flags, codes.shape, path)
        picture: Picture = pictured(case, source.card, shown, objects, flags)
        return Reading([picture], [])


def _filled(objects: list[ObjectMask], flags: list[str], shape: tuple[int, ...], path: str) -> tuple[list[ObjectMask], list[str]]:
    filled = []
    for item in objects:
        mask, more = fill_outline(item.whole((shape[0], shape[1])), path)
        filled.append(replace(item, mask=mask, corner=None))
        flags = flags + more
    return filled, flags
