"""Form of a query: its text, its targets, its boxes, duplicates in the image."""

from __future__ import annotations

import difflib
import re
import unicodedata

from stages.core.claims import Claim
from stages.core.geometry import check_box, tight_box
from stages.core.records import Query, Verdict
from stages.knowledge.priors import leak_words
from stages.verify.context import Context
from stages.verify.lexicon import normalise, tokens_of
from stages.verify.reasons import Reason, passed, rejected

TARGETS_OF_KIND = {"single": (1, 1), "multi": (2, None), "none": (0, 0), "name": (1, None)}
_MARKUP = re.compile(r"<[^>]{0,200}>|https?://|&[a-z]+;|```|\{\{|\]\(|[{}\\|]|</|<\w")
_SIZE = re.compile(r"\d+(?:[.,]\d+)?(?:\s*(?:x|×|by)\s*\d+(?:[.,]\d+)?)*[\s-]*(?:mm|cm|millimet|centimet)", re.IGNORECASE)
_COUNT = re.compile(r"\b(?:\d(?:st|nd|rd|th)|[1-9]|10)\b(?=\s+[a-z])", re.IGNORECASE)
_DIGIT = re.compile(r"(?<![A-Za-z\d])\d")


def check_format(query: Query, context: Context) -> Verdict:
    """Text within its limits and free of leaks, targets that exist, boxes that are their masks' own."""
    found = _text_fault(query.text, context) or _target_fault(query, context)
    if found is None:
        return passed(query, "format")
    return rejected(query, "format", *found)


def _text_fault(text: str, context: Context) -> tuple[Reason, str] | None:
    if not text.strip():
        return "empty_text", "the text is empty"
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp"):
            return "control_character", f"character U+{ord(character):04X}"
    found = _MARKUP.search(text)
    if found:
        return "markup", f"{found.group()[:40]!r}"
    n_words = len(text.split())
    if n_words > context.params.max_words or len(text) > 20 * context.params.max_words:
        return "too_long", f"{n_words} words, {len(text)} characters; at most {context.params.max_words} words"
    if n_words < context.params.min_words:
        return "too_short", f"{n_words} words; at least {context.params.min_words}"
    return _language_fault(text)


def _language_fault(text: str) -> tuple[Reason, str] | None:
    foreign = [character for character in text if character.isalpha() and not unicodedata.name(character, "").startswith("LATIN")]
    if foreign or not any(character.isalpha() for character in text):
        return "not_english", f"letters {''.join(foreign[:10])!r}" if foreign else "no letter"
    leak = _first_phrase(text, leak_words())
    if leak:
        return "leak_word", f"{leak!r}"
    rest = _COUNT.sub(" ", _SIZE.sub(" ", text))
    found = _DIGIT.search(rest)
    return ("coordinates", f"digits that are no size or count: {rest[max(0, found.start() - 10) : found.end() + 15]!r}") if found else None


def _first_phrase(text: str, phrases: list[str]) -> str | None:
    padded = f" {' '.join(tokens_of(normalise(text)))} ".replace(" , ", " ")
    return next((phrase for phrase in phrases if f" {normalise(phrase)} " in padded), None)


def _target_fault(query: Query, context: Context) -> tuple[Reason, str] | None:
    missing = [anchor_id for anchor_id in query.anchor_ids if anchor_id not in context.by_id]
    if missing or len(set(query.anchor_ids)) != len(query.anchor_ids):
        return "unknown_target", f"no such anchor: {', '.join(missing)}" if missing else "a target is named twice"
    least, most = TARGETS_OF_KIND.get(query.kind, (1, 0))
    n = len(query.anchor_ids)
    if n < least or (most is not None and n > most):
        return "target_count", f"{n} targets for a query of kind {query.kind!r}"
    return _claims_fault(query) or _box_fault(query, context)


def _claims_fault(query: Query) -> tuple[Reason, str] | None:
    try:
        for text in query.claims or []:
            Claim.from_json(text)
    except (ValueError, TypeError, AttributeError) as error:
        return "bad_claims", str(error)
    return None


def _box_fault(query: Query, context: Context) -> tuple[Reason, str] | None:
    for anchor in context.targets(query):
        try:
            box = check_box(anchor.box_xyxy_px, context.sample.width, context.sample.height, anchor.anchor_id)
            own = tight_box(context.masks[anchor.anchor_id])
        except ValueError as error:
            return "box_mismatch", str(error)
        if box != own:
            return "box_mismatch", f"{anchor.anchor_id}: box {box}, its mask spans {own}"
    return None


def check_duplicates(query: Query, context: Context) -> Verdict:
    """No earlier query of the image has the same words, or nearly the same words for the same targets."""
    key = " ".join(tokens_of(normalise(query.text)))
    earlier = context.texts.get(key)
    if earlier is not None and earlier.query_id != query.query_id:
        return rejected(query, "duplicates", "duplicate_text", f"same words as {earlier.query_id}")
    for text, other in context.texts.items():
        if other.query_id == query.query_id or set(other.anchor_ids) != set(query.anchor_ids):
            continue
        ratio = _alike(key, text, context.params.near_duplicate)
        if ratio >= context.params.near_duplicate:
            return rejected(query, "duplicates", "near_duplicate", f"like {other.query_id}: {text!r}", ratio)
    context.texts[key] = query
    return passed(query, "duplicates")


def _alike(a: str, b: str, enough: float) -> float:
    """Ratcliff-Obershelp ratio of two texts; 0 when a cheap upper bound already lies below ``enough``."""
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.real_quick_ratio() < enough or matcher.quick_ratio() < enough:
        return 0.0
    return matcher.ratio()
