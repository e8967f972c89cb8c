"""Phrases are true of exactly their targets: checked against plain definitions, for what words leave no doubt about."""

from __future__ import annotations

import re

import numpy as np
import pytest

from stages.vlm.pretrain.batches import EVERYTHING
from stages.vlm.pretrain.language import WRITERS, set_in_frame
from stages.vlm.pretrain.nouns import GENERIC, Phrase, View
from stages.vlm.pretrain.ranks import ORDINALS
from stages.vlm.pretrain.scenes import Difficulty, Thing, form_of_mask, make_scene

SCENES = [make_scene((23, number), 96, Difficulty(8, 0.9, 0.3)) for number in range(150)]
PLAIN = f"({'|'.join(sorted(set(GENERIC)))})"


def written(kind: str, draws: int = 12) -> list[tuple[list[Thing], Phrase]]:
    """Phrases of one writer over all scenes."""
    found = []
    for number, scene in enumerate(SCENES):
        view = View(scene.things, 96, np.random.default_rng(number))
        found += [(scene.things, phrase) for _ in range(draws) if scene.things and (phrase := WRITERS[kind](view)) is not None]
    return found


def test_every_kind_of_phrase_has_a_writer_and_writes() -> None:
    assert set(EVERYTHING) == set(WRITERS)
    assert all(written(kind) for kind in WRITERS)


@pytest.mark.parametrize(("edge", "axis", "sign"), [("left", 0, 1), ("right", 0, -1), ("top", 1, 1), ("bottom", 1, -1)])
def test_an_ordinal_counts_from_the_edge_that_it_names(edge: str, axis: int, sign: int) -> None:
    checked = 0
    for things, phrase in written("extreme"):
        found = re.fullmatch(rf"the (\w+) {PLAIN} from the {edge}( in the image)?", phrase.text)
        if found and phrase.targets:
            ordered = sorted(range(len(things)), key=lambda i: sign * things[i].centre_xy_px[axis])
            assert ordered[ORDINALS.index(found.group(1))] == phrase.targets[0]
            checked += 1
        elif found:
            assert ORDINALS.index(found.group(1)) >= len(things)
    assert checked


def test_a_size_rank_is_that_of_the_areas() -> None:
    checked = 0
    for things, phrase in written("size"):
        found = re.fullmatch(rf"the (second|third) (largest|biggest|smallest) {PLAIN}", phrase.text)
        if found and phrase.targets:
            ordered = sorted(range(len(things)), key=lambda i: things[i].area_px * (1 if found.group(2) == "smallest" else -1))
            assert ordered[ORDINALS.index(found.group(1))] == phrase.targets[0]
            checked += 1
    assert checked


def test_selectors_in_a_place_choose_among_those_in_it() -> None:
    checked = 0
    for things, phrase in written("both", 60):
        found = re.fullmatch(rf"the (largest|biggest|smallest) {PLAIN} in the (upper|lower|top|bottom) (?:half|part)( of the (image|picture))?", phrase.text)
        if found:
            upper = found.group(3) in ("upper", "top")
            inside = [i for i, thing in enumerate(things) if (thing.centre_xy_px[1] < 48) == upper]
            best = (min if found.group(1) == "smallest" else max)(inside, key=lambda i: things[i].area_px)
            assert phrase.targets == (best,)
            checked += 1
    assert checked


def test_forms_hold_for_the_targets_and_clearly_fail_for_all_others_of_the_kind() -> None:
    for things, phrase in written("form"):
        if re.search(r"\b(elongated|long|narrow)\b", phrase.text) and re.search(PLAIN, phrase.text):
            assert all(things[i].elongation > 2.0 for i in phrase.targets)


def test_what_is_said_to_be_absent_has_no_target_and_what_is_there_has_one() -> None:
    assert all((phrase.kind == "none") == (not phrase.targets) for kind in WRITERS for _, phrase in written(kind))


def test_the_form_of_a_mask_is_that_of_the_figure() -> None:
    wide, disc = np.zeros((60, 60), bool), np.hypot(*(np.mgrid[:41, :41] - 20)) <= 15
    wide[20:30, 10:50] = True
    centre, elongation, solidity = form_of_mask(wide)
    assert centre == (30.0, 25.0) and elongation == pytest.approx(4.0) and solidity == pytest.approx(1.0)
    assert form_of_mask(disc)[1] == pytest.approx(1.0, abs=0.01)
    wide[25:, 28:32] = True
    assert form_of_mask(wide)[2] < 0.7


def test_a_number_takes_no_indefinite_article() -> None:
    texts = {set_in_frame("the two leftmost discs", np.random.default_rng(number)) for number in range(200)}
    assert not any(re.search(r"\ba two\b", text) for text in texts)
