"""The location loss prefers near bins to far ones and leaves other tokens to plain cross-entropy."""

from __future__ import annotations

import torch
from torch.nn import functional

from stages.vlm.codecs import BINS
from stages.vlm.losses import LocationLoss

FIRST = 10


def peaked_at(token: int) -> torch.Tensor:
    logits = torch.zeros(1, FIRST + BINS)
    logits[0, token] = 12.0
    return logits


def test_a_near_bin_costs_less_than_a_far_one() -> None:
    loss, target = LocationLoss(FIRST, 4.0, 2.0), torch.tensor([FIRST + 500])
    costs = [float(loss(peaked_at(FIRST + bin_), target)) for bin_ in (500, 505, 600, 990)]
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < costs[3]


def test_a_word_token_costs_its_plain_cross_entropy() -> None:
    logits, target = torch.randn(3, FIRST + BINS, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 2, 3])
    assert torch.allclose(LocationLoss(FIRST, 4.0, 2.0)(logits, target), functional.cross_entropy(logits, target), atol=1e-5)


def test_the_soft_target_sums_to_one_at_the_border() -> None:
    logits = torch.zeros(1, FIRST + BINS)
    loss = LocationLoss(FIRST, 6.0, 0.0)(logits, torch.tensor([FIRST]))
    assert abs(float(loss) - float(torch.log(torch.tensor(float(FIRST + BINS))))) < 1e-4
