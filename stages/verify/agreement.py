"""How far two raters agree, and how sure a share is: Cohen's kappa, Wilson's interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

# Two-sided 95%.
_Z = 1.959963984540054


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Agreement of two raters on the same items, beyond what their own frequencies give by chance.

    kappa = (p_o - p_e) / (1 - p_e), with p_o the share of items on which both say the same and p_e the sum over the
    categories of the product of both raters' shares (Cohen 1960, doi 10.1177/001316446002000104). 1 is perfect, 0 as by
    chance, -1 the least. None where it says nothing: no item, or a rater who always says the same.

    Raises:
        ValueError: the lengths differ.
    """
    if len(first) != len(second):
        raise ValueError(f"two raters of the same items: {len(first)} and {len(second)} ratings")
    shares_first, shares_second = Counter(first), Counter(second)
    if len(shares_first) < 2 or len(shares_second) < 2:
        return None
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    expected = sum(count * shares_second[category] for category, count in shares_first.items()) / n**2
    return (observed - expected) / (1 - expected)


def wilson(successes: float, n: float) -> tuple[float, float]:
    """95% interval of a share: Wilson's score interval (Wilson 1927, doi 10.1080/01621459.1927.10502953); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
