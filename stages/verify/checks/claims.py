"""What the text claims, executed on every anchor of the image."""

from __future__ import annotations

from collections.abc import Sequence

from stages.core.claims import FALSE, TRUE, Claim, is_relative, margins, select
from stages.core.records import Query, Verdict
from stages.verify.context import Context
from stages.verify.reasons import Reason, passed, rejected, undecided

CHECK = "claims"


def check_claims(query: Query, context: Context) -> Verdict:
    """The text is read without rest, says what its writer claims, is true of each target and selects exactly the targets.

    For a query without targets: nothing in the image may satisfy it, and its class must be one that the source marks.
    """
    parsed = context.parsed(query)
    claims = [narrowed(claim, context.known_labels) for claim in parsed.claims]
    outcome = _contradiction(query, claims, context)
    if outcome is not None:
        return outcome
    if parsed.unread:
        return undecided(query, CHECK, "unread_text", "; ".join(parsed.unread))
    if parsed.ambiguous:
        return undecided(query, CHECK, "ambiguous_side", f"whose {', '.join(parsed.ambiguous)}: the picture's or the patient's?")
    difference = _mismatch(query, claims)
    if difference:
        return rejected(query, CHECK, "claims_mismatch", difference)
    if query.kind == "none":
        return _absence(query, claims, context)
    return _selection(query, claims, parsed.plural, context)


def narrowed(claim: Claim, known: frozenset[str]) -> Claim:
    """The claim with a general name ("opacity") narrowed to the labels that the image can have, if any."""
    value, other = claim.value, claim.other
    if claim.kind == "label":
        value = _narrow(value, known)
    if other is not None:
        other = "&".join(sorted(_narrow(end, known) for end in other.split("&")))
    return Claim(claim.kind, value, other, claim.number)


def _narrow(names: str, known: frozenset[str]) -> str:
    kept = sorted(set(names.split("|")) & known)
    return "|".join(kept) if kept else "|".join(sorted(names.split("|")))


def _contradiction(query: Query, claims: Sequence[Claim], context: Context) -> Verdict | None:
    """A claim that is plainly false of a target, whatever else the text says."""
    targets = context.targets(query)
    places = [index for index, anchor in enumerate(context.scene.anchors) if anchor in targets]
    for claim in claims:
        if claim.kind == "count" and targets and claim.number != len(targets):
            return rejected(query, CHECK, "claim_false", f"{claim.to_json()}: there are {len(targets)} targets")
        for place in places:
            margin = float(margins(claim, context.scene, context.thresholds)[place])
            if margin <= FALSE:
                anchor_id = context.scene.anchors[place].anchor_id
                return rejected(query, CHECK, "claim_false", f"{claim.to_json()} of {anchor_id}", margin)
    return None


def _mismatch(query: Query, claims: Sequence[Claim]) -> str:
    """Difference between what the text says and what the writer claims; empty when they agree or none were given."""
    if query.claims is None:
        return ""
    read, written = _comparable(claims), _comparable([Claim.from_json(text) for text in query.claims])
    parts = [f"text says {claim}" for claim in sorted(read - written)]
    parts += [f"writer claims {claim}" for claim in sorted(written - read)]
    return "; ".join(parts)


def _comparable(claims: Sequence[Claim]) -> set[str]:
    """Claims in one spelling: alternatives sorted, and no count beside a range of ranks that implies it."""
    ranges = {str(_span(claim.value)) for claim in claims if claim.kind == "rank"}
    spelled = set()
    for claim in claims:
        if claim.kind == "count":
            number = str(int(claim.number or 0))
            if number not in ranges:
                spelled.add(f"count {number}")
            continue
        value = "|".join(sorted(claim.value.split("|")))
        other = "|".join(sorted((claim.other or "").split("|")))
        number = "" if claim.number is None else f"{claim.number:g}"
        spelled.add(" ".join(part for part in (claim.kind, value, other, number) if part))
    return spelled


def _span(rank: str) -> int:
    """How many places a rank value spans."""
    low, _, high = rank.split(":")[1].lstrip("-").partition("-")
    return int(high or low) - int(low) + 1


def _absence(query: Query, claims: Sequence[Claim], context: Context) -> Verdict:
    names = next((claim.value.split("|") for claim in claims if claim.kind == "label"), [])
    unmarked = [name for name in names if name not in context.sample.annotated_labels]
    if unmarked or not names:
        return undecided(query, CHECK, "absence_unproven", f"the source does not mark every {' or '.join(unmarked) or 'object'}")
    selection = select([claim for claim in claims if claim.kind != "count"], context.scene, context.thresholds)
    if selection.certain:
        return rejected(query, CHECK, "target_present", f"{', '.join(sorted(selection.certain))} satisfies it")
    if selection.possible:
        return undecided(query, CHECK, "too_close", f"{', '.join(sorted(selection.possible))} may satisfy it")
    return passed(query, CHECK, evidence="nothing in the image satisfies it")


def _selection(query: Query, claims: Sequence[Claim], plural: bool | None, context: Context) -> Verdict:
    targets = frozenset(query.anchor_ids)
    selection = select(claims, context.scene, context.thresholds)
    lowest, claim = _closest(targets, claims, context)
    if selection.is_exactly(sorted(targets)):
        wrong = _wrong_number(claims, plural, len(targets))
        return rejected(query, CHECK, "wrong_number", wrong) if wrong else passed(query, CHECK, lowest)
    outcome, reason, which = _failure(targets, selection.certain, selection.possible)
    if reason == "too_close" and claim is not None and lowest < TRUE:
        return undecided(query, CHECK, "too_close", f"{claim.to_json()} is inside its margin", lowest)
    make = rejected if outcome is False else undecided
    return make(query, CHECK, reason, f"certain: {_listed(selection.certain)}; {which}", lowest)


def _failure(targets: frozenset[str], certain: frozenset[str], possible: frozenset[str]) -> tuple[bool | None, Reason, str]:
    if certain - targets and targets & possible:
        return False, "not_unique", f"beside the targets: {_listed(certain - targets)}"
    if not targets <= possible:
        return False, "selects_other", f"targets that cannot be meant: {_listed(targets - possible)}"
    return None, "too_close", f"may also be meant, or not: {_listed(possible - certain)}"


def _listed(ids: frozenset[str]) -> str:
    return ", ".join(sorted(ids)) or "nothing"


def _closest(targets: frozenset[str], claims: Sequence[Claim], context: Context) -> tuple[float, Claim | None]:
    """Least margin of any claim at any target, and that claim."""
    lowest, closest = float("inf"), None
    for claim in claims:
        for anchor, margin in zip(context.scene.anchors, margins(claim, context.scene, context.thresholds), strict=True):
            if anchor.anchor_id in targets and margin < lowest:
                lowest, closest = float(margin), claim
    return lowest, closest


def _wrong_number(claims: Sequence[Claim], plural: bool | None, n: int) -> str:
    """ "the lesion" for two, "the lesions" for one. A ranked or counted expression states its number itself."""
    if plural is None or any(claim.kind == "count" or is_relative(claim) for claim in claims):
        return ""
    return f"the noun is {'plural' if plural else 'singular'}, the targets are {n}" if plural != (n > 1) else ""
