"""Answer loss for location tokens: soft targets over neighbouring bins and the distance of the expected coordinate.

Plain cross-entropy treats the bin beside the right one as being as wrong as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stages.vlm.codecs import BINS


@dataclass(frozen=True)
class LocationLoss:
    """``first_location`` is the id of <loc_0>; ``sigma_bins`` the Gaussian's width; ``l1_weight`` of the distance term."""

    first_location: int
    sigma_bins: float
    l1_weight: float

    def __call__(self, logits: Any, targets: Any) -> Any:
        """Mean loss of ``logits`` (n, vocabulary) against token ids ``targets`` (n,); a scalar in float32."""
        import torch
        from torch.nn import functional

        logits = logits.float()
        bins = targets - self.first_location
        is_location = (bins >= 0) & (bins < BINS)
        plain = functional.cross_entropy(logits[~is_location], targets[~is_location], reduction="sum")
        if not bool(is_location.any()):
            return plain / targets.numel()
        wanted = bins[is_location].float()
        located = logits[is_location]
        places = located[:, self.first_location : self.first_location + BINS]
        grid = torch.arange(BINS, device=logits.device, dtype=torch.float32)
        soft = torch.softmax(-0.5 * ((grid[None, :] - wanted[:, None]) / self.sigma_bins) ** 2, dim=-1)
        # The soft targets add up to one, so the normaliser of all tokens leaves their sum whole.
        pointing = located.logsumexp(dim=-1).sum() - (soft * places).sum()
        expected = torch.softmax(places, dim=-1) @ grid
        distance = ((expected - wanted).abs() / BINS).sum()
        return (plain + pointing + self.l1_weight * distance) / targets.numel()
