"""What it is: nouns, their pairs, shape and appearance."""

from __future__ import annotations

from stages.knowledge.labels import ANATOMY_KINDS, labels
from stages.verify.lexicon import Word
from stages.verify.readings.reading import Reading, unread


def kinds_of(word: Word) -> set[str]:
    return {labels()[name].kind for name in word.value.split("|")}


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


def compound(out: Reading, m: list[Word]) -> None:
    """ "left lung opacity": the last noun is the thing, an organ before it says where."""
    kinds = [kinds_of(word) for word in m]
    if not (kinds[0] <= ANATOMY_KINDS and kinds[1] <= {"lesion", "finding"}):
        out.unread.append(m[1].text)
        name(out, m[:1])
        return
    out.say("relation", "inside", m[0].value)
    name(out, [m[1]])


def part_of(out: Reading, m: list[Word]) -> None:
    """ "tip of the tube": about the tube, and more than can be read."""
    out.unread.append(" ".join(word.text for word in m))
    if m[0].tag == "?" and not out.names:
        name(out, m[-1:])


def side_pair(out: Reading, m: list[Word]) -> None:
    name(out, m)
    out.say("count", "2", number=2.0)


def side_and_half(out: Reading, m: list[Word]) -> None:
    """ "left and right kidney": the second side belongs to the label's name."""
    half = labels().get(m[-1].value)
    if half is None or half.pair is None or half.side == m[0].value:
        unread(out, m)
        return
    both = "|".join(sorted(name for name, entry in labels().items() if entry.pair == half.pair))
    side_pair(out, [Word("L", both, m[-1].text, True)])


def shape(out: Reading, m: list[Word]) -> None:
    out.say("shape", m[0].value)


def appearance(out: Reading, m: list[Word]) -> None:
    out.say("appearance", m[0].value)
