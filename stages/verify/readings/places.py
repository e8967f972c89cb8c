"""Where it lies: sides, halves, cells, zones, borders of the picture."""

from __future__ import annotations

from stages.core.claims import NOT
from stages.verify.lexicon import Word
from stages.verify.readings.reading import Reading, of, unread

EDGE_OF = {"left": "left", "right": "right", "upper": "top", "lower": "bottom"}


def image_side(out: Reading, m: list[Word]) -> None:
    out.say("image_side", of(m, "S"))


def patient_side(out: Reading, m: list[Word]) -> None:
    out.say("patient_side", of(m, "S"))


def patient_zone(out: Reading, m: list[Word]) -> None:
    out.say("patient_side", of(m, "S"))
    out.say("vertical", of(m, "V"))


def vertical(out: Reading, m: list[Word]) -> None:
    out.say("vertical", of(m, "V"))


def quadrant(out: Reading, m: list[Word]) -> None:
    out.say("vertical", of(m, "V"))
    out.say("image_side", of(m, "S"))


def cell(out: Reading, m: list[Word]) -> None:
    out.say("cell", f"{of(m, 'V')} {of(m, 'S')}")


def centre(out: Reading, m: list[Word]) -> None:
    out.say("cell", "centre")


def central(out: Reading, m: list[Word]) -> None:
    """ "the central tumour": of the picture or of its organ, which the parser decides."""
    if m[0].text == "central":
        out.bare_centres.append(m[0].text)
    else:
        centre(out, m)


def border(out: Reading, m: list[Word]) -> None:
    out.say("border", EDGE_OF[next(word.value for word in m if word.tag in "SV")])


def neither_border(out: Reading, m: list[Word]) -> None:
    """ "touching neither the top nor the bottom"."""
    if [word.text for word in m if word.tag == "!"] == ["neither", "nor"]:
        for word in m:
            if word.tag in "SV":
                out.say("border", f"{NOT}{EDGE_OF[word.value]}")
    else:
        unread(out, m)


def all_borders(out: Reading, m: list[Word]) -> None:
    """ "reaching all four edges"; of two or three of them nobody says which."""
    if any(word.tag == "N" and word.value != "4" for word in m):
        unread(out, m)
        return
    for edge in EDGE_OF.values():
        out.say("border", edge)


def any_border(out: Reading, m: list[Word]) -> None:
    out.say("border", "any")


def midline(out: Reading, m: list[Word]) -> None:
    out.say("midline", "crosses")


def zone(out: Reading, m: list[Word]) -> None:
    """ "peripheral", "left mid zone": of whichever organ holds it."""
    sides = [word.value for word in m if word.tag == "S"]
    if sides and "zone" not in m[-1].text:
        unread(out, m)
        return
    for side in sides:
        out.say("patient_side", side)
    out.say("zone", m[-1].value)


def quadrant_of_nobody(out: Reading, m: list[Word]) -> None:
    """ "in the upper right quadrant": of the picture or of the body, which the parser decides."""
    out.bare_quadrants.append((of(m, "V"), of(m, "S"), " ".join(word.text for word in m)))


def bare_side(out: Reading, m: list[Word]) -> None:
    out.bare_sides.append(of(m, "S"))


def bare_quadrant(out: Reading, m: list[Word]) -> None:
    vertical(out, m)
    bare_side(out, m)
