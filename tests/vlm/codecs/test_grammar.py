"""The grammar accepts what the codecs write and nothing that leaves the vocabulary; prefixes keep boxes upright."""

from __future__ import annotations

import functools
import random

import pytest
import xgrammar
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.vlm.codecs import CODECS, square_padding
from stages.vlm.codecs.medgemma import PaddedSteps
from stages.vlm.codecs.numbers import Digits, digits_rule
from tests.vlm.codecs.cases import BOX_NAMES, NAMES, SEEN, Case, images_with_boxes

MOST = 4


LETTERS = [chr(code) for code in range(32, 127)] + ["\n", "\t"]
COMPILER = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo([*LETTERS, "</s>"], stop_token_ids=[len(LETTERS)]))


@functools.cache
def _compiled(ebnf: str) -> xgrammar.CompiledGrammar:
    return COMPILER.compile_grammar(ebnf)


def _matches(ebnf: str, text: str) -> bool:
    matcher = xgrammar.GrammarMatcher(_compiled(ebnf), terminate_without_stop_token=True)
    return matcher.accept_string(text) and matcher.is_completed()


def _accepts(name: str, text: str, max_boxes: int = MOST) -> bool:
    return _matches(CODECS[name].ebnf(max_boxes, SEEN), text)


def _possible(name: str, text: str, max_boxes: int = MOST) -> bool:
    return CODECS[name].possible(text, max_boxes, SEEN)


@pytest.mark.parametrize("name", NAMES)
@given(case=images_with_boxes(0, 0.001), label=st.sampled_from(["target", "left kidney", "a (b), 3.5 mm", "x"]))
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_in_the_grammar_and_possible_at_every_letter(name: str, case: Case, label: str) -> None:
    width, height, boxes = case
    text = CODECS[name].encode(boxes, width, height, SEEN, label=label)
    assert _accepts(name, text)
    assert all(_possible(name, text[:end]) for end in range(len(text) + 1))
    assert all(CODECS[name].possible(text[:end], MOST, SEEN, (width, height)) for end in range(len(text) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_more_boxes_than_allowed_are_neither_in_the_grammar_nor_possible(name: str) -> None:
    text = CODECS[name].encode([[1, 2, 30, 40], [5, 6, 50, 44]], 64, 48, SEEN)
    nothing = CODECS[name].encode([], 64, 48, SEEN)
    for allowed, fits in ((0, False), (1, False), (2, True)):
        assert _accepts(name, text, allowed) is _possible(name, text, allowed) is fits
        assert _accepts(name, nothing, allowed) and _possible(name, nothing, allowed)
    with pytest.raises(ValueError, match="max_boxes"):
        CODECS[name].ebnf(-1, SEEN)
    with pytest.raises(ValueError, match="max_boxes"):
        CODECS[name].possible("", -1, SEEN)


@settings(max_examples=300, deadline=None)
@given(width=st.integers(1, 3000), height=st.integers(1, 3000), data=st.data())
def test_with_the_size_a_box_of_the_padded_square_is_possible_exactly_where_it_comes_back_whole(width: int, height: int, data: st.DataObject) -> None:
    codec = CODECS["medgemma"]
    side, left, top = square_padding(width, height)
    # Mostly at the image's edges, where it is decided.
    edges = [round(1000 * (padding + share * length) / side) for padding, length in ((left, width), (top, height)) for share in (0, 1)]
    number = st.one_of(st.integers(0, 1000), st.sampled_from(edges).flatmap(lambda edge: st.integers(max(0, edge - 2), min(1000, edge + 2))))
    numbers = [data.draw(number) for _ in range(4)]
    text = f'```json\n[{{"box_2d": {numbers}, "label": "x"}}]\n```'
    whole = codec.decode(text, width, height, strict=True).outcome == "ok"
    assert codec.possible(text, 1, size_px=(width, height)) is whole
    assert codec.possible(text, 1) or not whole


@given(width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_in_the_padded_square_every_near_edge_has_a_far_edge_beyond_it(width: int, height: int) -> None:
    near_x, near_y, far_x, far_y = PaddedSteps(1000).within(width, height)
    for near, far in ((near_x, far_x), (near_y, far_y)):
        assert len(near) and len(far) and near[-1] < far[-1] <= 1000


UNLIKE = ["x\u0000", "nothing", "[[", "<box", "<loc_01", "<loc1024", "none ", "[ ]", "```json\n[] "]
UNLIKE += ["<|box_start|>(01", "<|box_start|>(1001", '<point x="100.1', "<ref> ", "<object><patch_index_1024"]
REVERSED = {
    "loc1000": ("<box><loc_300><loc_2>", "<loc_29"),
    "json1000": ('[{"bbox_2d": [300, 2, ', "29"),
    "qwen2": ("<|box_start|>(300,2),(", "29"),
    "qwen2_5": ('[{"bbox_2d": [300, 2, ', "29"),
    "qwen3": ('[{"bbox_2d": [300, 2, ', "29"),
    "internvl": ("<ref>x</ref><box>[[300, 2, ", "29"),
    "paligemma": ("<loc0002><loc0300>", "<loc0001"),
    "florence2": ("x<loc_300><loc_2>", "<loc_29"),
    "medgemma": ('```json\n[{"box_2d": [2, 300, ', "1,"),
    "gemini": ('[{"box_2d": [2, 300, ', "1,"),
    "kosmos2": ("<object><patch_index_0300>", "<patch_index_029"),
    "glm4_5v": ("<|begin_of_box|>[300, 2, ", "29"),
    "deepseek_vl2": ("<|ref|>x<|/ref|><|det|>[[300, 2, ", "29"),
}


@pytest.mark.parametrize("name", BOX_NAMES)
def test_the_beginning_of_a_reversed_box_is_refused(name: str) -> None:
    start, wrong = REVERSED[name]
    assert _possible(name, start)
    further = {"29": "29,", "<loc_29": "<loc_29>"}.get(wrong, wrong)
    assert not _possible(name, start + further)


@pytest.mark.parametrize("name", BOX_NAMES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whoever_goes_only_where_it_is_possible_ends_with_an_answer_that_counts(name: str, seed: int) -> None:
    chance = random.Random(seed)
    codec, numerals = CODECS[name], list("0123456789")
    marks = sorted(set(codec.encode([[1, 2, 30, 40]], 64, 48, SEEN) + codec.encode([], 64, 48, SEEN)) - set(numerals))
    text = ""
    while not _accepts(name, text, 1):
        chance.shuffle(numerals)
        chance.shuffle(marks)
        text += next(letter for letter in [*numerals, *marks] if _possible(name, text + letter, 1))
    assert codec.decode(text, 480, 480, SEEN, strict=True).outcome in ("ok", "none")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", UNLIKE)
def test_what_no_answer_begins_with_is_not_possible(name: str, text: str) -> None:
    begins = any(_beginning(name, text))
    assert _possible(name, text) is begins


def _beginning(name: str, text: str) -> list[bool]:
    """Whether one of some answers begins so: brute force over two labels and several boxes."""
    boxes = [[1, 2, 30, 40], [0, 0, 640, 480], [20, 30, 600, 400]]
    answers = [CODECS[name].encode([box], 640, 480, SEEN, label=label) for box in boxes for label in ("target", "nothing", "none here", "x")]
    return [answer.startswith(text) for answer in [*answers, CODECS[name].encode([], 8, 8, SEEN)]]


@settings(max_examples=40, deadline=None)
@given(highest=st.integers(1, 3000), padded=st.sampled_from([0, 4]), number=st.integers(0, 9999))
def test_the_grammar_of_numbers_holds_exactly_those_up_to_the_highest(highest: int, padded: int, number: int) -> None:
    grammar = "root ::= " + digits_rule(highest, padded)
    for value in (number, highest, highest + 1, 0):
        text = Digits(padded).spell(value)
        assert _matches(grammar, text) is (value <= highest)
    assert not _matches(grammar, "0" + Digits(padded).spell(number))


@settings(max_examples=60, deadline=None)
@given(low=st.integers(0, 1200), span=st.integers(0, 300), padded=st.sampled_from([0, 4]), text=st.text("0123456789", max_size=5))
def test_a_beginning_of_digits_is_possible_when_some_allowed_number_begins_so(low: int, span: int, padded: int, text: str) -> None:
    allowed = [range(low, low + span)]
    expected = any(Digits(padded).spell(value).startswith(text) for value in allowed[0])
    assert Digits(padded).begins(text, allowed) is expected
