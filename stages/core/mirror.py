"""The mirror image of a picture, exchanged left for right: its boxes, and the words that are true of it.

Words are exchanged only where that is provably right. ``None`` means: do not mirror this picture together with this
text. English only; mirroring twice gives the text that one began with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_PAIRS = (
    ("left", "right"),
    ("leftmost", "rightmost"),
    ("leftward", "rightward"),
    ("leftwards", "rightwards"),
    ("lefthand", "righthand"),
    ("lefthanded", "righthanded"),
    ("leftsided", "rightsided"),
    ("lt", "rt"),
    ("lul", "rul"),
    ("lll", "rll"),
    ("sinister", "dexter"),
    ("sinistral", "dextral"),
    ("levoscoliosis", "dextroscoliosis"),
)
_OTHER = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
_WORD = re.compile(r"[A-Za-z]+")

# Organs that lie on one side by nature, or whose name states a side that is theirs wherever they lie (a left ventricle
# is no mirrored right one). Their mirror image is a picture that no healthy body gives.
_SIDED_ANATOMY = re.compile(
    r"\b(liver|hepat\w+|spleen\w*|splen\w+|stomach|gastr\w+|gall ?bladder|biliary|bile ducts?|pancrea\w+|duoden\w+|jejun\w+|ile(?:um|al)"
    r"|(?:ascending|descending|sigmoid) colon|sigmoid|c(?:a)?ec(?:um|al)|append(?:ix|ic\w+)|hearts?|cardiac|pericard\w+|myocard\w+"
    r"|(?<!lateral )ventric(?:le|les|ular)|atri(?:um|a|al)|aort\w+|vena cava|portal vein|azygos|pulmonary (?:trunk|artery|arteries|vein|veins)"
    r"|mediastin\w+|middle lobes?|lingula\w*|brachiocephalic|coronary)\b",
    re.IGNORECASE,
)
# Abbreviations of such anatomy, of views and of eyes ("OD" is an optic disc as well), and views named by their side.
_SIDED_ABBREVIATIONS = re.compile(r"\b(RML|LV|RV|LA|RA|LAA|LAD|RCA|LCX|LVOT|RVOT|SVC|IVC|LAO|RAO|LPO|RPO|[LR](?:CC|MLO|ML|LM)|O[DSU]|SMA|SMV|IMA)\b")
# What turns or reads the other way in a mirror, or says where something is by number.
_HANDED = re.compile(
    r"o'? ?clock|o[\u2019`]clock|\b(?:anti|counter)?-?\s?clockwise\b|\b(?:mirror\w*|flipp\w+|situs|dextrocardia|levocardia|dextroposition|levoposition"
    r"|letters?|markers?|writing|written|words?|digits?|numerals?|columns?|coordinates?|pixels?)\b|<loc|\[\s*\d|\b[xX]\s*=|\d\s*,\s*\d+\s*,",
    re.IGNORECASE,
)
# A letter alone is a mark in the picture, a side or a shape that has a handedness.
_LONE_LETTER = re.compile(r"(?<![A-Za-z0-9'\u2019])(?:[LR]|[lr](?=\.|\))|[b-hj-np-su-zB-HJ-NP-SU-Z](?=[- ]shaped))(?![A-Za-z0-9])")
# "right" as correct, exact or upright, "left" as remaining. Both words stand in every pattern, or twice would not be once.
_SIDE = r"\b(?:left|right)"
_NO_SIDE = re.compile(
    rf"{_SIDE}[- ]?angle[ds]?\b|{_SIDE}[- ]?triang\w+|\b(?:all|just|is that|am i|that is|that's|what is|what's|what was|nothing|none|anything"
    rf"|everything|has|have|had|been|being|is|are|was|were|be|remains?|only one) {_SIDE}\b(?! (?:half|side|sided|of|to|and)\b|-)"
    rf"|\b(?:what is|what's|what was|all that is|nothing|remains?) {_SIDE}\b"
    rf"|(?<!the ){_SIDE} (?:next|beside|besides|now|here|there|where|away|over|out|alone|behind|after|before|above|below|beneath|under"
    rf"|underneath|inside|in|at|on|against|along|across|through|between|into|onto|off|up|down|near|by|untreated|unlabell?ed|around)\b"
    rf"|{_SIDE}[,]? (?:answer|one to pick|choice|order|shape|size|way|ones? to choose|amount|number)\b|{_SIDE}\s*\?\s*$|^\s*{_SIDE}\s*,",
    re.IGNORECASE,
)
_IS_SIDE_QUESTION = re.compile(rf"\b(?:on|to|at|in|from|towards?) (?:the|its|his|her)(?: patient'?s| patient\u2019s)? {_SIDE}\s*\?\s*$", re.IGNORECASE)


def mirrored_text(text: str) -> str | None:
    """The text that is true of the mirrored picture: sides exchanged, the patient's too; everything else stays.

    "medial", "lateral", "ipsilateral" hold in a mirror as well. None where the text names an organ that lies on one
    side by nature, a clock position, a turn, a mark, a number of pixels, where "left" or "right" may be no side, and
    where it is not English: then neither text nor picture may be mirrored.
    """
    if any(letter.isalpha() and not letter.isascii() for letter in text):
        return None
    patterns = (_SIDED_ANATOMY, _SIDED_ABBREVIATIONS, _HANDED, _LONE_LETTER)
    if any(pattern.search(text) for pattern in patterns):
        return None
    if _NO_SIDE.search(_IS_SIDE_QUESTION.sub("", text)):
        return None
    words = _WORD.findall(text)
    if any(_exchanged(word) is None for word in words):
        return None
    return _WORD.sub(lambda match: str(_exchanged(match.group())), text)


def mirrored_box(box_xyxy_px: Sequence[float], width: float) -> list[float]:
    """The box in the mirrored picture of ``width`` pixels; pixel edges, so that ``x`` becomes ``width - x``.

    Raises:
        ValueError: the box is not four finite numbers in order, or lies outside the width.
    """
    if len(box_xyxy_px) != 4 or not all(math.isfinite(value) for value in box_xyxy_px):
        raise ValueError(f"a box is four finite numbers (x0, y0, x1, y1), got {box_xyxy_px!r}")
    x0, y0, x1, y1 = (float(value) for value in box_xyxy_px)
    if not 0 <= x0 <= x1 <= width or y0 > y1:
        raise ValueError(f"a box of a picture {width} px wide needs 0 <= x0 <= x1 <= {width} and y0 <= y1, got {box_xyxy_px!r}")
    return [width - x1, y0, width - x0, y1]


def _exchanged(word: str) -> str | None:
    """The word for the other side in the same case, the word itself where it says no side, None where that is in doubt."""
    lower = word.lower()
    if lower not in _OTHER:
        doubtful = lower.startswith(("left", "right", "sinistr", "dextr", "levo"))
        return None if doubtful else word
    other = _OTHER[lower]
    for fits, change in ((str.islower, str.lower), (str.isupper, str.upper), (str.istitle, str.title)):
        if fits(word):
            return change(other)
    return None
