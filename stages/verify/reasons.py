"""Reason codes of verdicts: a closed list. Every rejection and every undecided query carries one."""

from __future__ import annotations

from typing import Literal, get_args

from stages.core.records import Query, Verdict

Reason = Literal[
    "ok",
    # format
    "empty_text", "too_short", "too_long", "control_character", "markup", "not_english", "coordinates", "leak_word",
    "unknown_target", "target_count", "box_mismatch", "bad_claims", "duplicate_text", "near_duplicate",
    # words
    "foreign_modality_word", "unsupported_finding", "orientation_unknown",
    # claims
    "unread_text", "ambiguous_side", "claims_mismatch", "claim_false", "wrong_number", "not_unique", "selects_other",
    "too_close", "target_present", "absence_unproven",
    # queries written elsewhere
    "no_target", "no_label",
    # priors
    "implausible_side", "outside_container", "implausible_size",
    # evidence
    "not_visible", "appearance_contradicted", "no_mask",
    # judges that ask a model
    "wrong_description", "wrong_box", "judge_unsure", "no_answer", "judges_disagree",
]  # fmt: skip
REASONS: tuple[str, ...] = get_args(Reason)


def passed(query: Query, check: str, margin: float | None = None, evidence: str = "") -> Verdict:
    """The check holds."""
    return Verdict(query.query_id, check, True, "ok", _rounded(margin), evidence)


def rejected(query: Query, check: str, reason: Reason, evidence: str, margin: float | None = None) -> Verdict:
    """The check fails for ``reason``; ``evidence`` says what was found."""
    return Verdict(query.query_id, check, False, reason, _rounded(margin), evidence)


def undecided(query: Query, check: str, reason: Reason, evidence: str, margin: float | None = None) -> Verdict:
    """The check cannot tell; such a query is neither accepted nor rejected."""
    return Verdict(query.query_id, check, None, reason, _rounded(margin), evidence)


def _rounded(margin: float | None) -> float | None:
    """Finite margins to four decimals; an infinite one (a matter of yes or no) is no number to keep."""
    return None if margin is None or margin in (float("inf"), float("-inf")) else round(float(margin), 4)
