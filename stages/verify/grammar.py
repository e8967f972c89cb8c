"""Patterns over word classes, each with the claims that it says.

The text is a string of class characters (``lexicon``), fillers left out; at every place the first pattern that
matches is taken. What no pattern takes is either silent (the listed classes mean nothing alone) or unread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from stages.core.claims import ALL_KINDS, NOT, Claim, is_relative
from stages.knowledge.labels import ANATOMY_KINDS, labels
from stages.verify.lexicon import Word

SILENT = frozenset("IPHioa&@,W")
NEGATABLE = frozenset(ALL_KINDS) - {"label", "rank", "count", "size_mm"}
# "not" denies whatever follows; "no" and "without" deny the existence of a thing, and contact alone can be read of that.
DENYING, LACKING = frozenset({"not", "non", "neither", "nor", "but not"}), frozenset({"no", "without"})
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


def _of(matched: list[Word], tag: str) -> str:
    return next(word.value for word in matched if word.tag == tag)


def _image_side(out: Reading, m: list[Word]) -> None:
    out.say("image_side", _of(m, "S"))


def _patient_side(out: Reading, m: list[Word]) -> None:
    out.say("patient_side", _of(m, "S"))


def _patient_zone(out: Reading, m: list[Word]) -> None:
    out.say("patient_side", _of(m, "S"))
    out.say("vertical", _of(m, "V"))


def _vertical(out: Reading, m: list[Word]) -> None:
    out.say("vertical", _of(m, "V"))


def _quadrant(out: Reading, m: list[Word]) -> None:
    out.say("vertical", _of(m, "V"))
    out.say("image_side", _of(m, "S"))


def _cell(out: Reading, m: list[Word]) -> None:
    out.say("cell", f"{_of(m, 'V')} {_of(m, 'S')}")


def _centre(out: Reading, m: list[Word]) -> None:
    out.say("cell", "centre")


def _border(out: Reading, m: list[Word]) -> None:
    out.say("border", EDGE_OF[next(word.value for word in m if word.tag in "SV")])


def _direction(out: Reading, m: list[Word]) -> None:
    out.say("relation", f"{_of(m, 'S')}_of", _of(m, "L"))


def _two_directions(out: Reading, m: list[Word]) -> None:
    out.say("relation", f"{_of(m, 'S')}_of", _of(m, "L"))
    out.say("relation", _of(m, "R"), _of(m, "L"))


def _relation(out: Reading, m: list[Word]) -> None:
    out.say("relation", _of(m, "R"), _of(m, "L"))


def _nearest_name(out: Reading, m: list[Word]) -> None:
    if _of(m, "R") != "nearest":
        out.unread.append(" ".join(word.text for word in m))
        return
    _name(out, [m[1]])
    out.say("relation", "nearest", m[2].value)


def _touching(out: Reading, m: list[Word]) -> None:
    """ "touching the liver"; before any target is named it is an adjective ("two touching nuclei") that no claim holds."""
    if not out.names:
        out.unread.append(m[0].text)
        _name(out, m[1:])
        return
    out.say("relation", "touching", _of(m, "L"))


def _inside(out: Reading, m: list[Word]) -> None:
    out.say("relation", "inside", _of(m, "L"))


_THAN = {
    "y:1": "above", "y:-1": "below", "upper": "above", "lower": "below", "size:1": "larger_than", "size:-1": "smaller_than",
    "brightness:1": "brighter_than", "brightness:-1": "darker_than",
}  # fmt: skip


def _higher_than(out: Reading, m: list[Word]) -> None:
    """ "higher than the heart", "darker than the liver"."""
    relation = _THAN.get(m[0].value)
    if relation is None:
        out.unread.append(m[0].text)
    else:
        out.say("relation", relation, _of(m, "L"))


def _larger_than(out: Reading, m: list[Word]) -> None:
    """ "larger than the spleen": only words of size compare two things, "over the spleen" says something else."""
    if m[0].text.split()[0] not in ("larger", "bigger", "greater", "smaller"):
        _unread(out, m)
    else:
        out.say("relation", "smaller_than" if m[0].text.startswith("smaller") else "larger_than", _of(m, "L"))


def _between(out: Reading, m: list[Word]) -> None:
    """ "between the aorta and the kidney", "between the two vessels", "between the left and right kidney"."""
    ends = Reading()
    named = [word for word in m[1:] if word.tag in "SL&"]
    if "S" in {word.tag for word in named}:
        _side_and_half(ends, [named[0], *named[-1:]]) if [w.tag for w in named] == ["S", "&", "L"] else _name(ends, named[-1:])
    else:
        ends.names = [word for word in named if word.tag == "L"]
    if ends.unread or len(ends.names) == 1 and ends.names[0].plural is False:
        _unread(out, m)
    else:
        out.say("relation", "between", "&".join(sorted(word.value for word in ends.names)))


def _kinds(word: Word) -> set[str]:
    return {labels()[name].kind for name in word.value.split("|")}


def _holding(out: Reading, m: list[Word]) -> None:
    """ "the lung with the opacity", "the kidney without a cyst", "that contains no opacity"."""
    last = out.names[-1:]
    of_organ = bool(last) and _kinds(last[0]) <= ANATOMY_KINDS and _kinds(m[-1]) <= {"lesion", "finding", "device"}
    readable = {"R": m[0].value == "containing", "W": of_organ, "!": of_organ and m[0].text == "without"}[m[0].tag]
    if readable:
        out.say("relation", "containing" if m[0].tag == "W" else f"{NOT}containing", _of(m, "L"))
    else:
        _unread(out, m)


def _zone_of_organ(out: Reading, m: list[Word]) -> None:
    """ "in the upper third of the right lung", "in the centre of the liver"."""
    organ = m[-1]
    if not _kinds(organ) <= ANATOMY_KINDS:
        _unread(out, m)
        return
    out.say("relation", "inside", organ.value)
    out.say("zone", next((word.value for word in m if word.tag == "G"), "central"), organ.value)


def _zone(out: Reading, m: list[Word]) -> None:
    """ "peripheral", "left mid zone": of whichever organ holds it."""
    sides = [word.value for word in m if word.tag == "S"]
    if sides and "zone" not in m[-1].text:
        _unread(out, m)
        return
    for side in sides:
        out.say("patient_side", side)
    out.say("zone", m[-1].value)


def _central(out: Reading, m: list[Word]) -> None:
    """ "the central tumour": of the picture or of its organ, which the parser decides."""
    if m[0].text == "central":
        out.bare_centres.append(m[0].text)
    else:
        _centre(out, m)


def _midline(out: Reading, m: list[Word]) -> None:
    out.say("midline", "crosses")


def _any_border(out: Reading, m: list[Word]) -> None:
    out.say("border", "any")


def _part_of(out: Reading, m: list[Word]) -> None:
    """ "tip of the tube": about the tube, and more than can be read."""
    out.unread.append(" ".join(word.text for word in m))
    if m[0].tag == "?" and not out.names:
        _name(out, m[-1:])


def _bounded_size(out: Reading, m: list[Word]) -> None:
    """ "larger than 2 cm", "under 1 cm"; a bound of several diameters is not read."""
    numbers = [float(word.value) for word in m if word.tag == "N"]
    bound = m[0].value if m[0].tag == "M" else {"below": "below", "above": "above"}.get(m[0].value)
    if len(numbers) != 1 or bound is None:
        _unread(out, m)
    else:
        out.say("size_mm", bound, number=round(numbers[0] * float(m[-1].value), 3))


def _number_of_them(out: Reading, m: list[Word]) -> None:
    """ "hard exudates, three of them"."""
    if out.names and float(m[0].value).is_integer():
        _count(out, m)
    else:
        _unread(out, m)


def _compound(out: Reading, m: list[Word]) -> None:
    """ "left lung opacity": the last noun is the thing, an organ before it says where."""
    kinds = [_kinds(word) for word in m]
    if not (kinds[0] <= ANATOMY_KINDS and kinds[1] <= {"lesion", "finding"}):
        out.unread.append(m[1].text)
        _name(out, m[:1])
        return
    out.say("relation", "inside", m[0].value)
    _name(out, [m[1]])


def _name(out: Reading, m: list[Word]) -> None:
    values = "|".join(word.value for word in m if word.tag == "L").split("|")
    out.say("label", "|".join(sorted(set(values))))
    out.names.extend(word for word in m if word.tag == "L")


def _pool(out: Reading, m: list[Word]) -> None:
    """ "of the three lesions, the one ...": what is chosen from, before anything else is named."""
    if out.names:
        _unread(out, m)
    else:
        _name(out, m)


def _side_pair(out: Reading, m: list[Word]) -> None:
    _name(out, m)
    out.say("count", "2", number=2.0)


def _superlative(out: Reading, m: list[Word]) -> None:
    out.say("rank", m[0].value)


def _nth_superlative(out: Reading, m: list[Word]) -> None:
    attribute, place = _of(m, "Z").split(":")
    out.say("rank", f"{attribute}:{'-' if place.startswith('-') else ''}{_of(m, 'O')}")


def _several_superlative(out: Reading, m: list[Word]) -> None:
    attribute, place = _of(m, "Z").split(":")
    n = _of(m, "N")
    out.say("rank", f"{attribute}:-1-{n}" if place.startswith("-") else f"{attribute}:1-{n}")
    out.say("count", n, number=float(n))


def _side_of_two(out: Reading, m: list[Word]) -> None:
    out.say("rank", {"left": "x:1", "right": "x:-1", "upper": "y:1", "lower": "y:-1"}[m[0].value])


def _take_from(out: Reading, words: list[Word]) -> list[Word]:
    """Read and take out "second ... from the left", whose parts stand around the noun."""
    found = re.search(r"O([ABLH,]*)F([SV])(?!o[LN])", "".join(word.tag for word in words))
    if not found:
        return words
    attribute, sign = {"left": ("x", ""), "right": ("x", "-"), "upper": ("y", ""), "lower": ("y", "-")}[words[found.start(2)].value]
    out.say("rank", f"{attribute}:{sign}{words[found.start()].value}")
    return [*words[: found.start()], *words[found.start(1) : found.end(1)], *words[found.end() :]]


def _count(out: Reading, m: list[Word]) -> None:
    out.say("count", m[0].value, number=float(m[0].value))


def _size(out: Reading, m: list[Word]) -> None:
    numbers = [float(word.value) for word in m if word.tag == "N"]
    factor = float(m[-1].value)
    out.say("size_mm", "about", number=round(max(numbers) * factor, 3))


def _shape(out: Reading, m: list[Word]) -> None:
    out.say("shape", m[0].value)


def _appearance(out: Reading, m: list[Word]) -> None:
    out.say("appearance", m[0].value)


def _bare_side(out: Reading, m: list[Word]) -> None:
    out.bare_sides.append(_of(m, "S"))


def _bare_quadrant(out: Reading, m: list[Word]) -> None:
    _vertical(out, m)
    _bare_side(out, m)


def _side_and_half(out: Reading, m: list[Word]) -> None:
    """ "left and right kidney": the second side belongs to the label's name."""
    half = labels().get(m[-1].value)
    if half is None or half.pair is None or half.side == m[0].value:
        _unread(out, m)
        return
    both = "|".join(sorted(name for name, entry in labels().items() if entry.pair == half.pair))
    _side_pair(out, [Word("L", both, m[-1].text, True)])


def _unread(out: Reading, m: list[Word]) -> None:
    out.unread.append(" ".join(word.text for word in m))


def _silent(out: Reading, m: list[Word]) -> None:
    """Flagged words: the checks of words speak of them."""


# In order: at each place of the text the first pattern that matches wins.
RULES: tuple[tuple[re.Pattern[str], Builder], ...] = tuple(
    (re.compile(pattern), builder)
    for pattern, builder in (
        ("[!W]L|R!L", _holding),
        ("![^,]*?L|![^,]*", _unread),
        # Sizes. "larger than 2 cm" is no equality, a range is no size.
        ("[MR]~?N(?:U?xN)*U", _bounded_size),
        ("MN", _unread),
        ("N~?NU", _unread),
        ("~?N(?:U?xN){0,2}U", _size),
        ("ML", _larger_than),
        # Ranks.
        ("OZo?", _nth_superlative),
        ("NZ|ZN(?!U)", _several_superlative),
        ("[SV][o1]N", _side_of_two),
        ("[zV]i?I?tL", _higher_than),
        ("[zV]t|(?:So|[RT])[zZ](?![^,]*L)", _unread),
        ("z(?:[o1][Nb])?", _superlative),
        ("Z(?:[o1]N?)?", _superlative),
        # Borders.
        ("[T@]I?[SV]I?D|T[SV]oI", _border),
        ("T(?:I?D(?:oI)?|I)(?![SVDHhCKqo])", _any_border),
        ("cm", _midline),
        # Relations. Two nouns in a row may be one compound: which one is meant cannot be told.
        ("(?:So|[iT])LL", _unread),
        ("oNL", _pool),
        ("oN(?=,|$)", _silent),
        ("(?:So|[iTRo])[ZzOABCVSNb]+L", _unread),
        ("i?[CG]H?[oi]L", _zone_of_organ),
        ("[?Hh]oL", _part_of),
        ("Y[bN]?(?:S&S?)?L(?:&L)?", _between),
        ("So&RL", _two_directions),
        ("R&SoL", _two_directions),
        ("SoL", _direction),
        ("[SVC]+[HhqK]*[oi]L|[oi][SVC]+L", _unread),
        ("RLL", _nearest_name),
        ("RL", _relation),
        ("TL", _touching),
        ("iL", _inside),
        # Places.
        ("b?[SV](?:&[SV])?I?D|SoC|bH|j[SVCHh]+", _unread),
        ("(?:VS|SV)[KqHh]?&(?:VS|SV)[KqHh]?", _unread),
        ("PS[Hh]?V[Hhw]?", _patient_zone),
        ("PS(?![Hh]?o)[Hh]?", _patient_side),
        ("SVw|SwV", _patient_zone),
        ("S[Hh]?[oi]P|SPH?|Sp", _patient_side),
        ("VSq[oi]I|SVq[oi]I|IVSq", _quadrant),
        ("VS[HK](?:[oi]I)?|IVS[HK]?|VS[oi]I|SV[HK](?:[oi]I)?|KVS", _cell),
        ("VS(?![ohHqK])|SV(?![ohHqK])", _bare_quadrant),
        ("[VS]C|C[VS]|VSq|SVq", _unread),
        ("S[Hh]?[oi]I|IS(?![Hh]?o)[Hh]?", _image_side),
        ("V[Hhw]?(?:[oi]I)?|IV(?![Hh]?o)[Hh]?", _vertical),
        ("C(?=[ABG,]*L)", _central),
        ("C[KHh]?(?:[oi]I)?|IC(?![KHh]?o)", _centre),
        ("S?G", _zone),
        # Things.
        ("S&SL", _side_pair),
        ("S&L", _side_and_half),
        ("NoL", _unread),
        ("[Nnb](?=[ABSVCPpTG?,]*L)|bo?", _count),
        ("No?(?=,|$)", _number_of_them),
        ("ao", _silent),
        ("L&L", _name),
        ("oL", _inside),
        ("LL", _compound),
        ("L", _name),
        ("S[Hh]?", _bare_side),
        ("A", _shape),
        ("B", _appearance),
        ("X", _silent),
    )
)


# One alternation: of the patterns that match at a place the first wins, which is what an alternation does.
_ANY = re.compile("|".join(f"(?P<r{number}>{pattern.pattern})" for number, (pattern, _) in enumerate(RULES)))
_BUILDERS: dict[str, Builder] = {f"r{number}": builder for number, (_, builder) in enumerate(RULES)}
_DENIED = re.compile("!(?:i(?!L))?")


def read_words(words: list[Word]) -> Reading:
    """Claims and leftovers of a text's words."""
    out = Reading()
    kept = _take_from(out, [part for word in words if word.tag != "_" for part in _parts(word)])
    tags = _as_places("".join(word.tag for word in kept), kept)
    place = 0
    while place < len(tags):
        place = _step(out, kept, tags, place)
    return out


def _parts(word: Word) -> list[Word]:
    """ "hypodensity" is two words in one: dark, and a lesion."""
    if word.tag != "E":
        return [word]
    look, names = word.value.split(" ", 1)
    return [Word("B", look, word.text), Word("L", names, word.text, word.plural)]


def _as_places(tags: str, kept: list[Word]) -> str:
    """ "within" before something that is no thing ("within the lower half") is "in"."""
    return "".join(
        "i" if tag == "R" and word.value == "inside" and tags[place + 1 : place + 2] not in ("L", "") else tag
        for place, (tag, word) in enumerate(zip(tags, kept, strict=True))
    )


def _step(out: Reading, kept: list[Word], tags: str, place: int) -> int:
    if tags[place] == "!":
        end = _negation(out, kept, tags, place)
        if end:
            return end
    found = _ANY.match(tags, place)
    if found and found.lastgroup:
        _BUILDERS[found.lastgroup](out, kept[place : found.end()])
        return found.end()
    if tags[place] not in SILENT:
        out.unread.append(kept[place].text)
    return place + 1


def _negation(out: Reading, kept: list[Word], tags: str, place: int) -> int | None:
    """Deny the one claim that follows; None where what follows is no single claim that can be denied."""
    found = _DENIED.match(tags, place)
    word = kept[place].text
    if not found or found.end() >= len(tags) or tags[found.end()] == "!" or word not in DENYING | LACKING:
        return None
    denied = Reading(names=list(out.names))
    end = _step(denied, kept, tags, found.end())
    if len(denied.claims) != 1 or denied.unread or denied.bare_sides or denied.bare_centres or len(denied.names) != len(out.names):
        return None
    (claim,) = denied.claims
    contact = claim.kind == "border" or (claim.kind, claim.value) == ("relation", "touching")
    if claim.kind not in NEGATABLE or is_relative(claim) or claim.negated or not (contact or word in DENYING):
        return None
    out.say(claim.kind, NOT + claim.value, claim.other, claim.number)
    return end
