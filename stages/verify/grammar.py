"""Patterns over word classes, each with the claims that it says.

The text is a string of class characters (``lexicon``), fillers left out; at every place the first pattern that
matches is taken. What no pattern takes is either silent (the listed classes mean nothing alone) or unread.
"""

from __future__ import annotations

import re

from stages.core.claims import ALL_KINDS, NOT, is_relative
from stages.verify.lexicon import Word
from stages.verify.readings import measures, places, relations, things
from stages.verify.readings.reading import Builder, Reading, silent, unread

SILENT = frozenset("IPHioa&@,W")
NEGATABLE = frozenset(ALL_KINDS) - {"label", "rank", "count", "size_mm"}
# "not" denies whatever follows; "no" and "without" deny the existence of a thing, and contact alone can be read of that.
DENYING, LACKING = frozenset({"not", "non", "neither", "nor", "but not"}), frozenset({"no", "without"})

# In order: at each place of the text the first pattern that matches wins.
RULES: tuple[tuple[re.Pattern[str], Builder], ...] = tuple(
    (re.compile(pattern), builder)
    for pattern, builder in (
        ("[!W]L|R!L", relations.holding),
        ("![^,]*?L|![^,]*", unread),
        # Sizes. "larger than 2 cm" is no equality, a range is no size.
        ("[MR]~?N(?:U?xN)*U", measures.bounded_size),
        ("MN", unread),
        ("N~?NU", unread),
        ("~?N(?:U?xN){0,2}U", measures.size),
        ("ML", relations.larger_than),
        # Ranks.
        ("OZo?", measures.nth_superlative),
        ("NZ|ZN(?!U)", measures.several_superlative),
        ("[SV][o1]N", measures.side_of_two),
        ("[zV]i?I?tL", relations.higher_than),
        ("[zV]t|(?:So|[RT])[zZ](?![^,]*L)", unread),
        ("z(?:[o1][Nb])?", measures.superlative),
        ("Z(?:[o1]N?)?", measures.superlative),
        # Borders.
        ("T![SV](?:I?D)?![SV](?:I?D)?(?:oI)?", places.neither_border),
        ("T(?:a|aN|N)I?D(?:oI)?", places.all_borders),
        ("[T@]I?[SV]I?D|T[SV]oI", places.border),
        ("T(?:I?D(?:oI)?|I)(?![SVDHhCKqo])", places.any_border),
        ("cm", places.midline),
        # Relations. Two nouns in a row may be one compound: which one is meant cannot be told.
        ("(?:So|[iT])LL", unread),
        ("oNL", things.pool),
        ("oN(?=,|$)", silent),
        ("(?:So|[iTRo])[ZzOABCVSNb]+L", unread),
        ("i?[CG]H?[oi]L", relations.zone_of_organ),
        ("[?Hh]oL", things.part_of),
        ("Y[bN]?(?:S&S?)?L(?:&L)?", relations.between),
        ("So&RL", relations.two_directions),
        ("R&SoL", relations.two_directions),
        ("SoL", relations.direction),
        ("[SVC]+[HhqK]*[oi]L|[oi][SVC]+L", unread),
        ("RLL", relations.nearest_name),
        ("RL", relations.relation),
        ("TL", relations.touching),
        ("iL", relations.inside),
        # Places.
        ("b?[SV](?:&[SV])?I?D|SoC|bH|j[SVCHh]+", unread),
        ("(?:VS|SV)[KqHh]?&(?:VS|SV)[KqHh]?", unread),
        ("PS[Hh]?V[Hhw]?", places.patient_zone),
        ("PS(?![Hh]?o)[Hh]?", places.patient_side),
        ("SVw|SwV", places.patient_zone),
        ("S[Hh]?[oi]P|SPH?|Sp", places.patient_side),
        ("VSq[oi]I|SVq[oi]I|IVSq", places.quadrant),
        ("VS[HK](?:[oi]I)?|IVS[HK]?|VS[oi]I|SV[HK](?:[oi]I)?|KVS", places.cell),
        ("VS(?![ohHqK])|SV(?![ohHqK])", places.bare_quadrant),
        ("VSq|SVq", places.quadrant_of_nobody),
        ("[VS]C|C[VS]", unread),
        ("S[Hh]?[oi]I|IS(?![Hh]?o)[Hh]?", places.image_side),
        ("V[Hhw]?(?:[oi]I)?|IV(?![Hh]?o)[Hh]?", places.vertical),
        ("C(?=[ABG,]*L)", places.central),
        ("C[KHh]?(?:[oi]I)?|IC(?![KHh]?o)", places.centre),
        ("S?G", places.zone),
        # Things.
        ("S&SL", things.side_pair),
        ("S&L", things.side_and_half),
        ("NoL", unread),
        ("[Nnb](?=[ABSVCPpTG?,]*L)|bo?", measures.count),
        ("No?(?=,|$)", measures.number_of_them),
        ("ao", silent),
        ("L&L", things.name),
        ("oL", relations.inside),
        ("LL", things.compound),
        ("L", things.name),
        ("S[Hh]?", places.bare_side),
        ("A", things.shape),
        ("B", things.appearance),
        ("X", silent),
    )
)


# One alternation: of the patterns that match at a place the first wins, which is what an alternation does.
_ANY = re.compile("|".join(f"(?P<r{number}>{pattern.pattern})" for number, (pattern, _) in enumerate(RULES)))
_BUILDERS: dict[str, Builder] = {f"r{number}": builder for number, (_, builder) in enumerate(RULES)}
_DENIED = re.compile("!(?:i(?!L))?")


def read_words(words: list[Word]) -> Reading:
    """Claims and leftovers of a text's words."""
    out = Reading()
    kept = measures.take_from(out, [part for word in words if word.tag != "_" for part in _parts(word)])
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
    if len(denied.claims) != 1 or denied.unread or denied.bare_sides or denied.bare_centres or denied.bare_quadrants or len(denied.names) != len(out.names):
        return None
    (claim,) = denied.claims
    contact = claim.kind == "border" or (claim.kind, claim.value) == ("relation", "touching")
    if claim.kind not in NEGATABLE or is_relative(claim) or claim.negated or not (contact or word in DENYING):
        return None
    out.say(claim.kind, NOT + claim.value, claim.other, claim.number)
    return end
