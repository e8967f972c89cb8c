"""The words around a question: what a request is about, for families whose instruction already asks, and labels as they are said."""

from __future__ import annotations

import re

# Only the picture itself: "in the left lung, find the nodule" says where the nodule is, and keeps it.
_PICTURE = r"(?:the (?:image|picture|slice|scan|radiograph)|this (?:[\w-]+ ){0,2}(?:image|picture|slice|scan|radiograph|photograph|field|view|x-ray))"
# What may stand before the verb of a request: where to look, politeness, a modal verb.
_LEAD = (
    rf"(?:(?:in|on) {_PICTURE},? )?(?:(?:please|kindly),? |(?:can|could|would|will) you (?:please |kindly )?"
    r"|i (?:want|need|would like) you to )*"
)
_PLAIN_VERBS = r"locate|find|identify|indicate|locali[sz]e|detect|show(?: me)?|point (?:out|to|at)|pick out|see"
# These are nouns as well ("segment VI of the liver", "outline of the heart"): only before a determiner are they verbs.
_NOUN_VERBS = r"mark|segment|outline|highlight|note|circle|box|label|spot|delineate"
_DETERMINED = r"(?:the|an?|all|both|each|every|any|this|that|these|those|two|three|four|five|my|our|your|his|her|their) "
_WHERE = rf"where(?: (?:in|on) {_PICTURE})?"
_THING = r"(?P<thing>.+)"
# Not a clause within an expression: "the lesion that is visible".
_CLAUSE_FREE = r"(?P<thing>.+(?<! that)(?<! which)(?<! is)(?<! are))"

# The frames of requests, questions and sentences of a report, each around one expression; the first that fits is taken away.
_FRAMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_LEAD}(?:show|point out|mark|indicate)(?: me)? where {_THING} (?:is|are|lies?)",
        rf"{_LEAD}{_WHERE} can (?:i|we|you|one) (?:see|find) {_THING}",
        rf"{_LEAD}{_WHERE} can {_THING} be (?:seen|found|located)",
        rf"{_LEAD}{_WHERE} (?:does|do) {_THING} (?:lie|sit)",
        rf"{_LEAD}{_WHERE} (?:is|are) {_CLAUSE_FREE} (?:located|situated|seen|visible)",
        rf"{_LEAD}{_WHERE} (?:is|are) {_THING}",
        rf"{_LEAD}(?:what|which) (?:is|are) the (?:position|location|place)s? of {_THING}",
        rf"{_LEAD}which (?:area|region|part) (?:shows|contains|is) {_THING}",
        rf"{_LEAD}(?:do|can) you see {_THING}",
        rf"{_LEAD}(?:is|are) there {_THING}",
        rf"{_LEAD}(?:{_PLAIN_VERBS}) {_THING}",
        rf"{_LEAD}(?:{_NOUN_VERBS}) (?P<thing>{_DETERMINED}.+)",
        rf"there (?:is|are) {_THING}",
        rf"(?:noted?|findings?): ?{_THING}",
        rf"{_PICTURE} (?:shows|demonstrates|depicts|reveals) {_THING}",
        rf"attention is drawn to {_THING}",
        rf"{_CLAUSE_FREE} (?:is|are) (?:visible|seen|shown|present|noted)(?: (?:in|on) {_PICTURE})?",
    )
)
_CAPITAL = re.compile(r"(?:The|An?|All|Both)(?= [a-z0-9])")
_AFTERTHOUGHT = re.compile(r",? (?:please|for me)$", re.IGNORECASE)


def referent(expression: str) -> str:
    """The expression that a request is about, on one line: "Mark the left lung." and "Where is the left lung?" are "the left lung".

    For families whose own instruction asks, so that they are not asked twice ("Locate Mark the left lung"). What is no request
    is only freed of its final mark and of the capital letter of its article.
    """
    line = " ".join(expression.split()).rstrip(" .?!")
    plain = _AFTERTHOUGHT.sub("", line) or line
    found = next((match for frame in _FRAMES if (match := frame.fullmatch(plain))), None)
    return _CAPITAL.sub(lambda article: article.group().lower(), found["thing"] if found else line, count=1).strip()


def locate_in_json(expression: str) -> str:
    """Ask for JSON; an empty list when the picture does not show it."""
    return f"Locate {referent(expression)}, output the bbox coordinates in JSON format. If there is none, output []."


def spoken(label: str) -> str:
    """A label in words: several labels of one question stand in the tables with bars between them, canonical names join words by underscores."""
    return label.replace("|", " and ").replace("_", " ")
