"""What each pattern of the grammar says: plain functions from the matched words to claims.

``m`` are the matched words, ``out`` collects what has been read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from stages.core.claims import NOT, Claim
from stages.knowledge.labels import ANATOMY_KINDS, labels
from stages.verify.lexicon import Word

EDGE_OF = {"left": "left", "right": "right", "upper": "top", "lower": "bottom"}


@dataclass
class Reading:
    """What has been read so far. ``bare_sides``: "left" or "right" of nobody said whom; ``bare_centres``: "central" of
    nobody said what. ``names``: target nouns."""

    claims: list[Claim] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    bare_sides: list[str] = field(default_factory=list)
    names: list[Word] = field(default_factory=list)
    bare_centres: list[str] = field(default_factory=list)

    def say(self, kind: str, value: str, other: str | None = None, number: float | None = None) -> None:
        """Add a claim once."""
        claim = Claim(kind, value, other, number)
        if claim not in self.claims:
            self.claims.append(claim)


Builder = Callable[[Reading, list[Word]], None]


def of(matched: list[Word], tag: str) -> str:
    return next(word.value for word in matched if word.tag == tag)


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


def border(out: Reading, m: list[Word]) -> None:
    out.say("border", EDGE_OF[next(word.value for word in m if word.tag in "SV")])


def direction(out: Reading, m: list[Word]) -> None:
    out.say("relation", f"{of(m, 'S')}_of", of(m, "L"))


def two_directions(out: Reading, m: list[Word]) -> None:
    out.say("relation", f"{of(m, 'S')}_of", of(m, "L"))
    out.say("relation", of(m, "R"), of(m, "L"))


def relation(out: Reading, m: list[Word]) -> None:
    out.say("relation", of(m, "R"), of(m, "L"))


def nearest_name(out: Reading, m: list[Word]) -> None:
    if of(m, "R") != "nearest":
        out.unread.append(" ".join(word.text for word in m))
        return
    name(out, [m[1]])
    out.say("relation", "nearest", m[2].value)


def touching(out: Reading, m: list[Word]) -> None:
    """ "touching the liver"; before any target is named it is an adjective ("two touching nuclei") that no claim holds."""
    if not out.names:
        out.unread.append(m[0].text)
        name(out, m[1:])
        return
    out.say("relation", "touching", of(m, "L"))


def inside(out: Reading, m: list[Word]) -> None:
    out.say("relation", "inside", of(m, "L"))


_THAN = {
    "y:1": "above", "y:-1": "below", "upper": "above", "lower": "below", "size:1": "larger_than", "size:-1": "smaller_than",
    "brightness:1": "brighter_than", "brightness:-1": "darker_than",
}  # fmt: skip


def higher_than(out: Reading, m: list[Word]) -> None:
    """ "higher than the heart", "darker than the liver"."""
    relation = _THAN.get(m[0].value)
    if relation is None:
        out.unread.append(m[0].text)
    else:
        out.say("relation", relation, of(m, "L"))


def larger_than(out: Reading, m: list[Word]) -> None:
    """ "larger than the spleen": only words of size compare two things, "over the spleen" says something else."""
    if m[0].text.split()[0] not in ("larger", "bigger", "greater", "smaller"):
        unread(out, m)
    else:
        out.say("relation", "smaller_than" if m[0].text.startswith("smaller") else "larger_than", of(m, "L"))


def between(out: Reading, m: list[Word]) -> None:
    """ "between the aorta and the kidney", "between the two vessels", "between the left and right kidney"."""
    ends = Reading()
    named = [word for word in m[1:] if word.tag in "SL&"]
    if "S" in {word.tag for word in named}:
        side_and_half(ends, [named[0], *named[-1:]]) if [w.tag for w in named] == ["S", "&", "L"] else name(ends, named[-1:])
    else:
        ends.names = [word for word in named if word.tag == "L"]
    if ends.unread or len(ends.names) == 1 and ends.names[0].plural is False:
        unread(out, m)
    else:
        out.say("relation", "between", "&".join(sorted(word.value for word in ends.names)))


def kinds_of(word: Word) -> set[str]:
    return {labels()[name].kind for name in word.value.split("|")}


def holding(out: Reading, m: list[Word]) -> None:
    """ "the lung with the opacity", "the kidney without a cyst", "that contains no opacity"."""
    last = out.names[-1:]
    of_organ = bool(last) and kinds_of(last[0]) <= ANATOMY_KINDS and kinds_of(m[-1]) <= {"lesion", "finding", "device"}
    readable = {"R": m[0].value == "containing", "W": of_organ, "!": of_organ and m[0].text == "without"}[m[0].tag]
    if readable:
        out.say("relation", "containing" if m[0].tag == "W" else f"{NOT}containing", of(m, "L"))
    else:
        unread(out, m)


def zone_of_organ(out: Reading, m: list[Word]) -> None:
    """ "in the upper third of the right lung", "in the centre of the liver"."""
    organ = m[-1]
    if not kinds_of(organ) <= ANATOMY_KINDS:
        unread(out, m)
        return
    out.say("relation", "inside", organ.value)
    out.say("zone", next((word.value for word in m if word.tag == "G"), "central"), organ.value)


def zone(out: Reading, m: list[Word]) -> None:
    """ "peripheral", "left mid zone": of whichever organ holds it."""
    sides = [word.value for word in m if word.tag == "S"]
    if sides and "zone" not in m[-1].text:
        unread(out, m)
        return
    for side in sides:
        out.say("patient_side", side)
    out.say("zone", m[-1].value)


def central(out: Reading, m: list[Word]) -> None:
    """ "the central tumour": of the picture or of its organ, which the parser decides."""
    if m[0].text == "central":
        out.bare_centres.append(m[0].text)
    else:
        centre(out, m)


def midline(out: Reading, m: list[Word]) -> None:
    out.say("midline", "crosses")


def any_border(out: Reading, m: list[Word]) -> None:
    out.say("border", "any")


def part_of(out: Reading, m: list[Word]) -> None:
    """ "tip of the tube": about the tube, and more than can be read."""
    out.unread.append(" ".join(word.text for word in m))
    if m[0].tag == "?" and not out.names:
        name(out, m[-1:])


def bounded_size(out: Reading, m: list[Word]) -> None:
    """ "larger than 2 cm", "under 1 cm"; a bound of several diameters is not read."""
    numbers = [float(word.value) for word in m if word.tag == "N"]
    bound = m[0].value if m[0].tag == "M" else {"below": "below", "above": "above"}.get(m[0].value)
    if len(numbers) != 1 or bound is None:
        unread(out, m)
    else:
        out.say("size_mm", bound, number=round(numbers[0] * float(m[-1].value), 3))


def number_of_them(out: Reading, m: list[Word]) -> None:
    """ "hard exudates, three of them"."""
    if out.names and float(m[0].value).is_integer():
        count(out, m)
    else:
        unread(out, m)


def compound(out: Reading, m: list[Word]) -> None:
    """ "left lung opacity": the last noun is the thing, an organ before it says where."""
    kinds = [kinds_of(word) for word in m]
    if not (kinds[0] <= ANATOMY_KINDS and kinds[1] <= {"lesion", "finding"}):
        out.unread.append(m[1].text)
        name(out, m[:1])
        return
    out.say("relation", "inside", m[0].value)
    name(out, [m[1]])


def name(out: Reading, m: list[Word]) -> None:
    values = "|".join(word.value for word in m if word.tag == "L").split("|")
    out.say("label", "|".join(sorted(set(values))))
    out.names.extend(word for word in m if word.tag == "L")


def pool(out: Reading, m: list[Word]) -> None:
    """ "of the three lesions, the one ...": what is chosen from, before anything else is named."""
    if out.names:
        unread(out, m)
    else:
        name(out, m)


def side_pair(out: Reading, m: list[Word]) -> None:
    name(out, m)
    out.say("count", "2", number=2.0)


def superlative(out: Reading, m: list[Word]) -> None:
    out.say("rank", m[0].value)


def nth_superlative(out: Reading, m: list[Word]) -> None:
    attribute, place = of(m, "Z").split(":")
    out.say("rank", f"{attribute}:{'-' if place.startswith('-') else ''}{of(m, 'O')}")


def several_superlative(out: Reading, m: list[Word]) -> None:
    attribute, place = of(m, "Z").split(":")
    n = of(m, "N")
    out.say("rank", f"{attribute}:-1-{n}" if place.startswith("-") else f"{attribute}:1-{n}")
    out.say("count", n, number=float(n))


def side_of_two(out: Reading, m: list[Word]) -> None:
    out.say("rank", {"left": "x:1", "right": "x:-1", "upper": "y:1", "lower": "y:-1"}[m[0].value])


def take_from(out: Reading, words: list[Word]) -> list[Word]:
    """Read and take out "second ... from the left", whose parts stand around the noun."""
    found = re.search(r"O([ABLH,]*)F([SV])(?!o[LN])", "".join(word.tag for word in words))
    if not found:
        return words
    attribute, sign = {"left": ("x", ""), "right": ("x", "-"), "upper": ("y", ""), "lower": ("y", "-")}[words[found.start(2)].value]
    out.say("rank", f"{attribute}:{sign}{words[found.start()].value}")
    return [*words[: found.start()], *words[found.start(1) : found.end(1)], *words[found.end() :]]


def count(out: Reading, m: list[Word]) -> None:
    out.say("count", m[0].value, number=float(m[0].value))


def size(out: Reading, m: list[Word]) -> None:
    numbers = [float(word.value) for word in m if word.tag == "N"]
    factor = float(m[-1].value)
    out.say("size_mm", "about", number=round(max(numbers) * factor, 3))


def shape(out: Reading, m: list[Word]) -> None:
    out.say("shape", m[0].value)


def appearance(out: Reading, m: list[Word]) -> None:
    out.say("appearance", m[0].value)


def bare_side(out: Reading, m: list[Word]) -> None:
    out.bare_sides.append(of(m, "S"))


def bare_quadrant(out: Reading, m: list[Word]) -> None:
    vertical(out, m)
    bare_side(out, m)


def side_and_half(out: Reading, m: list[Word]) -> None:
    """ "left and right kidney": the second side belongs to the label's name."""
    half = labels().get(m[-1].value)
    if half is None or half.pair is None or half.side == m[0].value:
        unread(out, m)
        return
    both = "|".join(sorted(name for name, entry in labels().items() if entry.pair == half.pair))
    side_pair(out, [Word("L", both, m[-1].text, True)])


def unread(out: Reading, m: list[Word]) -> None:
    out.unread.append(" ".join(word.text for word in m))


def silent(out: Reading, m: list[Word]) -> None:
    """Flagged words: the checks of words speak of them."""
