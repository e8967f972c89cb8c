"""ImageScope XML: regions, holes, and XML that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.readers.reading import boxes_of, faults_of, masks_of, samples_of
from tests.ingest.sources import card_content, grey, save


def card(**changes: Any) -> dict[str, Any]:
    files = {"image": ["{case}.tif"], "mask": ["{case}.xml"], "other": []}
    labels = {"cell nucleus": {"sources": ["*"], "semantic": False}}
    return card_content(**({"reader": "picture_xml", "files": files, "labels": labels, "annotated_labels": ["cell nucleus"]} | changes))


def region(points: list[tuple[float, float]], negative: int = 0) -> str:
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in points)
    return f'<Region Id="1" NegativeROA="{negative}"><Vertices>{vertices}</Vertices></Region>'


def square(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def write(root: Path, *regions: str, name: str = "") -> None:
    save(root / "a.tif", grey())
    text = f'<Annotations MicronsPerPixel="0.25"><Annotation Id="1" Name="{name}"><Regions>{"".join(regions)}</Regions></Annotation></Annotations>'
    (root / "a.xml").write_text(text)


def test_every_region_is_an_object_and_negative_ones_are_cut_out(tmp_path: Path) -> None:
    far = region(square(50, 30, 58, 38), negative=1)
    write(tmp_path / "root", region(square(10, 5, 20, 15)), region(square(30, 5, 40, 15)), region(square(12, 7, 15, 10), negative=1), far)
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("cell nucleus", 0): [10, 5, 20, 15], ("cell nucleus", 1): [30, 5, 40, 15]}
    assert [mask.sum() for mask in masks_of(sample).values()] == [100 - 9, 100]


def test_the_annotations_name_is_the_source_where_it_has_one(tmp_path: Path) -> None:
    write(tmp_path / "root", region(square(10, 5, 20, 15)), name="Nucleus")
    (sample,) = samples_of(tmp_path, card(labels={"cell nucleus": {"sources": ["Nucleus"], "semantic": False}}))
    assert sample.objects[0].label_source == "Nucleus"
    (fault,) = faults_of(tmp_path, card(labels={"cell nucleus": {"sources": ["nuclei"], "semantic": False}}))
    assert fault.kind == "unknown_label"


def test_a_thin_region_keeps_its_siblings_but_the_label_is_no_longer_complete(tmp_path: Path) -> None:
    write(tmp_path / "root", region(square(10, 5, 20, 15)), region([(1.1, 1.1), (1.2, 1.1), (1.2, 1.2)]))
    (sample,) = samples_of(tmp_path, card())
    assert len(sample.objects) == 1 and sample.annotated_labels == []
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == "empty_mask" and "Annotation 0, region 1" in fault.cause


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("<Annotations><Annotation>", "bad_annotations", "no valid XML"),
        ("<svg/>", "bad_annotations", "<svg>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Annotations>&b;</Annotations>', "unsafe_content", "refused"),
        ('<Annotations><Annotation><Regions><Region><Vertex X="1"/></Region></Regions></Annotation></Annotations>', "no_object", "numbers X and Y"),
    ],
)
def test_xml_that_is_damaged_or_dangerous_is_a_fault(tmp_path: Path, text: str, kind: str, word: str) -> None:
    write(tmp_path / "root")
    (tmp_path / "root/a.xml").write_text(text)
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == kind and word in fault.cause
