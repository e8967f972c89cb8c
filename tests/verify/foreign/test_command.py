"""The command line: one sentence about a sample or a picture, files with other names of fields."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.core.geometry import decode_mask
from stages.core.params import Params
from stages.verify.__main__ import main
from tests.verify.foreign.asking import SAMPLE
from tests.verify.scenes import anchors, sample


@pytest.fixture
def picture(params: Params, tmp_path: Path) -> str:
    """The slice as a picture with the aorta's mask beside it, in the tree's folder."""
    (tmp_path / "slice.png").write_bytes(sample().image)
    cv2.imwrite(str(tmp_path / "aorta.png"), decode_mask(anchors()[4].mask_rle).astype(np.uint8) * 255)
    return "slice.png"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints."""
    main(list(arguments))
    return capsys.readouterr().out


def test_a_picture_with_boxes_is_judged_without_ingest(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = [option for number in (5, 6) for option in ("--box", ",".join(map(str, anchors()[number].box_xyxy_px)))]
    shown = said(capsys, "--text", "the liver lesions on the left side of the image", "--image", picture, "--modality", "CT", "--label", "liver lesion", *boxes)
    assert "satisfied by:   slice.png#0, slice.png#1" in shown and "undecided (no_mask)" in shown


def test_a_picture_with_a_mask_is_seen(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "--text", "the round aorta", "--image", picture, "--modality", "CT", "--label", "aorta", "--mask", "aorta.png")
    assert "accepted (ok)" in shown


def test_a_picture_alone_has_the_claims_read(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "--text", "the largest hypodense lesion", "--image", picture, "--modality", "CT")
    assert "rank size:1" in shown and "appearance dark" in shown and "undecided (no_mask)" in shown


def test_a_sentence_that_nothing_satisfies_is_rejected_unless_it_says_so(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = ("--text", "the lesion in the spleen", "--sample", SAMPLE)
    assert "rejected (no_target) none of the picture's 8 objects satisfies it" in said(capsys, *sentence)
    assert "accepted (ok)" in said(capsys, "--text", "the liver lesion in the spleen", "--sample", SAMPLE, "--absent")


def test_a_published_files_own_names_are_read(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"caption": "the polyp in the upper left corner of the image", "bbox": [10, 10, 20, 20], "path": "a.png", "height": 100, "width": 200, "split": "test"}
    Path("set.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    names = ("--field", "text=caption", "--field", "boxes=bbox", "--field", "image=path")
    values = ("--set", "modality=endoscopy", "--set", "box_format=xywh_px", "--set", 'annotated_labels=["polyp"]')
    (answer,) = map(json.loads, said(capsys, "--queries", "set.jsonl", *names, *values).splitlines())
    assert (answer["checks"]["claims"], answer["reason"], answer["assumed"]) == ("ok", "no_mask", ["label"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--text", "x"], ["--sample", "x"], ["--text", "x", "--sample", "y", "--queries", "z"], ["--text", "x", "--sample", "y", "--image", "z"],
        ["--text", "x", "--image", "a.png"], ["--text", "x", "--image", "a.png", "--modality", "CT", "--box", "1,2"], ["--box", "1,2,3,4"],
        ["--text", "x", "--sample", "y", "--mask", "a.png"], ["--queries", "a", "--field", "texts=b"], ["--queries", "a", "--set", "width=x"],
        ["--text", "x", "--image", "a/b.png", "--modality", "CT", "--mask", "/etc/passwd"],
    ],
)  # fmt: skip
def test_half_a_command_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
