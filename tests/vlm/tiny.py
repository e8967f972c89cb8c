"""A nano base of about fifty thousand weights, saved with its card, for tests that need a real model."""

from __future__ import annotations

from pathlib import Path

from stages.vlm.card import ModelCard, write_card
from stages.vlm.nano import NanoShape, build_model, build_processor, build_tokenizer

SHAPE = NanoShape(image_px=32, patch_px=8, vision_width=16, vision_layers=1, text_width=16, text_layers=1, heads=2, mlp_ratio=2)
TEXTS = [" the leftmost circle", " the largest lesion in the upper left", " where is the right kidney?"] * 4


def save_tiny_base(folder: Path, seed: int = 0) -> Path:
    """Build, save and card a tiny base; returns the folder."""
    import torch

    torch.manual_seed(seed)
    tokenizer = build_tokenizer(TEXTS, 330)
    build_model(tokenizer, SHAPE).save_pretrained(folder)
    build_processor(tokenizer, SHAPE).save_pretrained(folder)
    write_card(folder, ModelCard("tiny", "nano", "loc1000", "CC0-1.0", path=".", image_px=32, limits="knows nothing"))
    return folder


def save_tiny_writer(folder: Path, texts: list[str] | None = None, seed: int = 0) -> Path:
    """A tiny vision-language model with room for a long question, and a vocabulary from ``texts``; it has learnt nothing."""
    import torch

    torch.manual_seed(seed)
    tokenizer = build_tokenizer(texts or TEXTS, 700)
    model = build_model(tokenizer, SHAPE)
    model.config.text_config.max_position_embeddings = 8192
    model.save_pretrained(folder)
    build_processor(tokenizer, SHAPE).save_pretrained(folder)
    return folder
