"""Packed questions are computed as if each stood alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.vlm.families import FAMILIES, PromptTokens, prompt_text
from stages.vlm.loading import load_model, load_processor
from stages.vlm.packing import IGNORE, answer_logits, attention_of, pack_rows
from tests.vlm.tiny import save_tiny_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_base(tmp_path_factory.mktemp("tiny"))


def test_a_packed_question_gets_the_logits_that_the_plain_prompt_gets(base: Path) -> None:
    import torch
    from PIL import Image

    processor, model, family = load_processor(base), load_model(base), FAMILIES["nano"]
    tokens = PromptTokens(family, processor)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8))
    segments = [tokens.segment("the leftmost circle", [[1, 2, 30, 40]], 60, 40), tokens.segment("Where is the right kidney?", [], 60, 40)]
    plain = [processor(text=[prompt_text(family, processor, text)], images=[[picture]], return_tensors="pt") for text in ("the leftmost circle", "Where is the right kidney?")]
    batch = {key: torch.from_numpy(value) for key, value in pack_rows(tokens.prefix_ids, [segments, segments[::-1]], tokens.pad_id).items()}
    batch["pixel_values"] = plain[0]["pixel_values"].expand(2, -1, -1, -1, -1)
    with torch.inference_mode():
        logits, due = answer_logits(model, batch)
        alone = [model(**inputs).logits[0, -1] for inputs in plain]
    assert due.tolist()[:6] == list(segments[0].answer_ids)
    firsts = [0, len(segments[0].answer_ids)]
    for first, expected in zip(firsts, alone, strict=True):
        assert torch.allclose(logits[first], expected, atol=1e-5)


def test_the_prompt_of_training_is_the_prompt_of_prediction(base: Path) -> None:
    processor = load_processor(base)
    tokens = PromptTokens(FAMILIES["nano"], processor)
    picture = np.zeros((32, 32, 3), np.uint8)
    text = "The largest lesion, in the upper left."
    inputs = processor(text=[prompt_text(FAMILIES["nano"], processor, text)], images=[[picture]], return_tensors="np")
    assert inputs["input_ids"][0].tolist() == [*tokens.prefix_ids, *tokens.question(text)]


def test_only_answers_are_learned_and_segments_do_not_see_each_other() -> None:
    import torch

    from stages.vlm.packing import Segment

    batch = pack_rows([1, 2], [[Segment((3,), (4, 5)), Segment((6,), (7,))], [Segment((3,), (4,))]], pad_id=0)
    assert batch["labels"][0].tolist() == [IGNORE, IGNORE, IGNORE, 4, 5, IGNORE, 7]
    assert batch["position_ids"][0].tolist() == [0, 1, 2, 3, 4, 2, 3]
    seen = attention_of(torch.from_numpy(batch["segments"]))[0, 0] == 0
    assert seen[5].tolist() == [True, True, False, False, False, True, False]
    assert seen[3].tolist() == [True, True, True, True, False, False, False]


def test_location_tokens_survive_the_removal_of_special_tokens(base: Path) -> None:
    tokenizer = load_processor(base).tokenizer
    text = "<loc_0><loc_17><loc_500><loc_999>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == 4
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == text
    assert tokenizer.decode(tokenizer("none", add_special_tokens=False)["input_ids"]) == "none"


def test_a_picture_of_any_shape_becomes_the_same_square(base: Path) -> None:
    processor = load_processor(base)
    for height, width in ((32, 32), (100, 40), (37, 200)):
        picture = np.full((height, width, 3), 200, np.uint8)
        pixels = processor.image_processor(picture, return_tensors="np")["pixel_values"]
        assert pixels.shape == (1, 1, 3, 32, 32)
        assert abs(float(pixels.mean()) - (200 / 255 - 0.5) / 0.5) < 1e-3
