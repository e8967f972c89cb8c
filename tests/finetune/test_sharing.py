"""What makes a step of a large base cheap changes nothing in it: one pass for a shared picture, pictures of like size together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.finetune.arms import Row
from stages.finetune.data import ONE_AFTER_ANOTHER, seen_once
from stages.finetune.drawing import Drawing, LikeSized
from stages.finetune.steps import due_logits
from stages.vlm.bases import base_model, base_processor
from stages.vlm.card import load_base
from stages.vlm.families import Item, training_batch
from tests.finetune.corpus import PARAMS, example
from tests.vlm.families.tiny_models import BUILDERS, save_tiny

IMAGES_PER_STEP = 3


def items_about_two_pictures() -> list[Item]:
    from PIL import Image

    first, second = Image.new("RGB", (48, 40), (90, 20, 30)), Image.new("RGB", (80, 56), (10, 120, 30))
    box = [[4, 4, 20, 20]]
    return [Item("the left lesion", first, box, "lesion"), Item("both", second, [*box, [24, 4, 30, 20]], "lesion"), Item("the right one", first, box, "lesion")]


@pytest.mark.parametrize("name", [name for name, (_, family) in BUILDERS.items() if family in ONE_AFTER_ANOTHER])
def test_a_picture_that_questions_share_is_seen_once_with_the_same_loss_and_gradients(name: str, tmp_path: Path) -> None:
    import torch
    from torch.nn import functional

    base = load_base(save_tiny(name, tmp_path / "base"))
    model, processor = base_model(base), base_processor(base)
    items = items_about_two_pictures()
    whole = training_batch(base.family, processor, items)
    once = seen_once(base.family, whole, items)
    assert once["picture_of"].tolist() == [0, 1, 0] and len(once["pixel_values"]) < len(whole["pixel_values"])
    results = []
    for batch in (whole, once):
        model.zero_grad()
        loss = functional.cross_entropy(*due_logits(model, base.family, batch))
        loss.backward()
        results.append((loss.detach(), {key: weight.grad.clone() for key, weight in model.named_parameters() if weight.grad is not None}))
    (loss, gradients), (loss_once, gradients_once) = results
    assert torch.allclose(loss, loss_once, atol=1e-6)
    assert gradients and gradients.keys() == gradients_once.keys()
    for key, gradient in gradients.items():
        assert torch.allclose(gradient, gradients_once[key], atol=1e-5), key
    assert "get_image_features" not in vars(model.model)


@pytest.mark.parametrize("name", ["smolvlm", "florence2"])
def test_other_families_batches_are_left_as_they_are(name: str, tmp_path: Path) -> None:
    base = load_base(save_tiny(name, tmp_path / "base"))
    items = items_about_two_pictures()
    batch = training_batch(base.family, base_processor(base), items)
    assert seen_once(base.family, batch, items) is batch


def test_steps_hold_pictures_of_like_size_and_every_window_what_it_held_before() -> None:
    sizes = (32, 64, 512)
    rows = []
    for number in range(40):
        asked = example(f"e{number}", f"toy/s{number}/0", "the lesion", [[1.0, 1.0, 9.0, 9.0]], "train", "CT")
        rows.append(Row([dataclasses.replace(asked, width=sizes[number % 3], height=32)], False))
    length = 20 * IMAGES_PER_STEP
    drawing = Drawing(rows, PARAMS, 5)
    like_sized = LikeSized(drawing, rows, IMAGES_PER_STEP, length, 5)
    order = [like_sized.place_of(index) for index in range(length)]
    window = 16 * IMAGES_PER_STEP
    assert sorted(order[:window]) == list(range(window)) and sorted(order[window:]) == list(range(window, length))
    mixed = {"before": 0, "now": 0}
    for first in range(0, length, IMAGES_PER_STEP):
        for name, places in (("before", range(first, first + IMAGES_PER_STEP)), ("now", order[first : first + IMAGES_PER_STEP])):
            mixed[name] += len({rows[drawing.row_at(place)].examples[0].width for place in places}) > 1
    assert mixed["now"] <= 4 < mixed["before"]
    areas = [rows[drawing.row_at(place)].examples[0].width for place in order[:window:IMAGES_PER_STEP]]
    assert areas != sorted(areas)
    assert [like_sized.place_of(index) for index in (59, 0, 31)] == [order[index] for index in (59, 0, 31)]
