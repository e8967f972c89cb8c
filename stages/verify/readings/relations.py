"""What it has to do with other things."""

from __future__ import annotations

from stages.core.claims import NOT
from stages.knowledge.labels import ANATOMY_KINDS
from stages.verify.lexicon import Word
from stages.verify.readings.reading import Reading, of, unread
from stages.verify.readings.things import kinds_of, name, side_and_half


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
