"""How sure a model was of each box: from the chances of the tokens that its characters came from.

score = (the least chance among the tokens that lead to the box) * (the product of its coordinates' chances)

The tokens that lead to a box stand between the box before and its first number: whether there is a (further) box is
decided by one of them, the others are syntax that is all but certain. A coordinate's chance is that of its place to
about a hundredth: a location token counts together with the bins near it (``steering.NEAR_SHARE``); of a number that
is written digit by digit the last of three or more digits is left out, the others are multiplied (chain rule); a number
that is one token counts as it is. So the score is the model's chance of a box about there, in [0, 1]. Scores rank the
answers of one contender; those of codecs with and without location tokens are not comparable.

Where the characters of the boxes cannot be told (an answer that was mended), every box gets the geometric mean of the
whole answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

# A number that stands for itself, or the token of a place. "bbox_2d" holds none, nor does "T12".
_NUMBER = r"(?:(?<![A-Za-z0-9_.])-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_])|<(?:loc_?|patch_index_)[0-9]+>)"
_BETWEEN = r"[\s,;()\[\]]*"
_FOUR = re.compile(_BETWEEN.join([f"({_NUMBER})"] * 4))
_FINE_DIGITS = 3
_PATCHES = re.compile(rf"({_NUMBER})({_NUMBER})")


def box_scores(text: str, ends: Sequence[int], chances: Sequence[float], n_boxes: int) -> list[float]:
    """A score per box of an answer.

    Args:
        text: the answer.
        ends: for each token, how many characters of the text are written once it is.
        chances: the chance of each token.
        n_boxes: how many boxes the codec found.
    """
    boxes = _number_spans(text, n_boxes)
    if boxes is None:
        return [_geometric_mean(chances)] * n_boxes
    scores, before = [], 0
    for spans in boxes:
        leading = _tokens_of((before, spans[0][0]), ends)
        numbers = [_tokens_of(span, ends) for span in spans]
        places = [math.prod(chances[token] for token in _leading_digits(tokens)) for tokens in numbers]
        taken = set().union(*numbers)
        announced = min((chances[token] for token in leading if token not in taken), default=1.0)
        scores.append(min(1.0, announced * math.prod(places)))
        before = spans[-1][1]
    return scores


def _number_spans(text: str, n_boxes: int) -> list[list[tuple[int, int]]] | None:
    """(start, end) of the numbers of each box, or None where they cannot be told for certain."""
    pattern = _PATCHES if "<patch_index_" in text else _FOUR
    found = list(pattern.finditer(text))
    if len(found) != n_boxes:
        return None
    return [[match.span(number) for number in range(1, pattern.groups + 1)] for match in found]


def _tokens_of(span: tuple[int, int], ends: Sequence[int]) -> list[int]:
    """Tokens that wrote a character of the span."""
    start, stop = span
    begins = [0, *ends[:-1]]
    return [token for token, (first, last) in enumerate(zip(begins, ends, strict=True)) if first < stop and last > start]


def _leading_digits(tokens: list[int]) -> list[int]:
    """Tokens of a number without its last digit, where it is written in three tokens or more."""
    return tokens[:-1] if len(tokens) >= _FINE_DIGITS else tokens


def _geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean logarithm; 0 where a value is 0, and for no values."""
    if not values or min(values) <= 0:
        return 0.0
    return min(1.0, math.exp(math.fsum(math.log(value) for value in values) / len(values)))


def written_ends(tokenizer: Any, tokens: Sequence[int], skipped: set[int]) -> list[int]:
    """For each token, the number of characters of the answer that are written once it is; ``skipped`` ids write none."""
    kept: list[int] = []
    ends = []
    for token in tokens:
        if token not in skipped:
            kept.append(token)
        ends.append(len(tokenizer.decode(kept, skip_special_tokens=False)) if kept else 0)
    return ends
