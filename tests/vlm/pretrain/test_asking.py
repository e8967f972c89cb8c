"""Medical pictures in pretraining: class names only, true counts, and boxes that follow the picture when it moves."""

from __future__ import annotations

import dataclasses

import numpy as np

from stages.vlm.pretrain.asking import augmented, name_phrases, names_of
from stages.vlm.pretrain.pool import Picture
from stages.vlm.pretrain.scenes import Scene, Thing

SIDE = 64


def picture(boxes: dict[str, list[tuple[int, int, int, int]]], may_flip: bool = True, **changes: object) -> Picture:
    """Bright rectangles on black, one thing each."""
    image, owner, things = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE), -1, np.int16), []
    for label, many in boxes.items():
        for x0, y0, x1, y1 in many:
            image[y0:y1, x0:x1], owner[y0:y1, x0:x1] = 255, len(things)
            centre, box = ((x0 + x1) / 2, (y0 + y1) / 2), (float(x0), float(y0), float(x1), float(y1))
            things.append(Thing(label, "", "bright", "plain", 255.0, 1.2, 1.0, -1, box, (x1 - x0) * (y1 - y0), centre))
    whole = Picture(Scene(image, owner, things), ("nerve",), frozenset(), may_flip)
    return dataclasses.replace(whole, **changes)


def asked(one: Picture) -> dict[str, tuple[int, ...]]:
    """All phrases of many draws, by their words."""
    phrases = [phrase for seed in range(60) for phrase in name_phrases(one, one.scene, np.random.default_rng(seed), 6)]
    return {phrase.text: phrase.targets for phrase in phrases}


def test_one_is_asked_for_by_its_name_several_as_all_of_them_and_what_is_absent_too() -> None:
    texts = asked(picture({"heart": [(4, 4, 20, 20)], "vessel": [(30, 30, 40, 40), (44, 44, 50, 50)]}))
    assert texts["the heart"] == (0,)
    assert all(targets == (1, 2) for text, targets in texts.items() if "vessel" in text)
    assert texts["the nerve"] == ()


def test_both_halves_of_a_pair_go_by_the_pairs_name() -> None:
    texts = asked(picture({"left kidney": [(40, 30, 50, 40)], "right kidney": [(10, 30, 20, 40)]}))
    assert texts["both kidneys"] == (0, 1) and texts["the left kidney"] == (0,)


def test_a_class_with_a_crowd_is_not_asked_for() -> None:
    one = picture({"cell nucleus": [(4, 4, 20, 20)], "vessel": [(30, 30, 40, 40)]}, uncounted=frozenset({"cell nucleus"}))
    assert not any("nucle" in text for text in asked(one))


def test_a_label_without_an_entry_is_called_by_itself() -> None:
    assert names_of("zonule", "one") == ["zonule"] and names_of("zonule", "many") == ["zonules"]
    assert "nuclei" in names_of("cell nucleus", "many")


def test_boxes_and_owners_follow_the_picture() -> None:
    one = picture({"vessel": [(8, 20, 24, 30), (40, 36, 52, 56)]})
    shares = []
    for seed in range(40):
        scene = augmented(one, np.random.default_rng(seed))
        for index, thing in enumerate(scene.things):
            rows, columns = np.nonzero(scene.owner == index)
            found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert np.allclose(found, thing.box_xyxy_px, atol=1.5)
            shares.append(thing.area_px / rows.size)
            x, y = (int(value) for value in thing.centre_xy_px)
            assert scene.image[y, x].mean() > 150
    # Whole pixels round single areas by up to a seventh here.
    assert abs(np.mean(shares) - 1) < 0.03 and min(shares) > 0.8 and max(shares) < 1.25


def test_sides_of_a_patient_are_never_exchanged() -> None:
    one = picture({"left kidney": [(44, 30, 54, 40)], "right kidney": [(10, 30, 20, 40)]}, may_flip=False)
    for seed in range(40):
        left, right = augmented(one, np.random.default_rng(seed)).things
        assert left.centre_xy_px[0] > right.centre_xy_px[0]
