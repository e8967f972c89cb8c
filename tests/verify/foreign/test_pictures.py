"""Pictures that were not ingested: with masks, with boxes in other formats, with a model that looks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stages.core.geometry import decode_mask
from stages.core.params import Params
from stages.core.records import Rle
from stages.core.stage import StageError
from stages.verify.foreign.answers import Answer
from stages.verify.judges import MODELS
from stages.verify.judges.judge import Case, Opinions
from stages.verify.reasons import passed, rejected
from tests.verify.foreign.asking import LARGE, MIDDLE, SMALL, asked, boxed
from tests.verify.scenes import anchors, sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the slice of ``tests.verify.scenes`` as a picture, and its objects as PNG masks."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "slice.png").write_bytes(sample().image)
    for number, anchor in enumerate(anchors()):
        cv2.imwrite(str(pictures / f"{number}.png"), decode_mask(anchor.mask_rle).astype(np.uint8) * 255)
    return pictures


def masked(text: str, *numbers: int, files: bool = False, **more: Any) -> dict[str, Any]:
    """A line about the slice as a picture, its targets as masks (RLE, or PNG files)."""
    masks: list[Any] = [f"{number}.png" if files else dataclasses.asdict(anchors()[number].mask_rle) for number in numbers]
    label = [anchors()[number].label for number in numbers]
    fields = {"text": text, "image": "slice.png", "modality": "CT", "image_left_is": "patient_right", "plane": "axial", "spacing_mm": [1.0, 1.0]}
    return {**fields, "masks": masks, "label": label, **more}


ALL = masked("the liver with its lesions and the organs beside it", *range(8))


def test_masks_of_a_picture_go_through_every_check_and_the_embedded_judge(params: Params, folder: Path) -> None:
    rows = [
        ALL, masked("the largest liver lesion", 5), masked("the largest liver lesion of all", 6), masked("the round liver lesion nearest the spleen", 7),
        masked("the liver lesion about 22 mm across", 5), masked("the spleen on the left side of the image", 1), masked("the aorta", 4, files=True),
        {name: value for name, value in masked("the smallest liver lesion").items() if name not in ("masks", "label")},
    ]  # fmt: skip
    answers = asked(params, *rows, images=folder)
    assert [answer.reason for answer in answers[1:]] == ["ok", "selects_other", "claim_false", "ok", "claim_false", "ok", "ok"]
    assert [answer.verdict for answer in answers[1:]] == ["accepted", "rejected", "rejected", "accepted", "rejected", "accepted", "accepted"]
    assert answers[1].checks["evidence"] == "ok"
    assert answers[7].targets == ["slice.png#6"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"masks": ["9.png"]}, "no picture '9.png'"),
        ({"masks": [{"size": [5, 5], "counts": "3"}]}, "line 1, mask 0"),
        ({"masks": [{"size": [4, 4], "counts": "@"}]}, "line 1, mask 0"),
        ({"masks": ["../queries.jsonl"]}, "no picture"),
        ({"label": ["no such organ"]}, "no canonical label"),
        ({"width": 5}, "field 'width' is 5"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(params: Params, folder: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(StageError, match=named):
        asked(params, {**masked("the liver", 0), **change}, images=folder)


def test_a_picture_has_masks_or_boxes_and_not_both(params: Params, folder: Path) -> None:
    boxes = {**{name: value for name, value in masked("the spleen", 1).items() if name != "masks"}, "boxes": [anchors()[1].box_xyxy_px]}
    with pytest.raises(StageError, match="line 2: other lines give masks"):
        asked(params, masked("the liver", 0), boxes, images=folder)


def test_a_box_in_another_format_is_the_same_box(params: Params) -> None:
    norm = boxed("the polyp on the left side of the image", [0.05, 0.1, 0.1, 0.2], box_format="xywh_norm")
    (answer,) = asked(params, norm)
    assert (answer.checks["claims"], answer.reason) == ("ok", "no_mask")
    with pytest.raises(StageError, match=r"line 1, box 0 \(xyxy_px\).*outside"):
        asked(params, boxed("the polyp", [150.0, 10.0, 250.0, 30.0]))


def test_without_a_label_the_texts_own_noun_is_taken_and_said_to_be(params: Params) -> None:
    rows = [boxed("the polyp on the left side of the image", SMALL), boxed("the lesion", MIDDLE), boxed("nothing known", LARGE)]
    polyp, lesion, nothing = asked(params, *({name: value for name, value in row.items() if name != "label"} for row in rows))
    assert (polyp.assumed, polyp.reason) == (["label"], "no_mask")
    for answer in (lesion, nothing):
        assert (answer.verdict, answer.reason) == ("undecided", "no_label")


class Says:
    """A judge that asks a model, with one answer for all."""

    check = "judge:endpoint"

    def __init__(self, yes: bool) -> None:
        self.yes, self.seen = yes, 0

    def judge(self, cases: Sequence[Case]) -> Opinions:
        """The answer for every case."""
        self.seen += len(cases)
        return Opinions([passed(case.query, self.check) if self.yes else rejected(case.query, self.check, "wrong_box", "no") for case in cases])


@pytest.mark.parametrize("yes", [True, False])
def test_a_model_that_params_name_is_asked_about_boxes_and_masks(params: Params, folder: Path, monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    judge = Says(yes)
    monkeypatch.setitem(MODELS, "endpoint", lambda _: judge)
    both = dataclasses.replace(params, verify=dataclasses.replace(params.verify, judges=["evidence", "endpoint"]))
    cv2.imwrite(str(folder / "a.png"), np.zeros((100, 200), np.uint8))
    rows = [boxed("the polyp on the left side of the image", SMALL), ALL, masked("the largest liver lesion", 5)]
    box, _, mask = asked(both, *rows, images=folder)
    assert judge.seen >= 2
    assert (box.verdict, mask.verdict) == (("accepted", "accepted") if yes else ("rejected", "rejected"))
    assert box.reason == ("ok" if yes else "wrong_box")


def test_a_model_cannot_look_at_a_size(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "endpoint", lambda _: Says(True))
    with_model = dataclasses.replace(params, verify=dataclasses.replace(params.verify, judges=["endpoint"]))
    with pytest.raises(StageError, match="line 1: verify.judges names endpoint.*--images"):
        asked(with_model, boxed("the polyp", SMALL))


def test_a_picture_without_objects_has_its_claims_read_and_nothing_decided(params: Params) -> None:
    row = {name: value for name, value in boxed("the largest polyp").items() if name not in ("boxes", "label")}
    (answer,) = asked(params, row)
    assert isinstance(answer, Answer) and [claim["kind"] for claim in answer.claims] == ["label", "rank"]
    assert (answer.verdict, answer.reason) == ("undecided", "no_mask")


def test_what_is_said_to_be_absent_is_accepted_where_the_source_marks_it(params: Params) -> None:
    row = {name: value for name, value in boxed("the polyp on the right side of the image").items() if name != "label"}
    (absent,) = asked(params, {**row, "boxes": [], "annotated_labels": ["polyp"]})
    assert (absent.verdict, absent.reason) == ("accepted", "ok")


def test_rle_is_cocos() -> None:
    assert Rle(**masked("the liver", 0)["masks"][0]) == anchors()[0].mask_rle
