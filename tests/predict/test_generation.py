"""A batch answers as its members do alone, in whatever order they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.predict.generation import Answer, Ask, answer_all, box_scores
from stages.predict.overlay import draw_boxes
from stages.vlm.families import FAMILIES
from stages.vlm.loading import load_model, load_processor
from tests.vlm.tiny import save_tiny_base

ASKS = [
    Ask("a", "the leftmost circle", 60, 40),
    Ask("b", "Where is the largest lesion in the upper left, beside the right kidney?", 60, 40),
    Ask("c", "x", 32, 32),
    Ask("d", "the largest circle", 20, 90),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_base(tmp_path_factory.mktemp("tiny"), seed=3)


def picture_of(ask_id: str) -> Image.Image:
    ask = next(ask for ask in ASKS if ask.ask_id == ask_id)
    rng = np.random.default_rng(ord(ask_id))
    return Image.fromarray(rng.integers(0, 255, (ask.height, ask.width, 3)).astype(np.uint8))


def answers(base: Path, batch_size: int, asks: list[Ask]) -> dict[str, Answer]:
    found = answer_all(load_model(base), load_processor(base), FAMILIES["nano"], asks, picture_of, batch_size, 3)
    return {answer.ask_id: answer for answer in found}


def test_batched_answers_equal_single_ones(base: Path) -> None:
    alone, together = answers(base, 1, ASKS), answers(base, 4, ASKS[::-1])
    assert set(alone) == {"a", "b", "c", "d"}
    for ask_id, answer in alone.items():
        assert together[ask_id].text == answer.text
        assert together[ask_id].decoded == answer.decoded
        assert together[ask_id].n_tokens == answer.n_tokens
        assert np.allclose(together[ask_id].scores, answer.scores, atol=1e-5)


def test_an_untrained_model_is_a_parse_failure_and_not_a_box(base: Path) -> None:
    for answer in answers(base, 4, ASKS).values():
        assert (answer.decoded.outcome in ("ok", "repaired")) == bool(answer.decoded.boxes_xyxy_px)


def test_scores_are_the_mean_chance_of_each_box(base: Path) -> None:
    processor = load_processor(base)
    first = processor.tokenizer.convert_tokens_to_ids("<loc_0>")
    tokens = [first - 1, first, first, first, first, first + 5, first + 5, first + 6, first + 6, processor.tokenizer.eos_token_id]
    chances = [0.9, 0.1, 0.2, 0.3, 0.4, 1.0, 1.0, 0.0, 0.0, 0.9]
    assert np.allclose(box_scores(processor, tokens, chances, 2), [0.25, 0.5])
    assert box_scores(processor, tokens, chances, 0) == []


def test_the_overlay_frames_the_box() -> None:
    page = draw_boxes(Image.new("RGB", (64, 64)), [[10, 20, 30, 40]], "the circle")
    factor = page.width // 64
    assert page.getpixel((10 * factor, 30 * factor)) == (255, 196, 0)
    assert page.getpixel((20 * factor, 30 * factor)) == (0, 0, 0)
