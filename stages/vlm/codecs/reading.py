"""From a text to numbers: what a syntax found, and the answers that are no box."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stages.vlm.codecs.interface import NOTHING, Outcome, Repair

_THINKING = re.compile(r"\s*(?:<think>.*?</think>|<unused94>.*?<unused95>)", re.DOTALL)
_FENCE = re.compile(r"```[A-Za-z]*")
# A refusal is a text without a box that begins with one of these, after at most one word of regret. Deliberately few: everything
# else without a box is malformed.
REFUSALS = (
    r"(?:(?:i'm|i am) )?(?:very |so )?(?:sorry|afraid)\b",
    r"i (?:can ?not|can't|could not|couldn't|will not|won't|must decline|decline)\b",
    r"i(?: am|'m) (?:unable|not able|not allowed|not permitted|not qualified)\b",
    r"(?:unable|not able) to (?:provide|determine|locate|identify|answer|assist|help|give)\b",
    r"as an? (?:ai|language model|assistant|artificial intelligence)\b",
    r"(?:please )?consult (?:a|your) (?:doctor|physician|radiologist|healthcare|medical)\b",
)
_REFUSAL = re.compile(r"^(?:(?:unfortunately|regrettably|apologies|well)\W+)?(?:" + "|".join(REFUSALS) + ")", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """Groups of four numbers in the order x0, y0, x1, y1, their labels, and what had to be mended to read them.

    ``outcome`` is set when the text holds no certain box: malformed or wrong_count.
    """

    numbers: list[tuple[float, ...]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    repairs: tuple[Repair, ...] = ()
    outcome: Outcome | None = None


MALFORMED = Reading(outcome="malformed")
WRONG_COUNT = Reading(outcome="wrong_count")


def without_thinking(text: str) -> tuple[str, bool]:
    """The text after a whole thinking block at its beginning (``<think>``, or Gemma's tokens), and whether there was one."""
    found = _THINKING.match(text)
    return (text[found.end() :], True) if found else (text, False)


def says_nothing(text: str, nothing: str) -> bool | None:
    """True: exactly the family's answer for no target. False: another common one, such as ``None.``. None: neither."""
    if text.strip() == nothing:
        return True
    plain = _FENCE.sub("", text).strip().rstrip(".").strip().lower()
    same = plain == nothing.lower().rstrip(".") or plain in (NOTHING, "[]")
    return False if same else None


def refuses(text: str) -> bool:
    """Whether the text declines to answer; see REFUSALS."""
    return _REFUSAL.match(text.strip()[:200].replace("\u2019", "'")) is not None
