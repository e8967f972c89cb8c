"""The blocks of a card: files, labels, tables, intensities, and what single readers need to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LabelSource:
    """How the source marks one canonical label.

    ``sources`` are grey values, palette indices, colours ("#ff0000"), file-name parts or class names; several unite
    into one object. ``semantic`` is true when one mask may hold several objects, false when it is one object. The
    source ``"*"`` is every value of a label map that no other entry names, background apart; with ``semantic: false``
    each such value is one instance.
    """

    sources: list[Any]
    semantic: bool


@dataclass(frozen=True)
class FilePatterns:
    """Paths below the root, with ``{part}`` or ``{part:regex}`` for what varies and ``*`` for anything; the first that fits wins.

    Parts that images and masks share tie them together. ``{case}`` is needed; ``{patient}`` and ``{view}`` are taken
    up when present; in mask patterns ``{label}`` is the structure. ``other`` are known files that are no data.
    """

    image: list[str]
    mask: list[str]
    other: list[str]


@dataclass(frozen=True)
class CropTable:
    """Masks that are cropped to their object, placed by the columns of a CSV table (pixels of the whole image)."""

    table: str
    image: str
    mask: str
    label: str
    top: str
    left: str
    width: str
    height: str
    resolution: str


@dataclass(frozen=True)
class ImageTable:
    """A CSV table with one row per image. ``image`` is the column that names it: its path, the end of its path, or its name.

    ``patient`` and ``licence`` are columns or null, and may be left out (then the pattern's ``{patient}`` and the card's
    licence count). ``split`` is the column of the official split, ``pixel_mm`` that of the pixel size (square pixels, in mm). With
    ``by: case`` (instead of file) the image column holds the ``{case}`` of the image's path. ``delimiter`` separates the
    columns.
    """

    table: str
    image: str
    patient: str | None = None
    licence: str | None = None
    split: str | None = None
    pixel_mm: str | None = None
    by: str = "file"
    delimiter: str = ","


@dataclass(frozen=True)
class Intensity:
    """How grey values become 8 bit.

    ``kind``: stored (as they are; wider pictures by percentiles), window (CT: ``level`` and ``width`` in HU, or the
    name of a window of ``knowledge/windows.yaml`` as ``preset``), percentiles (``low`` and ``high`` in percent, of the
    whole volume) or header (DICOM: the window that the file asks for, percentiles with a flag where it has none).
    """

    kind: str
    preset: str | None = None
    level: float | None = None
    width: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SlicePolicy:
    """Which slices of a volume become samples, where the set needs other numbers than ``ingest`` in params.yaml.

    ``per_volume`` and ``per_label`` are upper bounds; two chosen slices lie at least ``min_gap`` slices apart.
    """

    per_volume: int | None = None
    per_label: int | None = None
    min_gap: int | None = None


@dataclass(frozen=True)
class RawPicture:
    """Pictures without a header: every image file is ``width`` x ``height`` grey values, row by row from the top.

    ``dtype`` is uint8, uint16, int16 or float32; ``byte_order`` big or little; ``header_bytes`` are skipped.
    """

    width: int
    height: int
    dtype: str
    byte_order: str
    header_bytes: int = 0


@dataclass(frozen=True)
class PictureFiles:
    """What picture files need said.

    ``page``: which page of multi-page images is meant, from 0 (without it such a file is a fault; masks have one page). ``inverted``: high
    values are dark. ``code_tolerance``: label maps whose codes are blurred by JPEG; a pixel takes the nearest code of
    the card when no channel differs by more than this (255: always the nearest). ``raw``: see there.
    """

    page: int | None = None
    inverted: bool = False
    code_tolerance: int | None = None
    raw: RawPicture | None = None


@dataclass(frozen=True)
class Polygons:
    """Where the centre of the first pixel lies in the source's coordinates: 0.5 (pixel edges are whole numbers) or 0.0."""

    pixel_centre: float = 0.5


@dataclass(frozen=True)
class LabelMe:
    """``image_data``: a picture that is not there as a file may come from the copy inside the JSON file."""

    image_data: bool = False


@dataclass(frozen=True)
class ContourText:
    """Text files of contour points, one ``x y`` or ``x,y`` a line; an empty line begins another contour.

    ``pixel_centre`` as in ``Polygons``. Over volumes the mask pattern has a ``{slice}`` of digits; ``first_slice`` is
    the number of the first slice (lowest z for axial slices).
    """

    pixel_centre: float = 0.0
    first_slice: int = 0


@dataclass(frozen=True)
class RunLengths:
    """Masks as run lengths in a CSV table, one object a row: columns of the image and of the runs, the label's (or null).

    The image column holds a path, a file name, or one without its ending. ``order``: columns (pixels are counted down
    each column, as Kaggle does) or rows. ``start``: number of the first pixel, 0 or 1. ``positions``: absolute, or
    relative (each start counts from the end of the run before). ``empty``: what the column says where nothing is marked.
    """

    table: str
    image: str
    runs: str
    label: str | None
    order: str
    start: int
    positions: str = "absolute"
    empty: list[str] | None = None


@dataclass(frozen=True)
class Arrays:
    """Names of the arrays of an NPZ file. ``mask`` may lie in the image's file, or in one of its own (``files.mask``).

    ``axes`` of the image: yx, yxc (colours last) or zyx (a volume, z from the feet up). ``spacing`` is the array with
    the pixel size in mm, in the order of the axes without c.
    """

    image: str
    mask: str
    axes: str
    spacing: str | None = None
