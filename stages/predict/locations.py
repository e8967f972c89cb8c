"""Location tokens of a vocabulary: one token a coordinate, as PaliGemma, Florence-2 and the nano base have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.vlm.codecs import BoxCodec

_TOKEN = re.compile(r"<loc(_?)([0-9]+)>")
_MOST_BINS = 1024
TOKENS_PER_BOX = 4


@dataclass(frozen=True)
class Locations:
    """Token ids in the order of their bins. A box is four tokens; the third is beyond the first, the fourth beyond the second.

    That holds for x, y, x, y as well as for y, x, y, x.
    """

    ids: tuple[int, ...]

    def bin_of(self, token: int) -> int | None:
        """The bin of a token, None for any other token."""
        return self._bins.get(token)

    @property
    def _bins(self) -> dict[int, int]:
        found: dict[int, int] | None = self.__dict__.get("_bin_by_id")
        if found is None:
            found = {token: index for index, token in enumerate(self.ids)}
            object.__setattr__(self, "_bin_by_id", found)
        return found

    def bounds(self, written: Sequence[int]) -> tuple[int, int]:
        """Lowest and highest bin that may come next after the bins ``written`` so far (of all boxes).

        A near edge leaves room for the far edge, so that there is no dead end.
        """
        slot = len(written) % TOKENS_PER_BOX
        if slot < TOKENS_PER_BOX // 2:
            return 0, len(self.ids) - 2
        return written[-2] + 1, len(self.ids) - 1


def find_locations(codec: BoxCodec, tokenizer: Any) -> Locations | None:
    """The location tokens in which a codec's answers are written; None for a codec or a vocabulary without."""
    text = codec.encode([[100.0, 100.0, 900.0, 900.0]], 1000, 1000, (1000, 1000))
    found = _TOKEN.search(text)
    vocabulary = tokenizer.get_vocab()
    if found is None or found.group() not in vocabulary:
        return None
    mark, digits = found.groups()
    names = (f"<loc{mark}{index}>" if mark else f"<loc{index:0{len(digits)}d}>" for index in range(_MOST_BINS))
    return Locations(tuple(vocabulary[name] for name in names if name in vocabulary))
