"""Quality flags and filters: what is counted, what is dropped, what stands twice.

``FLAGS`` is the closed list of flags with what to do about them; figures count pictures unless the list says otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from stages.core.duplicates import fingerprint, hash_pairs, same_picture
from stages.core.params import IngestParams
from stages.core.records import Sample
from stages.ingest.objects import ObjectMask
from stages.knowledge.labels import label

SMALL = "small_objects_dropped"
LOW_COVERAGE = "low_coverage_dropped"
NOTHING_LEFT = "nothing_left_dropped"
EMPTY_DROPPED, EMPTY_KEPT = "empty_images_dropped", "empty_images_kept"
TOUCHES_FRAME, ODD_COLOUR, HOLE_FILLED = "touches_frame", "odd_colour", "hole_filled_by_other_label"
DUPLICATES, NEAR_DUPLICATES, UNMATCHED = "duplicate_images", "near_duplicate_images", "unmatched_files"

# Flag -> what it means, and what to do about it.
FLAGS = {
    SMALL: "objects (not pictures) below ingest.min_object_px: dropped; lower it when they matter",
    LOW_COVERAGE: "objects (not pictures), by kind of label, that cover less of their picture than ingest.min_coverage says: dropped",
    NOTHING_LEFT: "pictures all of whose objects were dropped by ingest.min_coverage: left out",
    EMPTY_DROPPED: "pictures in which nothing is marked, left out since the card says `drop`",
    EMPTY_KEPT: "pictures in which nothing is marked, kept since the card says `keep`",
    TOUCHES_FRAME: "a mask reaches the picture's edge: the object may go on beyond it",
    HOLE_FILLED: "a mask has a hole that another label fills: if the one lies in the other, list its source under both labels",
    "overlapping_instances": "two instances of one label share pixels: see whether the source draws them so",
    "mask_fringe": "the mask has values between background and foreground (JPEG, smoothing): set mask_threshold, 127 for JPEG",
    "grey_as_rgb": "a grey picture with three equal channels: stored as grey",
    "cmyk_converted": "a picture in printing colours, brought to RGB without its colour profile",
    "wrong_extension": "the content is of another format than the file's ending says: read by its content",
    ODD_COLOUR: "a colour picture in a set of grey ones, or the other way round: look at it, it may not belong there",
    DUPLICATES: "the same pixels as an earlier picture: take copies out, or let them be when the source means them",
    NEAR_DUPLICATES: "nearly the same picture as one of another case; the split keeps them together",
    "scaled_down": "larger than ingest.max_side_px: stored scaled down, boxes and spacing with it",
    "exif_orientation_ignored": "the file asks viewers to turn it, its mask does not: stored as the pixels lie",
    "more_than_8_bit": "brought to 8 bits by percentiles of the picture",
    "alpha_dropped": "transparency was not empty and is not kept",
    "orientation_unknown": "the header states no orientation (or the probe's), so the patient's sides stay unknown",
    "gantry_tilt": "DICOM: slices drift sideways along the stack: pictures are cut along the slices only, where nothing is distorted",
    "uneven_spacing": "DICOM: distances of the slices differ by up to a tenth; the usual one counts",
    "burned_in_annotation": "DICOM: the pixels hold text, or may (ultrasound, captures): look for names before anything is passed on",
    "lossy_compression": "DICOM: compressed with loss before",
    "no_window_in_header": "DICOM: the header asks for no window, so percentiles were taken: give one in the card",
    "open_contours_left_out": "DICOM: points and open lines of an RTSTRUCT are no areas",
    "spacing_at_detector": "DICOM: the pixel size is the detector's, so things look larger than they are, by an unknown few percent",
    "upside_down": "DICOM: the header says that the head is below: look at it, above and below are the picture's",
    "mask_resampled": "the mask had another grid or size and was brought to its image's (nearest neighbour), as the card allows",
    "oblique": "a volume turned by 5 degrees or more against the patient's axes: its pixels are kept, sides hold",
    "polygon_clipped": "an outline went beyond its picture and was cut at the edge",
    "codes_snapped": "blurred codes were brought to the nearest of the card (`pictures: {code_tolerance: ...}`)",
    UNMATCHED: "files that no pattern explains: name them under files:other, or mend a pattern",
}
# Shown in the figures also when there is none.
ALWAYS_SHOWN = (DUPLICATES, NEAR_DUPLICATES, UNMATCHED)
# A set is grey (or coloured) when at least this share of its pictures is; the rest is odd.
_MAJORITY = 0.9
_PNG_COLOUR_TYPE = 25


@dataclass(frozen=True)
class Sieved:
    """Objects that stay, objects dropped by flag (with the kind of label for coverage), and labels that lost one."""

    kept: list[ObjectMask]
    dropped: Counter[str]
    labels: set[str]


def sieve(objects: Sequence[ObjectMask], shape: tuple[int, int], limits: IngestParams) -> Sieved:
    """Drop objects below ``min_object_px`` pixels, or below their kind's ``min_coverage`` of a picture of ``shape``."""
    kept: list[ObjectMask] = []
    dropped: Counter[str] = Counter()
    labels: set[str] = set()
    for item in objects:
        area, kind = item.area_px, label(item.label).kind
        flag = SMALL if area < limits.min_object_px else None
        if flag is None and area < limits.min_coverage.get(kind, 0.0) * shape[0] * shape[1]:
            flag = f"{LOW_COVERAGE}_{kind}"
        if flag is None:
            kept.append(item)
        else:
            dropped[flag] += 1
            labels.add(item.label)
    return Sieved(kept, dropped, labels)


def frame_flags(objects: Sequence[ObjectMask], shape: tuple[int, int]) -> list[str]:
    """``touches_frame`` when a mask reaches the edge of its picture of ``shape`` (height, width)."""
    return [TOUCHES_FRAME] if any(_touches(item, shape) for item in objects) else []


def _touches(item: ObjectMask, shape: tuple[int, ...]) -> bool:
    """Whether a mask has a pixel in the first or last row or column of its picture."""
    mask, (top, left) = item.mask, item.corner or (0, 0)
    edges = (
        (top == 0, mask[:1]),
        (left == 0, mask[:, :1]),
        (top + mask.shape[0] == shape[0], mask[-1:]),
        (left + mask.shape[1] == shape[1], mask[:, -1:]),
    )
    return any(bool(at_frame and edge.any()) for at_frame, edge in edges)


def odd_ones(samples: Sequence[Sample]) -> list[str]:
    """Ids of the few colour pictures of a grey set, or of the few grey ones of a colour set; none where both are common."""
    coloured = [sample.image[_PNG_COLOUR_TYPE] == 2 for sample in samples]
    share = sum(coloured) / max(len(coloured), 1)
    if share >= _MAJORITY:
        return [sample.sample_id for sample, colour in zip(samples, coloured, strict=True) if not colour]
    if share <= 1 - _MAJORITY:
        return [sample.sample_id for sample, colour in zip(samples, coloured, strict=True) if colour]
    return []


def duplicate_flags(samples: Sequence[Sample], hashes: Sequence[int], distance: int) -> dict[str, int]:
    """How many pictures equal an earlier one, and how many are nearly one of another case.

    ``hashes`` are the perceptual hashes of the samples. A pair within ``distance`` bits counts when its thumbnails
    agree too (``core.duplicates``); slices of one volume are alike by nature and are not compared.
    """
    pairs = hash_pairs(hashes, [sample.case_id for sample in samples], distance)
    seen = Counter(hashes)
    # Equal pixels have equal hashes, although their compressed bytes may differ.
    needed = {index for pair in pairs for index in pair} | {index for index, value in enumerate(hashes) if seen[value] > 1}
    prints = {index: fingerprint((samples[index].sample_id, samples[index].image)) for index in sorted(needed)}
    copies = Counter(item.exact for item in prints.values())
    near = {later for earlier, later in pairs if prints[earlier].exact != prints[later].exact and same_picture(prints[earlier], prints[later])}
    return {DUPLICATES: sum(count - 1 for count in copies.values()), NEAR_DUPLICATES: len(near)}
