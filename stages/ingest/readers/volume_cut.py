"""From a volume and its annotation to pictures: the plane, the slices that show most, grey values, sides and flags."""

from __future__ import annotations

from collections.abc import Sequence

from stages.core.volume import Volume, plane_slice, plane_spacing
from stages.ingest.card import Card
from stages.ingest.intensity import grey_rule
from stages.ingest.readers.base import Picture, Source
from stages.ingest.slices import bounds_of, choose_slices
from stages.ingest.volume_labels import Annotation

# A grid that is turned further against the patient's axes than this is flagged ``oblique``.
OBLIQUE_FROM_DEG = 5.0
# The picture's sides are the patient's while the angle between the two is at most this; cos 30 = 0.87 of a step to the
# picture's side is then one to the patient's. Beyond it ``image_left_is`` is None.
SIDES_UP_TO_DEG = 30.0


def cut(image: Volume, annotation: Annotation, source: Source, path: str, view: str | None, incomplete: Sequence[str] = (), flags: Sequence[str] = ()) -> list[Picture]:
    """The slices of an LPS volume that become samples.

    Where the card says that the header's axes are not the patient's, the plane is known by its number alone: it names no
    plane of the body, and the sides are the card's. ``view`` goes before plane and slice number in the picture's id where a case has several images. A volume in which
    nothing is marked gives its middle slice without objects: what becomes of it is the card's ``empty_images``.

    Raises:
        Fault: the intensity rule finds nothing to see.
    """
    plane = annotation.plane
    areas = annotation.areas()
    chosen = choose_slices(areas, bounds_of(source.card, source.limits), source.limits.min_object_px) or [areas.shape[1] // 2]
    grey = grey_rule(image.array, source.card, path)
    of_body = source.card.header_sides
    return [
        Picture(
            view=f"{f'{view}-' if view else ''}{plane if of_body else 'slice'}-{index:03d}",
            pixels=grey.of(plane_slice(image.array, plane, index)),  # type: ignore[arg-type]
            spacing_mm=plane_spacing(image.spacing_mm, plane),  # type: ignore[arg-type]
            image_left_is=image_left_is(image, plane) if of_body else source.card.image_left_is,
            plane=plane if of_body else None,
            slice_index=index,
            transform=grey.transform,
            objects=annotation.objects(index),
            incomplete=list(incomplete),
            flags=[*flags, *(orientation_flags(image) if of_body else _unknown_side(source.card))],
        )
        for index in chosen
    ]


def image_left_is(image: Volume, plane: str) -> str | None:
    """Axial and coronal slices show the patient's right at the left, where the header states it and the volume is not turned too far."""
    stated = image.source_axes is not None and plane != "sagittal" and image.side_tilt_deg <= SIDES_UP_TO_DEG
    return "patient_right" if stated else None


def _unknown_side(card: Card) -> list[str]:
    return ["orientation_unknown"] if card.image_left_is is None else []


def orientation_flags(image: Volume) -> list[str]:
    """``orientation_unknown`` where the header states none, ``oblique`` where the grid is turned against the patient."""
    if image.source_axes is None:
        return ["orientation_unknown"]
    return ["oblique"] if image.oblique_deg > OBLIQUE_FROM_DEG else []
