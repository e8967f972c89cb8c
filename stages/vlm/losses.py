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
        log_chance = functional.log_softmax(logits, dim=-1)
        plain = -log_chance[~is_location].gather(1, targets[~is_location][:, None]).sum()
        if not bool(is_location.any()):
            return plain / targets.numel()
        wanted = bins[is_location].float()
        span = slice(self.first_location, self.first_location + BINS)
        grid = torch.arange(BINS, device=logits.device, dtype=torch.float32)
        soft = torch.softmax(-0.5 * ((grid[None, :] - wanted[:, None]) / self.sigma_bins) ** 2, dim=-1)
        pointing = -(soft * log_chance[is_location][:, span]).sum()
        expected = (torch.softmax(logits[is_location][:, span], dim=-1) * grid).sum(dim=-1)
        distance = ((expected - wanted).abs() / BINS).sum()
        return (plain + pointing + self.l1_weight * distance) / targets.numel()
