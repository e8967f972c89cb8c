"""The claim language as arrays says what a plain loop over the anchors says, ties and doubts included."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.claims import Claim, are_exact, select_all
from stages.knowledge.words import thresholds
from tests.benchmarks.plain_claims import selects
from tests.core.claim_scenes import dot, scene

T = thresholds()
LABELS = ("polyp", "surgical instrument", "nerve")
# Few places and sizes, so that ties, and anchors exactly on a threshold, are common.
PLACES = st.sampled_from([10.0, 30.0, 47.0, 48.0, 50.0, 52.0, 53.0, 70.0, 90.0])
DOTS = st.builds(
    dot, x=PLACES, y=PLACES, label=st.sampled_from(LABELS), size=st.sampled_from([50, 100, 110, 120, 150]),
    contrast=st.one_of(st.none(), st.sampled_from([-40.0, -10.0, 0.0, 10.0, 40.0])),
)  # fmt: skip
FILTERS = st.sampled_from([
    *(Claim("label", value) for value in (*LABELS, "nerve|polyp", "aorta")), *(Claim("image_side", value) for value in ("left", "right")),
    *(Claim("vertical", value) for value in ("upper", "lower")), *(Claim("appearance", value) for value in ("bright", "dark")),
    *(Claim("relation", value, other) for value in ("left_of", "above") for other in (*LABELS, "nerve|polyp", "aorta")),
])  # fmt: skip
RANKS = st.sampled_from([Claim("rank", value) for value in ("size:1", "size:2", "size:-1", "size:1-2", "x:1", "x:-2", "y:-1", "y:1-3")])
CONJUNCTIONS = st.lists(st.tuples(st.lists(FILTERS, max_size=3), st.lists(RANKS, max_size=2)).map(lambda pair: [*pair[0], *pair[1]]), max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(DOTS, max_size=8), CONJUNCTIONS)
def test_many_conjunctions_at_once_select_what_the_plain_loop_selects(dots, conjunctions):
    image = scene(*dots)
    certain, possible = select_all(conjunctions, image, T)
    for row, claims in enumerate(conjunctions):
        sure, may = selects(claims, image, T)
        assert ({image.ids[k] for k in np.flatnonzero(certain[row])}, {image.ids[k] for k in np.flatnonzero(possible[row])}) == (sure, may)


@settings(max_examples=50, deadline=None)
@given(st.lists(DOTS, min_size=1, max_size=6), CONJUNCTIONS)
def test_exactly_one_target_is_meant_when_the_plain_loop_finds_it_alone(dots, conjunctions):
    image = scene(*dots)
    targets = np.zeros((len(conjunctions), len(dots)), bool)
    targets[:, 0] = True
    expected = [selects(claims, image, T) == ({"0"}, {"0"}) for claims in conjunctions]
    assert are_exact(conjunctions, targets, image, T).tolist() == expected
