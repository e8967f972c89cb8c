"""How large, how many, which in an order."""

from __future__ import annotations

import re

from stages.verify.lexicon import Word
from stages.verify.readings.reading import Reading, of, unread


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


_FIRST_FROM = {"left": "x:1", "right": "x:-1", "upper": "y:1", "lower": "y:-1"}


def side_of_two(out: Reading, m: list[Word]) -> None:
    out.say("rank", _FIRST_FROM[m[0].value])


def take_from(out: Reading, words: list[Word]) -> list[Word]:
    """Read and take out "second ... from the left", whose parts stand around the noun."""
    found = re.search(r"O([ABLH,]*)F([SV])(?!o[LN])", "".join(word.tag for word in words))
    if not found:
        return words
    if re.search(r"[RTiYo]$", "".join(word.tag for word in words[: found.start()])):
        # "above the second disc from the top" counts discs, and nothing can be claimed of one of them alone.
        out.unread.append(" ".join(word.text for word in words[found.start() : found.end()]))
        return [*words[: found.start()], *words[found.start(1) : found.end(1)], *words[found.end() :]]
    attribute, sign = {"left": ("x", ""), "right": ("x", "-"), "upper": ("y", ""), "lower": ("y", "-")}[words[found.start(2)].value]
    out.say("rank", f"{attribute}:{sign}{words[found.start()].value}")
    return [*words[: found.start()], *words[found.start(1) : found.end(1)], *words[found.end() :]]


def count(out: Reading, m: list[Word]) -> None:
    out.say("count", m[0].value, number=float(m[0].value))


def number_of_them(out: Reading, m: list[Word]) -> None:
    """ "hard exudates, three of them"."""
    if out.names and float(m[0].value).is_integer():
        count(out, m)
    else:
        unread(out, m)


def size(out: Reading, m: list[Word]) -> None:
    numbers = [float(word.value) for word in m if word.tag == "N"]
    factor = float(m[-1].value)
    out.say("size_mm", "about", number=round(max(numbers) * factor, 3))


def bounded_size(out: Reading, m: list[Word]) -> None:
    """ "larger than 2 cm", "under 1 cm"; a bound of several diameters is not read."""
    numbers = [float(word.value) for word in m if word.tag == "N"]
    bound = m[0].value if m[0].tag == "M" else {"below": "below", "above": "above"}.get(m[0].value)
    if len(numbers) != 1 or bound is None:
        unread(out, m)
    else:
        out.say("size_mm", bound, number=round(numbers[0] * float(m[-1].value), 3))
