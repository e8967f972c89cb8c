"""The grammar writer on random scenes: every query says the truth, about exactly its targets, in clean English."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.claims import Claim, select
from stages.core.params import GenerateParams
from stages.generate.grammar import normalised, write_scene
from stages.generate.several import MAX_TARGETS
from stages.knowledge import labels, priors, words
from tests.generate.scenes import STYLE_SHARES, Blob, make_scene, scenes

PARAMS = GenerateParams("grammar", 10, 0.12, 0.06, 0.08, STYLE_SHARES, 3, 3, "contour", 512, 1, 0.05)
MANY_OF_ALL = GenerateParams("grammar", 20, 0.25, 0.25, 0.2, STYLE_SHARES, 3, 3, "contour", 512, 1, 0.05)
RANDOM = settings(max_examples=50, deadline=None)


def _claims(query) -> list[Claim]:
    return [Claim.from_json(text) for text in query.claims]


@RANDOM
@given(scenes())
def test_the_claims_of_a_query_select_exactly_its_targets(scene):
    for query in write_scene(scene, MANY_OF_ALL, 7).queries:
        selection = select(_claims(query), scene, words.thresholds())
        if query.kind == "none":
            assert query.anchor_ids == [] and not selection.possible
        else:
            assert selection.is_exactly(query.anchor_ids)


@RANDOM
@given(scenes(), st.sets(st.integers(0, 9), max_size=3))
def test_no_query_targets_a_crowd_and_the_others_stay_single_out(scene, crowds):
    anchors = tuple(dataclasses.replace(anchor, crowd=number in crowds) for number, anchor in enumerate(scene.anchors))
    marked = dataclasses.replace(scene, anchors=anchors)
    ids = {anchor.anchor_id for anchor in anchors if anchor.crowd}
    for query in write_scene(marked, MANY_OF_ALL, 7).queries:
        assert not ids & set(query.anchor_ids)
        if query.kind in ("single", "multi") and any(anchor.crowd for anchor in anchors):
            assert select(_claims(query), marked, words.thresholds()).is_exactly(query.anchor_ids)


@RANDOM
@given(scenes())
def test_kinds_have_the_number_of_targets_that_they_say(scene):
    for query in write_scene(scene, MANY_OF_ALL, 7).queries:
        n = len(query.anchor_ids)
        assert {"single": n == 1, "multi": 2 <= n <= MAX_TARGETS, "name": 1 <= n <= MAX_TARGETS, "none": n == 0}[query.kind]
        assert query.query_id.rsplit("~", 1)[0] == (query.anchor_ids[0] if n == 1 else query.sample_id)


@RANDOM
@given(scenes())
def test_claims_survive_json_and_begin_with_the_label(scene):
    for query in write_scene(scene, MANY_OF_ALL, 7).queries:
        claims = _claims(query)
        assert [claim.to_json() for claim in claims] == query.claims
        assert claims[0].kind == "label" and claims[0].value == query.label
        assert sum(claim.kind == "rank" for claim in claims) <= 1
        assert len([claim for claim in claims if claim.kind not in ("label", "count")]) <= MANY_OF_ALL.max_claims


@RANDOM
@given(scenes())
def test_no_two_queries_of_an_image_have_the_same_text_or_id(scene):
    queries = write_scene(scene, MANY_OF_ALL, 7).queries
    assert len({normalised(query.text) for query in queries}) == len(queries) == len({query.query_id for query in queries})
    assert len(queries) <= MANY_OF_ALL.queries_per_image


@RANDOM
@given(scenes())
def test_texts_never_speak_of_the_annotation_or_of_another_modality(scene):
    other = {word for name, entry in words.modalities().items() if name != scene.modality for word in entry.own}
    mine = words.modality(scene.modality)
    forbidden = {*priors.leak_words(), *priors.unsupported_words(), *other} - {*mine.own, *mine.bright, *mine.dark}
    forbidden |= words.read_only(scene.modality)
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(forbidden))) + r")\b|[\[\]{}~()|_]|\d\.\d", re.IGNORECASE)
    for query in write_scene(scene, MANY_OF_ALL, 7).queries:
        assert not pattern.search(query.text), query.text


@RANDOM
@given(scenes())
def test_english_is_clean(scene):
    for query in write_scene(scene, MANY_OF_ALL, 7).queries:
        text = query.text
        assert not re.search(r"\ba [aeio8]|\ba 11 |\ba 18 |\ban (?![aeio8]|11 |18 )", text, re.IGNORECASE), text
        assert len(re.findall(r"\bimage\b", text)) <= 1, text
        assert "  " not in text and not re.search(r" [.,?]|,,|\b(\w+) \1\b", text), text
        if query.style != "phrase":
            assert text[0].isupper() and text[-1] in ".?", text


@RANDOM
@given(scenes())
def test_the_side_of_the_patient_and_millimetres_are_said_only_where_they_are_known(scene):
    for query in write_scene(scene, MANY_OF_ALL, 7).queries:
        if scene.image_left_is is None:
            assert "patient" not in query.text
        if scene.spacing_mm is None:
            assert " mm" not in query.text
        if scene.modality in ("CT", "MR", "X-ray") and re.search(r"\b(?:left|right)", _without_names(query.text)):
            assert re.search(r"image|patient", query.text), query.text


def _without_names(text: str) -> str:
    sided = [name for entry in labels.labels().values() if entry.side for name in entry.names]
    for name in sorted(sided, key=len, reverse=True):
        text = text.replace(name, "")
    return text


def _nuclei(n: int):
    places = [(9 + 182 * (k * 0.618 % 1), 9 + 182 * (k * 0.414 % 1)) for k in range(n)]
    blobs = [Blob("cell nucleus", x, y, 2 + k % 7, 1 + k % 3, 0.95, 40 + k % 200, k % 40) for k, (x, y) in enumerate(places)]
    return make_scene(blobs, modality="microscopy", image_left_is=None, spacing_mm=None)


def test_writing_is_a_function_of_seed_and_scene():
    scene = _nuclei(12)
    assert write_scene(scene, PARAMS, 7) == write_scene(scene, PARAMS, 7)
    assert write_scene(scene, PARAMS, 7).queries != write_scene(scene, PARAMS, 8).queries


def test_a_crowd_gets_its_full_number_of_queries_spread_over_the_anchors():
    queries = write_scene(_nuclei(100), PARAMS, 7).queries
    singles = [query.anchor_ids[0] for query in queries if query.kind == "single"]
    assert len(queries) >= 8 and len(set(singles)) == len(singles)


def test_two_identical_objects_at_the_same_place_get_no_query_of_their_own():
    twins = make_scene([Blob("polyp", 80, 80, 20), Blob("polyp", 80, 80, 20)], modality="endoscopy", spacing_mm=None)
    draft = write_scene(twins, GenerateParams("grammar", 10, 0, 0, 0, STYLE_SHARES, 3, 3, "contour", 512, 1, 0.05), 7)
    assert draft.queries == [] and draft.skipped["not_distinguishable"] == 2


def test_an_image_without_objects_can_only_be_asked_for_what_is_not_there():
    empty = make_scene([], annotated_labels=["polyp"], modality="endoscopy")
    queries = write_scene(empty, GenerateParams("grammar", 10, 0, 1.0, 0, STYLE_SHARES, 3, 3, "contour", 512, 1, 0.05), 7).queries
    assert {query.kind for query in queries} == {"none"} and {query.label for query in queries} == {"polyp"}


def test_a_label_that_the_source_does_not_mark_is_never_asked_for_as_absent():
    scene = make_scene([Blob("liver", 60, 80, 30)], annotated_labels=[])
    queries = write_scene(scene, GenerateParams("grammar", 10, 0, 1.0, 0, STYLE_SHARES, 3, 3, "contour", 512, 1, 0.05), 7).queries
    assert [query for query in queries if query.kind == "none"] == []


def test_at_least_thirty_frames_are_reached():
    reached = set()
    frames = [frame for style in words.frames().values() for frame in style]
    patterns = {frame: re.compile("^" + re.sub(r"\\\{\w+\\\}", ".+", re.escape(frame)) + "$", re.IGNORECASE) for frame in frames}
    for seed in range(60):
        for query in write_scene(_nuclei(9), PARAMS, seed).queries:
            reached |= {frame for frame, pattern in patterns.items() if pattern.match(query.text)}
    assert len(reached) >= 30


def test_both_kidneys_are_a_pair_with_a_count():
    scene = make_scene([Blob("left kidney", 150, 120, 18), Blob("right kidney", 50, 120, 18)])
    queries = [q for seed in range(5) for q in write_scene(scene, GenerateParams("grammar", 6, 1.0, 0, 0, STYLE_SHARES, 3, 3, "contour", 512, 1, 0.05), seed).queries]
    pairs = [query for query in queries if query.kind == "multi"]
    assert {query.label for query in pairs} == {"left kidney|right kidney"}
    assert all(json.loads(query.claims[-1]) == {"kind": "count", "number": 2.0, "value": "2"} for query in pairs)
    assert all("kidneys" in query.text for query in pairs)


@pytest.mark.parametrize("changed", ["unknown label", "unknown modality"])
def test_words_that_are_not_known_are_an_error_value(changed):
    from dataclasses import replace

    from stages.generate.grammar import draft_or_error

    scene = make_scene([Blob("liver", 60, 80, 30)])
    if changed == "unknown label":
        scene = replace(scene, anchors=(replace(scene.anchors[0], label="livver"),))
    else:
        scene = replace(scene, modality="PET")
    draft = draft_or_error(scene, PARAMS, 7)
    (error,) = draft.errors
    assert error.kind == changed.replace(" ", "_") and error.item_id == scene.sample_id and not draft.queries
