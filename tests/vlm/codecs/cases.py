"""Images with boxes, and texts that nearly are answers, for the property tests of all codecs."""

from __future__ import annotations

from hypothesis import strategies as st

from stages.vlm.codecs import CODECS

SEEN = (504, 336)
NAMES = sorted(CODECS)
BOX_NAMES = [name for name in NAMES if CODECS[name].metric == "grounding"]
SIDES = st.integers(8, 3000)
Case = tuple[int, int, list[list[float]]]


@st.composite
def images_with_boxes(draw: st.DrawFn, fewest: int = 1, smallest: float = 0.05) -> Case:
    """Width, height and up to four boxes; each side is at least ``smallest`` of the image's longer side, or all of it."""
    width, height = draw(SIDES), draw(SIDES)
    least = smallest * max(width, height)
    boxes = []
    for _ in range(draw(st.integers(fewest, 4))):
        x0, x1 = draw(_spans(width, least))
        y0, y1 = draw(_spans(height, least))
        boxes.append([x0, y0, x1, y1])
    return width, height, boxes


@st.composite
def _spans(draw: st.DrawFn, side: int, least: float) -> tuple[float, float]:
    if least >= side:
        return 0.0, float(side)
    start = draw(st.floats(0, side - least))
    return start, draw(st.floats(min(start + least, side), side))


@st.composite
def damaged_answers(draw: st.DrawFn, name: str) -> str:
    """An answer of the codec with a few pieces cut, doubled or put in between."""
    width, height, boxes = draw(images_with_boxes(0))
    text = CODECS[name].encode(boxes, width, height, SEEN)
    pieces = st.sampled_from([" ", "\n", "[", "]", "<", ">", '"', ",", "9", "1000", "-", ".", "e9", "{", "}", "```", "none", "(", "<think>", "</think>", "\u0663"])
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(st.sampled_from(["", text[start:end] * 2])) + draw(st.one_of(st.just(""), pieces)) + text[end:]
    return text
