"""Picture + label map of the same size (palette indices, grey codes or colours)."""

from __future__ import annotations

from pathlib import Path

from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.files import Case, Found, tie_by_name
from stages.ingest.objects import from_codes
from stages.ingest.pictures import open_picture, read_label_map, to_8bit
from stages.ingest.readers.base import Picture, Reading, Source


class PictureLabelMap:
    """One label map a picture; each label of the card becomes one (usually semantic) region."""

    def find(self, card: Card, root: Path) -> Found:
        """Pairs by the parts of their paths."""
        return tie_by_name(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the pair; codes that the card does not know are a fault."""
        if len(case.masks) > 1:
            raise Fault(
                "several_masks", case.image, f"{len(case.masks)} label maps fit this image, expected one: narrow the card's mask pattern"
            )
        pixels, transform, flags = to_8bit(open_picture(source.root, case.image, source.limits.max_pixels), case.image)
        if not case.masks:  # the card's unmasked_images says that nothing is there
            return Reading(
                [Picture(case.view, pixels, case.spacing_mm, source.card.image_left_is, source.card.plane, None, transform, [], flags=flags)], []
            )
        path = case.masks[0].path
        codes, names = read_label_map(source.root, path, source.limits.max_pixels)
        if codes.shape != pixels.shape[:2]:
            raise Fault(
                "mask_size",
                path,
                f"label map {codes.shape[::-1]} against image {pixels.shape[1::-1]} (width, height): export it at the image's size",
            )
        objects = from_codes(codes, names, source.card, path)
        picture = Picture(case.view, pixels, case.spacing_mm, source.card.image_left_is, source.card.plane, None, transform, objects, flags=flags)
        return Reading([picture], [])
