"""Tiny untrained models of every family, ready to answer, and questions with pictures."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from stages.predict.asks import Ask
from stages.predict.generation import Pointer
from stages.vlm.bases import base_model, base_processor
from stages.vlm.card import load_base
from tests.vlm.families.tiny_models import save_tiny

ASKS = [
    Ask("a", "a", "the leftmost circle", 60, 40),
    Ask("b", "b", "Where is the largest lesion in the upper left, beside the right kidney?", 60, 40),
    Ask("c", "c", "x", 32, 32),
    Ask("d", "d", "the largest circle", 40, 64),
]


@functools.cache
def parts(name: str, seed: int = 3) -> tuple:
    """(model, processor, family) of a tiny model."""
    with tempfile.TemporaryDirectory() as folder:
        base = load_base(save_tiny(name, Path(folder), seed))
        return base_model(base), base_processor(base), base.family


def pointer(name: str, constrained: bool, max_boxes: int = 2, seed: int = 3) -> Pointer:
    """A tiny model that is ready to answer."""
    model, processor, family = parts(name, seed)
    return Pointer(model, processor, family, max_boxes, constrained)


def picture_of(ask: Ask) -> Image.Image:
    """Noise that depends on the question's id."""
    rng = np.random.default_rng(ord(ask.example_id[0]))
    return Image.fromarray(rng.integers(0, 255, (ask.height, ask.width, 3)).astype(np.uint8))
