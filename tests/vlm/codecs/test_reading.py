"""How each codec reads what models really write: exact answers, each repair of the closed list, and everything else."""

from __future__ import annotations

import pytest

from stages.vlm.codecs import CODECS, REPAIRS, Decoded, DecodedPoints, Repair
from tests.vlm.codecs.cases import SEEN

FENCED = "```json\n{}\n```"
ONE = '{"bbox_2d": [1, 2, 30, 40], "label": "x"}'
YX = '{"box_2d": [2, 1, 40, 30], "label": "x"}'
TOKENS = "<loc_1><loc_2><loc_30><loc_40>"
PADDED = "<loc0002><loc0001><loc0040><loc0030>"
PATCHES = "<patch_index_0033><patch_index_0500>"


def _read(name: str, text: str, strict: bool = False) -> Decoded:
    return CODECS[name].decode(text, 100, 100, SEEN, strict=strict)


@pytest.mark.parametrize(
    ("name", "text", "n_boxes"),
    [
        ("loc1000", TOKENS, 1),
        ("loc1000", "<box>" + TOKENS, 1),
        ("loc1000", f" <box> {TOKENS} <box>{TOKENS}\n", 2),
        ("json1000", f"[{ONE}]", 1),
        ("json1000", f"[\n\t{ONE},\n\t{ONE}\n]", 2),
        ("json1000", '[{"label": "x", "bbox_2d": [1, 2, 30, 40], "score": 1}]', 1),
        ("qwen3", '[{"bbox_2d": [1, 2, 30, 40]}]', 1),
        ("qwen2", "<|box_start|>(1, 2), (30, 40)<|box_end|>", 1),
        ("qwen2", "<|object_ref_start|>x<|object_ref_end|><|box_start|>(1,2),(30,40)<|box_end|>", 1),
        ("internvl", "<box>[[1, 2, 30, 40]]</box>", 1),
        ("internvl", "<ref>x</ref><box>[[1,2,30,40],[1,2,3,4]]</box> <ref>y</ref><box>[[5,6,7,8]]</box>", 3),
        ("deepseek_vl2", "<|det|>[[1, 2, 30, 40]]<|/det|>", 1),
        ("glm4_5v", "<think>where is it?</think>\n<|begin_of_box|>[1, 2, 30, 40]<|end_of_box|>", 1),
        ("glm4_5v", "<|begin_of_box|>[[1, 2, 30, 40]]<|end_of_box|>", 1),
        ("paligemma", PADDED, 1),
        ("paligemma", f"{PADDED} liver ; {PADDED} liver", 2),
        ("florence2", TOKENS, 1),
        ("florence2", f"liver{TOKENS}{TOKENS}cyst{TOKENS}", 3),
        ("medgemma", "<unused94>thought\nsomewhere [1, 2, 3, 4]<unused95>" + FENCED.format(f"[{YX}]"), 1),
        ("gemini", f"[{YX}]", 1),
        ("kosmos2", f"<phrase>x</phrase><object>{PATCHES}</object>", 1),
    ],
)
def test_an_exact_answer_is_ok(name: str, text: str, n_boxes: int) -> None:
    decoded = _read(name, text, strict=True)
    assert (decoded.outcome, len(decoded.boxes_xyxy_px), decoded.repairs) == ("ok", n_boxes, ())


REPAIRED: list[tuple[str, str, int, Repair]] = [
    ("loc1000", "here: " + TOKENS, 1, "words_around"),
    ("loc1000", TOKENS + "<loc_5>", 1, "cut_off"),
    ("loc1000", f"<box>{TOKENS}<box>", 1, "marks"),
    ("loc1000", "<loc_1><loc_2><box><loc_30><loc_40>", 1, "marks"),
    ("json1000", FENCED.format(f"[{ONE}]"), 1, "code_fence"),
    ("json1000", f"Here is the box:\n{FENCED.format(f'[{ONE}]')}\nIt is large.", 1, "words_around"),
    ("json1000", f"The boxes are [{ONE}, {ONE}].", 2, "words_around"),
    ("json1000", f'[{ONE}, {{"bbox_2d": [5, 6', 1, "cut_off"),
    ("json1000", f"[{ONE}", 1, "cut_off"),
    ("json1000", f"[{ONE}, ", 1, "cut_off"),
    ("json1000", ONE, 1, "single"),
    ("json1000", '[{"bbox_2d": [1.5, 2, 30, 40]}]', 1, "decimals"),
    ("json1000", f"<think>hm, [5, 6, 7, 8]</think>[{ONE}]", 1, "thinking"),
    ("qwen2", "(1,2),(30,40)", 1, "marks"),
    ("qwen2", "<|box_start|>(1,2),(30,40)<|box_end|><|box_start|>(5,6),(7", 1, "cut_off"),
    ("qwen2", "It is at <|box_start|>(1,2),(30,40)<|box_end|>", 1, "words_around"),
    ("internvl", "x[[1, 2, 30, 40]]", 1, "words_around"),
    ("internvl", "[[1, 2, 30, 40]]", 1, "marks"),
    ("internvl", "<ref>x</ref><box>[[1, 2, 30, 40], [5, 6", 1, "cut_off"),
    ("internvl", "<box>[[1.0, 2, 30, 40]]</box>", 1, "decimals"),
    ("deepseek_vl2", "[[1, 2, 30, 40]]", 1, "marks"),
    ("glm4_5v", "[1, 2, 30, 40]", 1, "marks"),
    ("glm4_5v", "The answer is <|begin_of_box|>[1, 2, 30, 40]<|end_of_box|>.", 1, "words_around"),
    ("paligemma", f"box {PADDED} liver", 1, "words_around"),
    ("paligemma", f"{PADDED} liver ; <loc0002><loc0001>", 1, "cut_off"),
    ("paligemma", f"{PADDED}{PADDED}", 2, "marks"),
    ("florence2", f"liver{TOKENS} is here", 1, "words_around"),
    ("florence2", f"liver{TOKENS}<loc_7>", 1, "cut_off"),
    ("gemini", FENCED.format(f"[{YX}]"), 1, "code_fence"),
    ("medgemma", f"[{YX}]", 1, "code_fence"),
    ("kosmos2", PATCHES, 1, "marks"),
    ("kosmos2", f"the liver <object>{PATCHES}</object>", 1, "words_around"),
    ("kosmos2", f"<object>{PATCHES}</delimiter_of_multi_objects/><patch_index_0001>", 1, "cut_off"),
]


@pytest.mark.parametrize(("name", "text", "n_boxes", "repair"), REPAIRED)
def test_what_is_mended_is_named_and_strictly_not_accepted(name: str, text: str, n_boxes: int, repair: Repair) -> None:
    decoded = _read(name, text)
    assert (decoded.outcome, len(decoded.boxes_xyxy_px), decoded.repairs) == ("repaired", n_boxes, (repair,))
    strict = _read(name, text, strict=True)
    assert (strict.outcome, strict.boxes_xyxy_px) == ("wrong_count" if repair == "cut_off" else "malformed", [])


def test_a_box_that_reaches_into_the_padding_is_cut_at_the_edge() -> None:
    codec = CODECS["medgemma"]  # 100 x 50: rows 250 to 750 of the padded square
    text = FENCED.format('[{"box_2d": [{}, 100, {}, 300], "label": "x"}]')
    cut = codec.decode(text.replace("{}", "200", 1).replace("{}", "500"), 100, 50)
    assert (cut.outcome, cut.repairs, cut.boxes_xyxy_px) == ("repaired", ("padding",), [[10, 0, 30, 25]])
    assert codec.decode(text.replace("{}", "100", 1).replace("{}", "240"), 100, 50).outcome == "out_of_range"
    assert codec.decode(text.replace("{}", "200", 1).replace("{}", "500"), 100, 50, strict=True).outcome == "malformed"


def test_every_repair_of_the_closed_list_is_tried_here() -> None:
    assert {repair for *_, repair in REPAIRED} | {"padding"} == set(REPAIRS)


@pytest.mark.parametrize(
    ("name", "text", "outcome"),
    [
        ("loc1000", "", "malformed"),
        ("loc1000", "<box>", "malformed"),
        ("loc1000", "the liver", "malformed"),
        ("loc1000", "<loc_1><loc_2><loc_30>", "wrong_count"),
        ("loc1000", "<loc_30><loc_2><loc_1><loc_40>", "out_of_range"),
        ("loc1000", "<loc_1><loc_2><loc_1000><loc_40>", "out_of_range"),
        ("json1000", "[1, 2, 30, 40]", "malformed"),
        ("json1000", '[{"bbox_2d": [1, 2, 30]}]', "wrong_count"),
        ("json1000", '[{"bbox_2d": [1, 2, 30, 40', "wrong_count"),
        ("json1000", '[{"bbox_2d": [1, 2, "30", 40]}]', "malformed"),
        ("json1000", '[{"bbox_2d": [1, 2, true, 40]}]', "malformed"),
        ("json1000", '[{"bbox_2d": [1, 2, NaN, 40]}]', "out_of_range"),
        ("json1000", '[{"bbox_2d": [1, 2, 3000, 40]}]', "out_of_range"),
        ("json1000", '[{"bbox_2d": [50, 2, 30, 40]}]', "out_of_range"),
        ("json1000", f'[{ONE}, {{"label": "y"}}]', "malformed"),
        ("json1000", '[{"bbox_2d": [1, 2, 30, 40], "bbox_2d": [1, 2, 50, 60]}]', "malformed"),
        ("json1000", f"[{YX}]", "malformed"),
        ("gemini", f"[{ONE}]", "malformed"),
        ("qwen2", "<|box_start|>(1,2),(30", "wrong_count"),
        ("qwen2", "<|box_start|>(1,2)<|box_end|>", "wrong_count"),
        ("qwen2", "<|box_start|>(1,2),(30,1001)<|box_end|>", "out_of_range"),
        ("qwen2", "<|box_start|>(30,2),(1,40)<|box_end|>", "out_of_range"),
        ("qwen2_5", '[{"bbox_2d": [1, 2, 505, 40]}]', "out_of_range"),
        ("internvl", "<box>[[1, 2, 30]]</box>", "wrong_count"),
        ("internvl", "<box>[[1, 2, 30, 40], [1, 2, 30], [1, 2, 3, 4]]</box>", "wrong_count"),
        ("internvl", "<box>[[1, 2, 30, 40, 50]]</box>", "wrong_count"),
        ("internvl", "<box>[[-1, 2, 30, 40]]</box>", "out_of_range"),
        ("internvl", "<ref>x</ref><box>null</box>", "malformed"),
        ("deepseek_vl2", "<|det|>[[1, 2, 30, 1000]]<|/det|>", "out_of_range"),
        ("glm4_5v", "<|begin_of_box|>42<|end_of_box|>", "malformed"),
        ("paligemma", "<loc0002><loc0001><loc0040>", "wrong_count"),
        ("paligemma", "<loc0002><loc0001><loc1024><loc0030>", "out_of_range"),
        ("paligemma", f"{PADDED} x ; <loc0002><loc0001> y", "wrong_count"),
        ("florence2", "liver<loc_1><loc_2><loc_1000><loc_40>", "out_of_range"),
        ("florence2", "liver", "malformed"),
        ("kosmos2", "<object><patch_index_0500><patch_index_0033></object>", "out_of_range"),
        ("kosmos2", "<object><patch_index_0033><patch_index_1024></object>", "out_of_range"),
        ("kosmos2", "<object><patch_index_0033></object>", "wrong_count"),
        ("molmo", '<point x="1.0" ', "wrong_count"),
        ("molmo", '<point x="1.0" y="100.1" alt="x">x</point>', "out_of_range"),
        ("molmo", "[[1, 2, 30, 40]]", "malformed"),
    ],
)
def test_what_is_not_certain_becomes_no_box(name: str, text: str, outcome: str) -> None:
    for strict in (False, True):
        decoded = _read(name, text, strict)
        assert (decoded.outcome, decoded.count) == (outcome, 0)


@pytest.mark.parametrize("name", sorted(CODECS))
@pytest.mark.parametrize(
    "text",
    [
        "I cannot help with medical images.",
        "I'm sorry, but I can't identify that.",
        "I\u2019m unable to determine the location.",
        "Sorry, I am not able to provide a diagnosis.",
        "As an AI language model, I do not see images.",
        "Please consult a radiologist.",
        "Unfortunately, I cannot locate it.",
    ],
)
def test_a_refusal_is_told_from_a_broken_answer(name: str, text: str) -> None:
    assert _read(name, text).outcome == "refusal"
    assert _read(name, text, strict=True).outcome == "refusal"


@pytest.mark.parametrize("text", ["The scan cannot be read by eye.", "It is in the left lung.", "cannot", "The sorry state of the lung"])
def test_other_words_are_no_refusal(text: str) -> None:
    assert _read("json1000", text).outcome == "malformed"


def test_a_box_counts_although_the_model_apologises() -> None:
    decoded = _read("json1000", f"I cannot be certain, but: [{ONE}]")
    assert (decoded.outcome, decoded.repairs, decoded.count) == ("repaired", ("words_around",), 1)


@pytest.mark.parametrize("name", sorted(CODECS))
@pytest.mark.parametrize("text", ["None.", "```json\n[]\n```", " none ", "[]", "There are none."])
def test_the_usual_ways_to_say_that_there_is_nothing_are_understood(name: str, text: str) -> None:
    if text == "There are none." and name != "molmo":
        assert _read(name, text).outcome == "malformed"
        return
    assert _read(name, text).outcome == "none"
    exact = text.strip() == CODECS[name].encode([], 8, 8, SEEN)
    assert _read(name, text, strict=True).outcome == ("none" if exact else "malformed")


def test_labels_belong_to_their_boxes() -> None:
    text = "<ref>cyst</ref><box>[[1,2,30,40],[1,2,3,4]]</box><ref>liver</ref><box>[[5,6,7,8]]</box>"
    assert _read("internvl", text).labels == ["cyst", "cyst", "liver"]
    assert _read("florence2", f"liver{TOKENS}{TOKENS}cyst{TOKENS}").labels == ["liver", "liver", "cyst"]
    assert _read("paligemma", f"{PADDED} liver ; {PADDED} cyst").labels == ["liver", "cyst"]
    assert _read("json1000", f'[{ONE}, {{"bbox_2d": [1, 2, 3, 4]}}]').labels == ["x", ""]


@pytest.mark.parametrize(
    ("text", "outcome", "points"),
    [
        ('<point x="10.0" y="20.0" alt="x">x</point>', "ok", [[10, 20]]),
        ('<points x1="10.0" y1="20.0" x2="30.5" y2="40.0" alt="x">x</points>', "ok", [[10, 20], [30.5, 40]]),
        ('It is here: <point x="10.0" y="20.0" alt="x">x</point>', "repaired", [[10, 20]]),
        ('<points x1="10.0" y1="20.0" x2="30.', "repaired", [[10, 20]]),
        ('<point x="10" y="20.25" alt="x">x</point>', "repaired", [[10, 20.25]]),
    ],
)
def test_points_are_read_as_points(text: str, outcome: str, points: list[list[float]]) -> None:
    decoded = _read("molmo", text)
    assert isinstance(decoded, DecodedPoints)
    assert (decoded.outcome, decoded.boxes_xyxy_px) == (outcome, [])
    assert [[round(value, 6) for value in point] for point in decoded.points_xy_px] == points
