"""Groups of one label and of pairs: who belongs, the union, whether "all" may be said."""

from __future__ import annotations

import dataclasses

from stages.anchor.derive import derive
from stages.core.geometry import tight_box
from stages.core.records import AnchorGroup, Sample
from stages.core.shards import read_table, write_table
from tests.anchor.scenes import PARAMS, disc, sample_of


def _groups(sample: Sample) -> list[AnchorGroup]:
    return derive(sample, PARAMS).groups


def test_a_label_with_two_anchors_has_a_group_and_one_alone_has_none() -> None:
    first, second = disc(60, 60, 15, 15, 6), disc(60, 60, 40, 30, 9)
    (group,) = _groups(sample_of([("polyp", first), ("liver", disc(60, 60, 30, 50, 5)), ("polyp", second)]))
    assert (group.group_id, group.label, group.anchor_ids) == ("toy/case/0#polyp*", "polyp", ["toy/case/0#0", "toy/case/0#2"])
    assert (group.n, group.n_crowds, group.complete) == (2, 0, True)
    assert group.box_xyxy_px == tight_box(first | second)
    assert group.area_px == (first | second).sum()


def test_the_area_of_overlapping_members_counts_every_pixel_once() -> None:
    first, second = disc(60, 60, 20, 20, 10), disc(60, 60, 28, 20, 10)
    (group,) = _groups(sample_of([("polyp", first), ("polyp", second)]))
    assert group.area_px == (first | second).sum() < first.sum() + second.sum()


def test_both_halves_of_a_pair_are_a_group_under_the_name_of_the_claim_language() -> None:
    masks = [("right lung", disc(60, 60, 15, 30, 10)), ("left lung", disc(60, 60, 45, 30, 10))]
    (group,) = _groups(sample_of(masks))
    assert (group.label, group.anchor_ids) == ("left lung|right lung", ["toy/case/0#1", "toy/case/0#0"])
    assert _groups(sample_of(masks[:1])) == []


def test_a_group_is_complete_only_where_the_source_marks_the_label_completely() -> None:
    masks = [("polyp", disc(60, 60, 15, 15, 6)), ("polyp", disc(60, 60, 40, 30, 9))]
    sample = dataclasses.replace(sample_of(masks), annotated_labels=["liver"])
    assert [group.complete for group in _groups(sample)] == [False]


def test_halves_of_a_pair_that_the_source_marks_under_one_name_are_complete() -> None:
    mask = disc(80, 120, 25, 40, 14) | disc(80, 120, 95, 44, 13)
    sample = sample_of([("kidney", mask)], semantic=True, image_left_is="patient_right")
    assert [(group.label, group.complete) for group in _groups(sample)] == [("left kidney|right kidney", True)]


def test_crowds_are_counted_because_they_make_the_number_a_lower_bound() -> None:
    sample = sample_of([("cell nucleus", disc(60, 60, 15, 15, 6)), ("cell nucleus", disc(60, 60, 40, 30, 9))])
    sample = dataclasses.replace(sample, objects=[sample.objects[0], dataclasses.replace(sample.objects[1], crowd=True)])
    (group,) = _groups(sample)
    assert (group.n, group.n_crowds) == (2, 1)


def test_groups_survive_the_table(tmp_path) -> None:
    groups = _groups(sample_of([("polyp", disc(60, 60, 15, 15, 6)), ("polyp", disc(60, 60, 40, 30, 9))]))
    write_table(tmp_path / "groups", AnchorGroup, groups)
    assert read_table(tmp_path / "groups", AnchorGroup) == groups
