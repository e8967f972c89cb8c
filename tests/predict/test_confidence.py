"""Scores by hand: which tokens belong to a box, and what comes out of their chances."""

from __future__ import annotations

import pytest
import torch

from stages.predict.confidence import box_scores
from stages.predict.locations import Locations
from stages.predict.steering import Steering


def ends_of(pieces: list[str]) -> list[int]:
    return [len("".join(pieces[: n + 1])) for n in range(len(pieces))]


def test_a_box_of_location_tokens_is_the_product_of_its_places_and_its_mark() -> None:
    pieces = ["<box>", "<loc_1>", "<loc_2>", "<loc_30>", "<loc_40>", "<box>", "<loc_5>", "<loc_6>", "<loc_70>", "<loc_80>", ""]
    chances = [0.9, 0.5, 0.5, 1.0, 0.8, 0.25, 1.0, 1.0, 1.0, 0.5, 0.7]
    assert box_scores("".join(pieces), ends_of(pieces), chances, 2) == pytest.approx([0.9 * 0.5 * 0.5 * 0.8, 0.25 * 0.5])


def test_digits_multiply_and_the_last_of_three_is_left_out() -> None:
    pieces = ['[{"bbox_2d": [', "1", "2", "3", ", ", "4", "5", ", ", "6", "7", "8", ", ", "9", "0", "9", '], "label": "target"}]', ""]
    chances = [0.8, 0.5, 0.4, 0.01, 1, 0.5, 1.0, 1, 1, 1, 0.01, 1, 1, 1, 0.01, 1, 1]
    assert box_scores("".join(pieces), ends_of(pieces), chances, 1) == pytest.approx([0.8 * (0.5 * 0.4) * 0.5])


@pytest.mark.parametrize(
    "text", ["(12,34),(56,78)", "[[12, 34, 56, 78]]", "<loc0012><loc0034><loc0056><loc0078> x", "<patch_index_0044><patch_index_0863>", '{"box_2d": [1, 2, 3, 4]}']
)
def test_the_numbers_of_every_syntax_are_found(text: str) -> None:
    assert box_scores(text, [len(text)], [0.5], 1) != [0.5] or "patch" not in text
    every = list(range(1, len(text) + 1))
    chances = [0.5 if sign.isdigit() and text[:place].count("_2") == 0 or sign in "<>" else 1.0 for place, sign in enumerate(text)]
    assert 0 < box_scores(text, every, chances, 1)[0] < 1


def test_an_answer_whose_boxes_cannot_be_told_gets_the_mean_of_the_whole() -> None:
    assert box_scores("box at 1 2 3", [5, 12], [0.25, 1.0], 2) == pytest.approx([0.5, 0.5])
    assert box_scores("none", [4], [0.25], 0) == []


def test_the_chance_of_a_location_token_is_that_of_its_neighbourhood() -> None:
    locations = Locations(tuple(range(2, 102)))  # 100 bins: five on either side are the same place
    steering = Steering(None, locations, prompt_length=3)
    logits = torch.full((2, 103), -30.0)
    logits[0, [2 + 10, 2 + 15, 2 + 16]] = torch.log(torch.tensor([0.5, 0.3, 0.2]))
    logits[1, [0, 1]] = torch.log(torch.tensor([0.7, 0.3]))
    chosen = steering(torch.zeros(2, 3, dtype=torch.int64), logits).argmax(dim=-1)
    assert chosen.tolist() == [12, 0]
    (first, second) = steering.traces(chosen[:, None], end_id=102)
    assert first.chances == pytest.approx([0.8], abs=1e-5)
    assert second.chances == pytest.approx([0.7], abs=1e-5)
    assert first.steered == [False]


def test_an_answer_is_opened_by_the_family_whatever_the_model_says() -> None:
    steering = Steering(None, None, prompt_length=1, opening=[4])
    logits = torch.zeros(1, 6)
    logits[0, 2] = 5.0
    assert int(steering(torch.zeros(1, 1, dtype=torch.int64), logits).argmax()) == 4
    assert int(steering(torch.zeros(1, 2, dtype=torch.int64), logits).argmax()) == 2
    assert steering.traces(torch.tensor([[4, 2]]), end_id=5)[0].steered == [True, False]
