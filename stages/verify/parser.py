"""Free English to claims, whoever wrote it. What cannot be read is reported, never assumed true."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.core.claims import Claim
from stages.verify.grammar import read_words
from stages.verify.lexicon import lexicon
from stages.verify.readings.reading import Reading

MAX_CHARACTERS = 2000
# Pictures that show the patient's head end at the top.
UPRIGHT = frozenset({"X-ray", "fundus"})


@dataclass(frozen=True)
class Parsed:
    """What a text says.

    ``unread``: content words and phrases that no rule could read. ``ambiguous``: sides of which the text does not say
    whose they are, where picture and patient may disagree. ``plural``: number of the target's noun, None if it does
    not tell.
    """

    claims: tuple[Claim, ...]
    unread: tuple[str, ...]
    ambiguous: tuple[str, ...]
    plural: bool | None


def parse(text: str, modality: str = "", image_left_is: str | None = None) -> Parsed:
    """Claims of a referring expression.

    A bare side ("the left nodule") means the picture's where the picture has no orientation; where it has one, the
    reader cannot tell the picture's side from the patient's, and it is reported as ambiguous.
    Text beyond ``MAX_CHARACTERS`` is not read, and reported.
    """
    reading = read_words(lexicon(modality in UPRIGHT).read(text[:MAX_CHARACTERS]))
    if len(text) > MAX_CHARACTERS:
        reading.unread.append(f"everything after character {MAX_CHARACTERS}")
    _resolve_quadrants(reading, image_left_is)
    claims = _ranges(_one_label(reading))
    ambiguous = _resolve_sides(reading, claims, image_left_is) + _resolve_centre(reading, claims, image_left_is)
    return Parsed(tuple(sorted(claims, key=_order)), tuple(reading.unread), ambiguous, _plural(reading))


def _order(claim: Claim) -> tuple[str, str, str, float]:
    return claim.kind, claim.value, claim.other or "", claim.number or 0.0


def _one_label(reading: Reading) -> list[Claim]:
    """The claims with the first label only; a second noun that no relation took is unread."""
    names = [claim for claim in reading.claims if claim.kind == "label"]
    reading.unread.extend(f"second noun: {claim.value}" for claim in names[1:])
    return [claim for claim in reading.claims if claim.kind != "label" or claim is names[0]]


def _ranges(claims: list[Claim]) -> list[Claim]:
    """ "the two nuclei furthest to the left" ranks two: a count widens a first or last place to a range."""
    counts = [int(claim.number or 0) for claim in claims if claim.kind == "count"]
    if len(counts) != 1 or counts[0] < 2:
        return claims
    return [Claim("rank", f"{claim.value}-{counts[0]}") if claim.kind == "rank" and re.search(r":-?1$", claim.value) else claim for claim in claims]


def _resolve_quadrants(reading: Reading, image_left_is: str | None) -> None:
    """Of a picture that shows no side of a patient "the upper right quadrant" is the picture's; of a body's picture nobody knows."""
    for vertical, side, text in reading.bare_quadrants:
        if image_left_is is None:
            reading.say("vertical", vertical)
            reading.say("image_side", side)
        else:
            reading.unread.append(text)


def _resolve_sides(reading: Reading, claims: list[Claim], image_left_is: str | None) -> tuple[str, ...]:
    if image_left_is is not None:
        return tuple(reading.bare_sides)
    for side in reading.bare_sides:
        claim = Claim("image_side", side)
        if claim not in claims:
            claims.append(claim)
    return ()


def _resolve_centre(reading: Reading, claims: list[Claim], image_left_is: str | None) -> tuple[str, ...]:
    """ "the central tumour of the lung" is central in the lung; in a picture without a body, in the picture; else nobody knows."""
    if not reading.bare_centres:
        return ()
    in_organ = any(claim.kind == "relation" and claim.value == "inside" for claim in claims)
    if image_left_is is not None and not in_organ:
        return tuple(reading.bare_centres)
    claims.append(Claim("cell", "centre") if image_left_is is None else Claim("zone", "central"))
    return ()


def _plural(reading: Reading) -> bool | None:
    numbers = {word.plural for word in reading.names}
    return numbers.pop() if len(numbers) == 1 and len(reading.names) == 1 else None
