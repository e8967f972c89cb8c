"""The least number of claims that single out a target."""

from __future__ import annotations

from stages.core.claims import Claim
from stages.generate.difficulty import difficulty
from tests.generate.scenes import Blob, make_scene


def _of(blobs: list[Blob], number: int, **known) -> int:
    scene = make_scene(blobs, modality="microscopy", spacing_mm=None, image_left_is=None, **known)
    anchor = scene.anchors[number]
    return difficulty(scene, (anchor.anchor_id,), (Claim("label", anchor.label),))


def test_an_object_alone_of_its_label_needs_none() -> None:
    assert _of([Blob("cell nucleus", 50, 50, 10), Blob("white blood cell", 120, 120, 30)], 0) == 0


def test_one_of_two_needs_one() -> None:
    assert _of([Blob("cell nucleus", 50, 50, 10), Blob("cell nucleus", 150, 50, 10)], 0) == 1


def test_the_middle_of_four_corners_of_equal_size_needs_two_or_more() -> None:
    corners = [Blob("cell nucleus", x, y, 10) for x in (60, 140) for y in (60, 140)]
    assert all(_of(corners, number) >= 1 for number in range(4))
    crowd = [Blob("cell nucleus", 40 + 13 * x, 40 + 13 * y, 5) for x in range(10) for y in range(10)]
    assert _of(crowd, 44) == 3


def test_for_several_or_none_the_claims_made_are_counted_without_label_and_count() -> None:
    scene = make_scene([Blob("polyp", 50, 50, 10), Blob("polyp", 150, 50, 10)], modality="endoscopy", spacing_mm=None, image_left_is=None)
    both = (Claim("label", "polyp"), Claim("count", "2", None, 2.0))
    assert difficulty(scene, tuple(a.anchor_id for a in scene.anchors), both) == 0
    assert difficulty(scene, (), (Claim("label", "polyp"), Claim("vertical", "lower"))) == 1
