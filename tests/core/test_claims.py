"""The claim language against scenes whose truth is known by construction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.claims import (
    ALL_KINDS,
    DIRECTIONS,
    FALSE,
    KINDS,
    OPPOSITE,
    RANK_ATTRIBUTES,
    TRUE,
    Claim,
    Thresholds,
    are_exact,
    is_relative,
    margins,
    prepare,
    rank_range,
    scene_of,
    select,
    select_all,
)
from stages.core.records import Relation, Zone
from stages.knowledge.words import thresholds
from tests.core.claim_scenes import dot, scene

T: Thresholds = thresholds()
POLYP = Claim("label", "polyp")
places = st.floats(0, 100)


def chosen(view, *claims):
    """Ids selected for certain and possibly, in order."""
    selection = select(claims, view, T)
    return sorted(selection.certain), sorted(selection.possible)


# --- the claim itself


@given(
    st.builds(
        Claim,
        st.sampled_from(ALL_KINDS),
        st.text(min_size=1, max_size=12),
        st.none() | st.sampled_from(["liver", "left lung|right lung"]),
        st.none() | st.floats(0, 1e6),
    )
)
def test_a_claim_survives_json(claim):
    assert Claim.from_json(claim.to_json()) == claim


def test_absent_fields_are_left_out_of_json():
    assert Claim("vertical", "upper").to_json() == '{"kind": "vertical", "value": "upper"}'


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown claim kind 'colour'.*label"):
        Claim.from_json('{"kind": "colour", "value": "red"}')


# --- places


@given(places, places)
def test_opposite_places_have_opposite_margins(x, y):
    view = scene(dot(x, y))
    for kind, value in [("image_side", "left"), ("patient_side", "left"), ("vertical", "upper")]:
        there, opposite = margins(Claim(kind, value), view, T), margins(Claim(kind, OPPOSITE[value]), view, T)
        assert there == pytest.approx(-opposite)


@given(places, places)
def test_mirroring_the_picture_swaps_image_sides_and_keeps_the_patient_side_when_the_orientation_is_mirrored_too(x, y):
    plain, mirrored = scene(dot(x, y)), scene(dot(100 - x, y), image_left_is="patient_left")
    assert margins(Claim("image_side", "left"), plain, T) == pytest.approx(margins(Claim("image_side", "right"), mirrored, T))
    assert margins(Claim("patient_side", "left"), plain, T) == pytest.approx(margins(Claim("patient_side", "left"), mirrored, T))


def test_the_patients_left_is_on_the_pictures_right_where_the_picture_shows_the_patients_right_on_its_left():
    view = scene(dot(80, 50))
    assert margins(Claim("patient_side", "left"), view, T)[0] >= TRUE
    assert margins(Claim("patient_side", "right"), view, T)[0] <= FALSE


@pytest.mark.parametrize("value", ["left", "right"])
def test_the_side_of_the_patient_is_undecidable_where_the_orientation_is_unknown(value):
    view = scene(dot(5), dot(95), image_left_is=None)
    assert chosen(view, POLYP, Claim("patient_side", value)) == ([], ["0", "1"])


def test_near_the_middle_line_nothing_is_said():
    assert chosen(scene(dot(47), dot(53), dot(40)), Claim("image_side", "left")) == (["2"], ["0", "1", "2"])


@pytest.mark.parametrize(
    ("x", "y", "cell"),
    [(50, 50, "centre"), (10, 10, "upper left"), (90, 10, "upper right"), (10, 90, "lower left"), (90, 90, "lower right")],
)
def test_a_point_lies_in_one_cell_only(x, y, cell):
    view = scene(dot(x, y))
    for value in ("centre", "upper left", "upper right", "lower left", "lower right"):
        score = margins(Claim("cell", value), view, T)[0]
        assert score >= TRUE if value == cell else score <= FALSE


@given(places, places)
def test_no_point_is_certainly_in_two_cells(x, y):
    view = scene(dot(x, y))
    cells = ("centre", "upper left", "upper right", "lower left", "lower right")
    assert sum(margins(Claim("cell", cell), view, T)[0] >= TRUE for cell in cells) <= 1


# --- looks, borders, lengths


def test_shapes_are_told_by_elongation_and_solidity():
    view = scene(dot(elongation=1.1), dot(elongation=3), dot(elongation=1.1, solidity=0.6), dot(elongation=1.8))
    assert chosen(view, Claim("shape", "round")) == (["0"], ["0"])
    assert chosen(view, Claim("shape", "elongated")) == (["1"], ["1", "3"])
    assert chosen(view, Claim("shape", "irregular")) == (["2"], ["2"])


def test_appearance_is_against_the_surroundings_and_undecidable_without_them():
    view = scene(dot(contrast=40), dot(contrast=-40), dot(contrast=None), dot(contrast=0))
    assert chosen(view, Claim("appearance", "bright")) == (["0"], ["0", "2"])
    assert chosen(view, Claim("appearance", "dark")) == (["1"], ["1", "2"])


def test_a_shape_that_was_not_measured_is_undecidable():
    assert chosen(scene(dot(elongation=None)), Claim("shape", "elongated")) == ([], ["0"])


def test_borders_are_those_that_are_touched():
    view = scene(dot(touches=("left", "top")), dot())
    assert chosen(view, Claim("border", "top")) == (["0"], ["0"])
    assert chosen(view, Claim("border", "right")) == ([], [])


@pytest.mark.parametrize(("length_mm", "expected"), [(20.0, 1), (21.9, 1), (23.0, 0), (24.1, -1), (14.0, -1), (None, 0)])
def test_ten_per_cent_off_is_the_same_length_and_twenty_is_another(length_mm, expected):
    score = margins(Claim("size_mm", "about", None, 20.0), scene(dot(length_mm=length_mm)), T)[0]
    assert int(score >= TRUE) - int(score <= FALSE) == expected


# --- ranks


@pytest.mark.parametrize(
    ("value", "places"),
    [("size:1", (1, 1)), ("size:2", (2, 2)), ("size:-1", (5, 5)), ("x:-2", (4, 4)), ("y:1-2", (1, 2)), ("x:-1-2", (4, 5))],
)
def test_rank_values_mean_places(value, places):
    assert rank_range(value, 5) == places


def test_ranks_order_by_size_place_and_brightness():
    view = scene(dot(10, 90, size=50, mean=20), dot(50, 50, size=400, mean=90), dot(90, 10, size=150, mean=220))
    expected = {"size:1": "1", "size:2": "2", "size:-1": "0", "x:1": "0", "x:-1": "2", "y:1": "2", "brightness:1": "2"}
    expected["brightness:-1"] = "0"
    for value, target in expected.items():
        assert chosen(view, POLYP, Claim("rank", value)) == ([target], [target]), value


def test_two_of_nearly_the_same_size_may_both_be_the_largest():
    assert chosen(scene(dot(size=100), dot(size=110), dot(size=10)), Claim("rank", "size:1")) == ([], ["0", "1"])


def test_a_tie_behind_the_first_place_leaves_the_first_certain():
    view = scene(dot(size=300), dot(size=100), dot(size=105))
    assert chosen(view, Claim("rank", "size:1")) == (["0"], ["0"])
    assert chosen(view, Claim("rank", "size:2")) == ([], ["1", "2"])


def test_a_rank_is_taken_among_those_that_satisfy_the_other_claims():
    view = scene(dot(20, size=100), dot(30, size=300), dot(80, size=900))
    assert chosen(view, POLYP, Claim("image_side", "left"), Claim("rank", "size:1")) == (["1"], ["1"])
    assert chosen(view, POLYP, Claim("rank", "size:1"), Claim("image_side", "left")) == (["1"], ["1"])


def test_a_rank_does_not_count_other_labels():
    view = scene(dot(size=900, label="vessel"), dot(size=300), dot(size=100))
    assert chosen(view, POLYP, Claim("rank", "size:1")) == (["1"], ["1"])


def test_a_filter_that_is_too_close_makes_the_rank_uncertain_only_where_it_matters():
    larger_may_be_left, smaller_may_be_left = scene(dot(20, size=100), dot(49, size=900)), scene(dot(20, size=900), dot(49, size=100))
    claims = (POLYP, Claim("image_side", "left"), Claim("rank", "size:1"))
    assert chosen(larger_may_be_left, *claims) == ([], ["0", "1"])
    assert chosen(smaller_may_be_left, *claims) == (["0"], ["0"])


def test_a_place_beyond_the_number_of_objects_is_nobodys():
    view = scene(dot(10), dot(90))
    assert chosen(view, POLYP, Claim("rank", "x:3")) == ([], []) == chosen(view, POLYP, Claim("rank", "size:1-3"))


def test_an_unknown_attribute_is_refused():
    with pytest.raises(ValueError, match="unknown rank attribute 'colour'"):
        select([Claim("rank", "colour:1")], scene(dot(10), dot(90)), T)


@given(st.lists(st.tuples(places, places, st.integers(10, 5000)), min_size=1, max_size=8), st.sampled_from(RANK_ATTRIBUTES))
def test_at_most_one_object_certainly_holds_a_place_and_first_from_the_end_is_last(rows, attribute):
    view = scene(*(dot(x, y, size=size, mean=size % 256) for x, y, size in rows))
    for place in range(1, len(rows) + 1):
        certain, possible = chosen(view, Claim("rank", f"{attribute}:{place}"))
        assert len(certain) <= 1 <= len(possible)
        assert (certain, possible) == chosen(view, Claim("rank", f"{attribute}:{place - len(rows) - 1}"))


# --- relations


@given(places, places, places, places)
def test_opposite_directions_are_never_both_true_and_hold_the_other_way_round(x1, y1, x2, y2):
    view = scene(dot(x1, y1), dot(x2, y2, label="vessel"))
    for value in DIRECTIONS:
        there = margins(Claim("relation", value, "vessel"), view, T)[0]
        back = margins(Claim("relation", OPPOSITE[value], "vessel"), view, T)[0]
        assert not (there >= TRUE and back >= TRUE)
        assert (there >= TRUE) == (margins(Claim("relation", OPPOSITE[value], "polyp"), view, T)[1] >= TRUE)


def test_left_of_needs_more_along_than_across():
    view = scene(dot(20, 50), dot(60, 5), dot(80, 50, label="vessel"))
    assert chosen(view, POLYP, Claim("relation", "left_of", "vessel")) == (["0"], ["0"])


def test_a_direction_from_several_objects_is_true_only_from_all_of_them():
    view = scene(dot(10, 50), dot(50, 50), dot(40, 50, label="vessel"), dot(90, 50, label="vessel"))
    assert chosen(view, POLYP, Claim("relation", "left_of", "vessel")) == (["0"], ["0", "1"])


def test_a_relation_to_what_is_not_there_is_false():
    for value in (*DIRECTIONS, "inside", "touching", "nearest"):
        assert chosen(scene(dot()), POLYP, Claim("relation", value, "vessel")) == ([], []), value


@pytest.mark.parametrize(("overlap", "expected"), [(0.95, ["0"]), (0.7, None), (0.45, [])])
def test_inside_goes_by_the_share_that_lies_in_the_other(overlap, expected):
    view = scene(dot(relations=(Relation("inside", "1", 0.0, overlap, 0.0, 0.0, 1.0),)), dot(label="vessel", size=5000))
    certain, possible = chosen(view, POLYP, Claim("relation", "inside", "vessel"))
    assert (certain, possible) == (([], ["0"]) if expected is None else (expected, expected))


@pytest.mark.parametrize(("gap_px", "expected"), [(0.0, (["0"], ["0"])), (1.0, (["0"], ["0"])), (2.0, ([], ["0"])), (3.0, ([], []))])
def test_touching_goes_by_the_gap(gap_px, expected):
    view = scene(dot(relations=(Relation("touching", "1", gap_px, 0.0, 0.1, 0.0, 1.0),)), dot(label="vessel"))
    assert chosen(view, POLYP, Claim("relation", "touching", "vessel")) == expected


def test_the_nearest_is_nearer_by_a_clear_ratio():
    vessel = dot(0, 50, label="vessel")
    assert chosen(scene(dot(10), dot(40), vessel), POLYP, Claim("relation", "nearest", "vessel")) == (["0"], ["0"])
    assert chosen(scene(dot(38), dot(40), vessel), POLYP, Claim("relation", "nearest", "vessel")) == ([], ["0", "1"])


def test_an_object_on_the_very_centre_of_the_other_is_the_nearest_and_two_there_are_a_tie():
    vessel = dot(50, 50, label="vessel")
    assert chosen(scene(dot(50, 50), dot(90), vessel), POLYP, Claim("relation", "nearest", "vessel")) == (["0"], ["0"])
    assert chosen(scene(dot(50, 50), dot(50, 50), vessel), POLYP, Claim("relation", "nearest", "vessel")) == ([], ["0", "1"])


# --- conjunctions and counts


def test_a_pair_label_selects_both_halves():
    view = scene(dot(20, label="right kidney"), dot(80, label="left kidney"), dot(50))
    both = Claim("label", "left kidney|right kidney")
    assert chosen(view, both, Claim("count", "2", None, 2.0)) == (["0", "1"], ["0", "1"])


def test_a_count_that_cannot_be_met_leaves_nothing_and_one_that_may_be_met_nothing_certain():
    view = scene(dot(10), dot(20), dot(48), dot(51), dot(90))
    left = (POLYP, Claim("image_side", "left"))
    assert chosen(view, *left, Claim("count", "5", None, 5.0)) == ([], [])
    for number in (2.0, 3.0, 4.0):
        assert chosen(view, *left, Claim("count", "n", None, number)) == ([], ["0", "1", "2", "3"])
    assert chosen(view, POLYP, Claim("count", "5", None, 5.0)) == (["0", "1", "2", "3", "4"],) * 2


def test_an_exact_selection_needs_all_targets_and_nothing_close():
    view = scene(dot(10), dot(20), dot(48))
    selection = select([POLYP, Claim("image_side", "left")], view, T)
    assert not selection.is_exactly(["0", "1"]) and not selection.is_exactly(["0", "1", "2"])
    assert select([POLYP], view, T).is_exactly(["2", "1", "0"])


@given(st.lists(st.tuples(places, places), max_size=8))
def test_what_is_certain_is_possible_and_more_filters_select_no_more(points):
    view = scene(*(dot(x, y) for x, y in points))
    claims = [POLYP, Claim("image_side", "left"), Claim("vertical", "upper"), Claim("cell", "upper left")]
    previous = select([], view, T)
    for n in range(1, len(claims) + 1):
        selection = select(claims[:n], view, T)
        assert selection.certain <= selection.possible <= previous.possible and selection.certain <= previous.certain
        previous = selection


def test_an_empty_scene_selects_nothing_of_any_kind():
    view = scene()
    values = {"label": "polyp", "rank": "size:1", "relation": "inside", "shape": "round", "appearance": "dark", "cell": "centre"}
    for kind in KINDS:
        claim = Claim(kind, values.get(kind, "left"), "vessel", 1.0)
        assert margins(claim, view, T).shape == (0,) and select([claim], view, T).possible == frozenset()


def test_only_ranks_and_nearest_are_relative_and_score_everything_alike():
    view = scene(dot(10), dot(90))
    assert is_relative(Claim("rank", "x:1")) and is_relative(Claim("relation", "nearest", "vessel"))
    assert not is_relative(Claim("relation", "inside", "vessel"))
    assert np.isposinf(margins(Claim("rank", "x:1"), view, T)).all()


def test_a_scene_refuses_anchors_of_another_sample():
    from tests.generate.scenes import Blob, make_anchor, make_sample

    sample = make_sample()
    anchor = dataclasses.replace(make_anchor(Blob("liver", 10, 10, 5), 0, sample, []), sample_id="other")
    with pytest.raises(ValueError, match="anchors of another sample"):
        scene_of(sample, [anchor])


def test_a_crowd_may_hold_what_is_meant_and_is_never_exactly_it():
    crowd = dataclasses.replace(dot(20, size=900), crowd=True)
    view = scene(crowd, dot(80), dot(80, 90, size=300))
    everything = select([POLYP], view, T)
    assert everything.certain == {"1", "2"} and everything.possible == {"0", "1", "2"}
    assert not select([POLYP, Claim("image_side", "left")], view, T).is_exactly(["0"])
    assert select([POLYP, Claim("image_side", "right")], view, T).is_exactly(["1", "2"])
    assert not select([POLYP, Claim("rank", "size:1")], view, T).is_exactly(["2"])
    assert not select([POLYP, Claim("count", "3", None, 3.0)], view, T).is_exactly(["0", "1", "2"])


# --- many conjunctions at once


CONJUNCTIONS = st.lists(
    st.lists(
        st.sampled_from(
            [
                POLYP,
                Claim("image_side", "left"),
                Claim("vertical", "not upper"),
                Claim("rank", "size:1"),
                Claim("rank", "x:-1"),
                Claim("count", "2", None, 2.0),
                Claim("relation", "above", "vessel"),
                Claim("relation", "nearest", "vessel"),
                Claim("relation", "not left_of", "vessel"),
                Claim("rank", "y:1-2"),
            ]
        ),  # fmt: skip
        max_size=5,
    ),
    max_size=6,
)


@given(CONJUNCTIONS, st.lists(st.tuples(places, places, st.integers(10, 500), st.booleans()), max_size=7))
def test_many_at_once_are_what_each_is_alone_and_preparing_changes_nothing(conjunctions, rows):
    def build():
        return scene(*(dot(x, y, size=size, label="vessel" if vessel else "polyp") for x, y, size, vessel in rows))

    alone = [select(claims, build(), T) for claims in conjunctions]
    view = build()
    certain, possible = select_all(conjunctions, view, T)
    assert certain.shape == possible.shape == (len(conjunctions), len(rows))
    prepare(conjunctions, view, T)
    assert [select(claims, view, T) for claims in conjunctions] == alone
    for row, selection in enumerate(alone):
        assert {str(place) for place in np.flatnonzero(certain[row])} == selection.certain
        assert {str(place) for place in np.flatnonzero(possible[row])} == selection.possible


def test_exactness_of_many_needs_the_targets_and_nothing_else():
    view = scene(dot(10), dot(20), dot(90))
    asked = [[POLYP, Claim("image_side", "left")], [POLYP, Claim("image_side", "right")], [POLYP]]
    targets = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], bool)
    assert are_exact(asked, targets, view, T).tolist() == [True, False, True]


def test_margins_are_computed_once_and_cannot_be_changed():
    view = scene(dot(10))
    once = margins(POLYP, view, T)
    assert margins(POLYP, view, T) is once
    with pytest.raises(ValueError, match="read-only"):
        once[0] = 0


# --- what is only read in texts of others


@pytest.mark.parametrize(
    "claim",
    [
        Claim("image_side", "left"), Claim("vertical", "upper"), Claim("shape", "round"), Claim("appearance", "bright"), Claim("border", "any"),
        Claim("size_mm", "above", None, 20.0), Claim("relation", "touching", "vessel"), Claim("relation", "larger_than", "vessel"),
    ],
)  # fmt: skip
def test_a_denied_claim_has_the_contrary_margin(claim):
    touching = (Relation("touching", "1", 0.0, 0.0, 0.1, 0.0, 1.0),)
    view = scene(dot(10, 20, elongation=1.1, contrast=40, length_mm=30, relations=touching), dot(90, 90, label="vessel"))
    denied = dataclasses.replace(claim, value=f"not {claim.value}")
    assert denied.negated and not claim.negated
    assert margins(denied, view, T) == pytest.approx(-margins(claim, view, T))
    assert Claim.from_json(denied.to_json()) == denied


def test_the_contrary_of_a_relation_to_what_the_source_does_not_mark_is_not_known():
    lonely = scene(dot(10))
    marked = dataclasses.replace(lonely, annotated_labels=("vessel",))
    claim = Claim("relation", "not touching", "vessel")
    assert chosen(lonely, claim) == ([], ["0"])
    assert chosen(marked, claim) == (["0"], ["0"])


@pytest.mark.parametrize(("value", "length_mm", "expected"), [("above", 25.0, 1), ("above", 20.4, 0), ("above", 15.0, -1), ("below", 15.0, 1), ("below", None, 0)])
def test_bounds_of_a_length_have_a_zone_without_a_word(value, length_mm, expected):
    score = margins(Claim("size_mm", value, None, 20.0), scene(dot(length_mm=length_mm)), T)[0]
    assert int(score >= TRUE) - int(score <= FALSE) == expected


def with_location(anchor, **fields):
    """The anchor with other fields of its location."""
    return dataclasses.replace(anchor, location=dataclasses.replace(anchor.location, **fields))


def test_zones_are_those_of_the_organ_that_is_named_or_of_any():
    low = Zone("1", "lower", "medial", "central", 0.9, 0.1, 0.8)
    view = scene(with_location(dot(), zone=low), dot(label="right lung"))
    for value, expected in {"lower": 1, "upper": -1, "middle": -1, "medial": 1, "lateral": -1, "central": 1, "peripheral": -1}.items():
        for organ in ("right lung", "left lung|right lung", None):
            assert np.sign(margins(Claim("zone", value, organ), view, T)[0]) == expected
        assert margins(Claim("zone", value, "liver"), view, T)[0] == 0
    axial = scene(with_location(dot(), zone=dataclasses.replace(low, vertical_share=None)), dot(label="right lung"))
    assert margins(Claim("zone", "upper"), axial, T)[0] == 0
    assert margins(Claim("zone", "upper"), view, T)[1] == 0


@pytest.mark.parametrize(("crosses", "expected"), [(True, (["0"], ["0"])), (False, ([], [])), (None, ([], ["0"]))])
def test_crossing_the_midline_is_as_measured(crosses, expected):
    assert chosen(scene(with_location(dot(), crosses_midline=crosses)), Claim("midline", "crosses")) == expected


def test_a_ring_is_hollow_and_unmeasured_is_unknown():
    ring = dataclasses.replace(dot(), shape=dataclasses.replace(dot().shape, enclosed_share=0.4))
    assert chosen(scene(ring, dot()), Claim("shape", "hollow")) == (["0"], ["0", "1"])


def test_between_is_between_the_centroids_of_two():
    ends = dot(10, 50, label="liver"), dot(90, 50, label="aorta")
    view = scene(*ends, dot(50, 50), dot(50, 95), dot(12, 50))
    assert chosen(view, POLYP, Claim("relation", "between", "aorta&liver")) == (["2"], ["2"])
    assert chosen(view, POLYP, Claim("relation", "between", "aorta|liver")) == (["2"], ["2"])
    assert chosen(view, POLYP, Claim("relation", "between", "aorta&vessel")) == ([], [])
    three = scene(*(dot(x, 50, label="vessel") for x in (10, 50, 90)), dot(30, 50))
    assert chosen(three, POLYP, Claim("relation", "between", "vessel")) == ([], ["3"])


def test_what_lies_in_one_of_two_does_not_lie_between_them():
    inside = (Relation("inside", "0", 0.0, 1.0, 0.0, 0.0, 0.1),)
    view = scene(dot(10, 50, label="liver"), dot(90, 50, label="aorta"), dot(40, 50, relations=inside))
    assert chosen(view, POLYP, Claim("relation", "between", "aorta&liver")) == ([], [])


@pytest.mark.parametrize(
    ("value", "size", "mean", "expected"),
    [("larger_than", 300, 100, True), ("smaller_than", 300, 100, False), ("larger_than", 105, 100, None), ("brighter_than", 100, 160, True), ("darker_than", 100, 103, None)],
)
def test_two_things_are_compared_by_area_and_grey_level(value, size, mean, expected):
    view = scene(dot(size=size, mean=mean), dot(label="vessel", size=100, mean=100))
    certain, possible = chosen(view, POLYP, Claim("relation", value, "vessel"))
    assert (certain, possible) == {True: (["0"], ["0"]), False: ([], []), None: ([], ["0"])}[expected]


def test_medial_is_nearer_to_the_midline_on_the_same_side_where_sides_are_known():
    view = scene(dot(40), dot(60), dot(25, label="vessel"))
    assert chosen(view, POLYP, Claim("relation", "medial_to", "vessel")) == (["0"], ["0"])
    assert chosen(view, Claim("label", "vessel"), Claim("relation", "lateral_to", "polyp"))[0] == []
    unknown = scene(dot(40), dot(25, label="vessel"), image_left_is=None)
    assert chosen(unknown, POLYP, Claim("relation", "medial_to", "vessel")) == ([], ["0"])


@pytest.mark.parametrize(
    ("plane", "value", "expected"),
    [("axial", "anterior_to", 1), ("axial", "superior_to", 0), ("coronal", "superior_to", 1), ("coronal", "anterior_to", 0), (None, "anterior_to", 0)],
)
def test_directions_of_the_body_are_those_that_the_plane_shows(plane, value, expected):
    view = dataclasses.replace(scene(dot(50, 10), dot(50, 80, label="vessel")), plane=plane)
    score = margins(Claim("relation", value, "vessel"), view, T)[0]
    assert int(score >= TRUE) - int(score <= FALSE) == expected


def test_the_farthest_is_farther_by_a_clear_ratio():
    vessel = dot(0, 50, label="vessel")
    assert chosen(scene(dot(10), dot(40), vessel), POLYP, Claim("relation", "farthest", "vessel")) == (["1"], ["1"])
    assert chosen(scene(dot(38), dot(40), vessel), POLYP, Claim("relation", "farthest", "vessel")) == ([], ["0", "1"])
