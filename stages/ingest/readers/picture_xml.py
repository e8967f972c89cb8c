"""Aperio ImageScope XML: ``Annotation`` > ``Regions`` > ``Region`` > ``Vertices`` > ``Vertex X Y`` (MoNuSeg).

One XML file a picture, tied by equal parts of the paths. Every region is one object; a region with ``NegativeROA="1"`` is
cut out of the objects of its annotation. The source is the annotation's ``Name``, where that is empty the ``Name`` of its
first ``Attribute`` (MoNuSAC's cell types), or ``mask`` where neither says anything:

    reader: picture_xml
    files: {image: ["Tissue Images/{case}.tif"], mask: ["Annotations/{case}.xml"], other: []}
    labels: {cell nucleus: {sources: ["*"], semantic: false}}      # "*": whatever the annotations are called

Coordinates are pixel edges of the full-resolution picture (``polygons: {pixel_centre: 0.5}``, when left out).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.ingest.blocks import Polygons
from stages.ingest.card import UNNAMED_MASK, Card
from stages.ingest.cases import Case, Found, tie_by_name
from stages.ingest.faults import Fault
from stages.ingest.gates import read_content
from stages.ingest.pictures import read_picture
from stages.ingest.polygons import PolygonError, fill_rings
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.pictured import Drawing, Patch, patch_of_rings, read_drawings

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# The attribute that ImageScope gives every annotation.
_PLACEHOLDER = "Description"


class PictureXml:
    """XML files by ``files.mask``; the module's head shows the card."""

    def find(self, card: Card, root: Path) -> Found:
        """Pairs by the parts of their paths."""
        return tie_by_name(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the picture and fill its regions."""
        shown = read_picture(source.root, case.image, source.card, source.limits.max_pixels)
        centre = (source.card.polygons or Polygons()).pixel_centre
        drawings = [drawing for mask in case.masks for drawing in _drawings(_parsed(source.root, mask.path), mask.path, centre)]
        return read_drawings(case, source, shown, drawings)


def _parsed(root: Path, path: str) -> Element:
    """The root element; entities and external references are refused, since they unpack or fetch at will.

    Raises:
        Fault: missing, damaged, or no ImageScope file.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        element = fromstring(read_content(root / path, path), forbid_dtd=True)
    except DefusedXmlException as error:
        cause = f"it declares a document type or entities ({type(error).__name__}), which annotations do not need: refused; export it again"
        raise Fault("unsafe_content", path, cause) from error
    except (ParseError, ValueError, LookupError) as error:
        raise Fault("bad_annotations", path, f"no valid XML ({error}): truncated or of another format; fetch it again") from error
    if element.tag != "Annotations":
        raise Fault("bad_annotations", path, f"its first element is <{element.tag}>, ImageScope writes <Annotations>: mend the card's reader or pattern")
    return element


def _drawings(element: Element, path: str, centre: float) -> list[Drawing]:
    """One drawing a region, in the order of the file."""
    drawings = []
    for number, annotation in enumerate(element.iter("Annotation")):
        source = _name(annotation)
        regions = [(f"Annotation {number}, region {n}", region) for n, region in enumerate(annotation.iter("Region"))]
        holes = [_ring(region, path, name) for name, region in regions if region.get("NegativeROA") == "1"]
        drawings += [Drawing(source, path, partial(_draw, region, holes, path, centre, name)) for name, region in regions if region.get("NegativeROA") != "1"]
    return drawings


def _name(annotation: Element) -> str:
    """What the annotation is called: its own name, or that of its first attribute (MoNuSAC), if ImageScope did not put it there itself."""
    attribute = annotation.find("Attributes/Attribute")
    names = [annotation.get("Name"), None if attribute is None else attribute.get("Name")]
    return next((name.strip() for name in names if name and name.strip() and name.strip() != _PLACEHOLDER), UNNAMED_MASK)


def _draw(region: Element, holes: list[np.ndarray], path: str, centre: float, name: str, shape: tuple[int, int]) -> Patch:
    patch = patch_of_rings([_ring(region, path, name)], shape, centre, path, name)
    mask, (top, left) = patch.mask, patch.corner or (0, 0)
    for ring in holes:
        try:
            hole = fill_rings([ring - [left, top]], (mask.shape[0], mask.shape[1]), centre)
        except PolygonError:
            continue  # it does not reach this region
        row, column = hole.corner
        mask[row : row + hole.mask.shape[0], column : column + hole.mask.shape[1]] &= ~hole.mask
    if not mask.any():
        raise Fault("empty_mask", path, f"{name}: regions to be left out cover all of it; take it out")
    return Patch(mask, (top, left), patch.flags)


def _ring(region: Element, path: str, name: str) -> np.ndarray:
    """Points (n, 2) as (x, y)."""
    try:
        return np.array([[float(vertex.attrib["X"]), float(vertex.attrib["Y"])] for vertex in region.iter("Vertex")]).reshape(-1, 2)
    except (KeyError, ValueError) as error:
        raise Fault("bad_annotations", path, f"{name}: a vertex without numbers X and Y ({error}); mend the file") from error
