"""Generic scenes: reproducible, true to their boxes, free of medicine; phrases are true of exactly their targets."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from stages.core.params import SecondRoundParams
from stages.vlm.pretrain.batches import EVERYTHING
from stages.vlm.pretrain.language import FRAMES, write_phrases
from stages.vlm.pretrain.nouns import Phrase
from stages.vlm.pretrain.scenes import Difficulty, Scene, make_scene
from stages.vlm.pretrain.shapes import KINDS, Geometry, coverage
from stages.vlm.pretrain.targets import MEASURES, RANK_LEVELS, RANKS, dense_loss, dense_targets, head_sizes, kind_names, measure_table

HARD = Difficulty(8, 0.75, 0.5)
SCENES = [make_scene((11, number), 96, HARD) for number in range(120)]


def phrases_of(number: int) -> list[Phrase]:
    return write_phrases(SCENES[number], np.random.default_rng(number), 12, EVERYTHING) if SCENES[number].things else []


def test_a_seed_gives_the_same_scene_and_phrases() -> None:
    again = make_scene((11, 3), 96, HARD)
    assert np.array_equal(again.image, SCENES[3].image)
    assert [thing.box_xyxy_px for thing in again.things] == [thing.box_xyxy_px for thing in SCENES[3].things]
    assert write_phrases(again, np.random.default_rng(3), 12, EVERYTHING) == phrases_of(3)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_shape_stays_within_the_reach_that_placing_assumes(kind: str) -> None:
    patch = coverage(kind, Geometry(48.0, 48.0, 20.0, KINDS[kind].aspects[1], 0.3, 1.0, (0.2, -0.4, 0.6, 0.1, 0.9, -0.8)), 96)
    assert patch is not None
    border = np.concatenate([patch.alpha[0], patch.alpha[-1], patch.alpha[:, 0], patch.alpha[:, -1]])
    assert border.max() < 0.5 < patch.alpha.max()


def test_boxes_hold_what_is_seen_of_their_things() -> None:
    for scene in SCENES:
        for index, thing in enumerate(scene.things):
            rows, columns = np.nonzero(scene.owner == index)
            x0, y0, x1, y1 = thing.box_xyxy_px
            if rows.size:
                assert columns.min() >= x0 and columns.max() + 1 <= x1 and rows.min() >= y0 and rows.max() + 1 <= y1


def test_the_leftmost_of_all_is_leftmost_by_a_margin() -> None:
    checked = 0
    for number, scene in enumerate(SCENES):
        for phrase in phrases_of(number):
            if phrase.kind == "extreme" and re.search(r"\bleftmost (object|shape|thing|structure|region|area)\b", phrase.text):
                target = scene.things[phrase.targets[0]].centre_xy_px[0]
                others = [thing.centre_xy_px[0] for i, thing in enumerate(scene.things) if i != phrase.targets[0]]
                assert target + 0.03 * 96 < min(others)
                checked += 1
    assert checked >= 2


def test_largest_things_are_larger_by_a_fifth() -> None:
    checked = 0
    for number, scene in enumerate(SCENES):
        for phrase in phrases_of(number):
            if phrase.kind == "size" and re.search(r"(largest|biggest) (object|shape|thing|structure|region|area)\b", phrase.text):
                areas = sorted((thing.area_px for thing in scene.things), reverse=True)
                assert scene.things[phrase.targets[0]].area_px == areas[0] >= 1.19 * areas[1]
                checked += 1
    assert checked > 3


def test_phrases_of_one_scene_are_distinct_and_point_at_existing_things() -> None:
    for number, scene in enumerate(SCENES):
        phrases = phrases_of(number)
        assert all(0 <= i < len(scene.things) for phrase in phrases for i in phrase.targets)
        assert all((phrase.kind == "none") == (not phrase.targets) for phrase in phrases)


def test_no_medical_word_is_pretrained_on() -> None:
    vocabulary = {word for number in range(len(SCENES)) for phrase in phrases_of(number) for word in re.findall(r"[a-z]+", phrase.text)}
    vocabulary |= {word for frame in FRAMES for word in re.findall(r"[a-z]+", frame)}
    labels = (Path(__file__).parents[3] / "stages/knowledge/labels.yaml").read_text(encoding="utf-8")
    names = " ".join(re.findall(r"names: \[(.*?)\]", labels))
    everyday = {
        "left",
        "right",
        "the",
        "of",
        "in",
        "a",
        "on",
        "area",
        "and",
        "white",
        "cell",
        "field",
        "tube",
        "head",
        "body",
        "tail",
        "line",
        "lead",
        "external",
        "central",
        "disc",
        "half",
        "large",
        "lower",
        "middle",
        "part",
        "small",
        "upper",
        "second",
        "third",
        "fourth",
        "structure",
    }
    assert not (vocabulary & set(re.findall(r"[a-z]+", names.lower())) - everyday)


def test_dense_targets_name_the_things_that_patches_show() -> None:
    scene: Scene = next(scene for scene in SCENES if len(scene.things) >= 3)
    dense = dense_targets(scene, 8, kind_names(()))
    assert dense["kind"].shape == (144,) and dense["box"].shape == (144, 4)
    assert set(kind_names(())[index] for index in dense["kind"]) - {""} <= {thing.kind for thing in scene.things}
    assert dense["rank"].min() >= 0 and dense["rank"].max() < RANK_LEVELS


def test_the_patches_of_a_thing_share_its_measures_and_weigh_one_together() -> None:
    scene: Scene = next(scene for scene in SCENES if len(scene.things) >= 3)
    dense, table = dense_targets(scene, 8, kind_names(())), measure_table(scene)
    assert dense["measure"].shape == (144, MEASURES) and table.shape == (len(scene.things), MEASURES)
    covered = dense["kind"] > 0
    rows = {tuple(row) for row in dense["measure"][covered]}
    assert rows <= {tuple(row) for row in table}
    assert dense["part"][covered].sum() == pytest.approx(len(rows))
    for thing, row in zip(scene.things, table, strict=True):
        assert np.exp(row[0]) * scene.owner.size == pytest.approx(thing.area_px, rel=1e-5)
        assert np.exp(row[1] - row[2]) == pytest.approx((thing.box_xyxy_px[2] - thing.box_xyxy_px[0]) / (thing.box_xyxy_px[3] - thing.box_xyxy_px[1]), rel=1e-5)


def test_the_measured_grey_level_is_that_of_the_picture_as_it_is_seen() -> None:
    scene: Scene = next(scene for scene in SCENES if len(scene.things) >= 3)
    lighter = dataclasses.replace(scene, image=np.clip(scene.image.astype(int) // 2 + 64, 0, 255).astype(np.uint8))
    seen = [scene.image[scene.owner == index].mean() for index in range(len(scene.things))]
    assert np.allclose(measure_table(scene)[:, 3] * 64 + 127.5, seen, atol=0.01)
    assert not np.allclose(measure_table(lighter)[:, 3], measure_table(scene)[:, 3], atol=0.05)


def test_wrong_measures_cost_what_their_weight_says_and_a_small_thing_as_much_as_a_large_one() -> None:
    import torch

    sizes = head_sizes(())
    kind = torch.tensor([[1, 1, 1, 1, 0]])
    targets = {
        "kind": kind, "look": torch.zeros_like(kind), "box": torch.zeros(1, 5, 4), "rank": torch.zeros(1, 5, RANKS, dtype=torch.long),
        "measure": torch.zeros(1, 5, MEASURES), "part": torch.tensor([[1 / 3, 1 / 3, 1 / 3, 1.0, 1.0]]),
    }  # fmt: skip
    plain = torch.zeros(1, 5, sum(sizes.values()))

    def cost(patch: int, second: SecondRoundParams | None) -> float:
        wrong = plain.clone()
        wrong[0, patch, -MEASURES:] = 2.0
        return float(dense_loss(wrong, targets, sizes, second) - dense_loss(plain, targets, sizes, second))

    one, three = (SecondRoundParams(0, 1.0, 1, 0, 1.0, weight) for weight in (1.0, 3.0))
    assert cost(0, None) == 0.0 and cost(4, one) == 0.0
    assert cost(3, one) == pytest.approx(1.0, abs=1e-5) and cost(3, three) == pytest.approx(3.0, abs=1e-5)
    assert sum(cost(patch, one) for patch in (0, 1, 2)) == pytest.approx(cost(3, one), abs=1e-5)
