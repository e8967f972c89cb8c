"""The cheap checks of the cascade, in order, each a plain function (query, context) -> Verdict. The judges come after them."""

from __future__ import annotations

from collections.abc import Callable

from stages.core.records import Query, Verdict
from stages.verify.checks.claims import check_claims
from stages.verify.checks.format import check_duplicates, check_format
from stages.verify.checks.priors import check_priors, check_words
from stages.verify.context import Context

Check = Callable[[Query, Context], Verdict]

CHECKS: dict[str, Check] = {
    "format": check_format,
    "duplicates": check_duplicates,
    "words": check_words,
    "claims": check_claims,
    "priors": check_priors,
}
