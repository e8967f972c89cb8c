"""The dense auxiliary: patches show the smallest object, ranks are told only where the whole class is known."""

from __future__ import annotations

import dataclasses

import numpy as np

from stages.core.records import Example
from stages.finetune.augment import STAY, Placement
from stages.finetune.dense import RANK_LEVELS, RANKS, UNKNOWN, KnownObject, dense_loss, dense_targets, known_objects, rank_levels

LEFT, RIGHT, LARGE = [10.0, 40.0, 20.0, 50.0], [70.0, 10.0, 90.0, 40.0], [0.0, 0.0, 100.0, 100.0]


def example(number: int, label: str, boxes: list[list[float]], n_same_label: int) -> Example:
    fields = {field.name: "" for field in dataclasses.fields(Example) if field.default is dataclasses.MISSING}
    own = {"example_id": f"s~{number}", "sample_id": "s", "label": label, "boxes_xyxy_px": boxes, "n_same_label": n_same_label}
    return Example(**{**fields, **own, "width": 100, "height": 100, "claim_kinds": []})


def test_a_box_shared_with_a_pair_keeps_the_label_of_its_half() -> None:
    row = [example(0, "left kidney|right kidney", [LEFT, RIGHT], 2), example(1, "left kidney", [LEFT], 1), example(2, "right kidney", [RIGHT], 1)]
    labels = sorted({one.label for one in row})
    assert {(labels[known.label - 1], known.complete) for known in known_objects(row, labels)} == {("left kidney", True), ("right kidney", True)}


def test_a_class_of_which_a_member_was_never_asked_for_has_no_ranks() -> None:
    known = known_objects([example(0, "vessel", [LEFT], 3), example(1, "vessel", [RIGHT], 3)], ["vessel"])
    assert [one.complete for one in known] == [False, False]
    assert (rank_levels(known, np.array([one.box_xyxy_px for one in known])) == UNKNOWN).all()


def test_ranks_count_the_members_before_and_after() -> None:
    objects = [KnownObject(1, RIGHT, True), KnownObject(1, LEFT, True), KnownObject(2, LARGE, True)]
    levels = rank_levels(objects, np.array([RIGHT, LEFT, LARGE]))
    assert levels[0].tolist() == [1, 0, 0, 1, 1, 0]  # one to its left, none to its right; none above; one smaller
    assert levels[1].tolist() == [0, 1, 1, 0, 0, 1]
    assert levels[2].tolist() == [0] * RANKS


def test_a_patch_shows_the_smallest_object_that_covers_it() -> None:
    objects = [KnownObject(2, LARGE, True), KnownObject(1, RIGHT, True), KnownObject(1, LEFT, True)]
    labels, places = dense_targets(objects, STAY, 100, 100, 10)
    assert labels.reshape(10, 10)[2, 8] == 1 and labels.reshape(10, 10)[9, 9] == 2
    assert np.allclose(places.reshape(10, 10, -1)[2, 8, :4], [0.7, 0.1, 0.9, 0.4])


def test_a_class_that_lost_a_member_at_the_border_has_no_ranks_but_a_mirrored_one_has_them_exchanged() -> None:
    objects = [KnownObject(1, RIGHT, True), KnownObject(1, LEFT, True)]
    _, places = dense_targets(objects, Placement(1.0, 0.3, 0.0, False), 100, 100, 10)
    assert (places.reshape(10, 10, -1)[4, 4, 4:] == UNKNOWN).all()
    _, places = dense_targets(objects, Placement(1.0, 0.0, 0.0, True), 100, 100, 10)
    assert places.reshape(10, 10, -1)[4, 8, 4:6].tolist() == [1, 0]


def test_the_loss_is_small_for_the_right_answer_and_finite_without_objects() -> None:
    import torch

    labels, places = dense_targets([KnownObject(1, RIGHT, True), KnownObject(1, LEFT, False)], STAY, 100, 100, 10)
    labels, places = torch.from_numpy(labels)[None], torch.from_numpy(places)[None]
    wanted = places[..., 4:].long()
    ranks = torch.nn.functional.one_hot(wanted.clamp(min=0), RANK_LEVELS).flatten(2) * 20.0
    right = torch.cat([torch.nn.functional.one_hot(labels, 2) * 20.0, places[..., :4], ranks], dim=-1)
    assert float(dense_loss(right, labels, places)) < 1e-3
    assert float(dense_loss(right.roll(1, dims=-1), labels, places)) > 1
    assert torch.isfinite(dense_loss(right, labels * 0, places))
