"""Builds the nano base: Idefics3 architecture of about two million weights, its tokenizer and its processor.

Everything is a stock ``transformers`` class, so the saved folder loads with AutoProcessor and
AutoModelForImageTextToText and needs no code of this repository.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stages.vlm.codecs import BINS, BOX_MARK, LOCATION_TOKENS, NOTHING

PAD, START, USER, ASSISTANT, END = "<pad>", "<s>", "<user>", "<assistant>", "<end_of_utterance>"
IMAGE, FAKE, GLOBAL = "<image>", "<fake_token_around_image>", "<global-img>"
SPECIAL_TOKENS = (PAD, START, END, USER, ASSISTANT, FAKE, IMAGE, GLOBAL)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<user>' if message['role'] == 'user' else '<assistant>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% endif %}"
    "{% if part['type'] == 'text' %}{{ (' ' if message['role'] == 'user' else '') + part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% if message['role'] == 'assistant' %}<end_of_utterance>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@dataclass(frozen=True)
class NanoShape:
    """Sizes of the nano model. Images are ``image_px`` square; each image becomes (image_px / patch_px / 2)^2 tokens."""

    image_px: int
    patch_px: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int
    heads: int
    mlp_ratio: int

    @property
    def image_tokens(self) -> int:
        """Tokens that an image takes in the text part, after pixel shuffle by 2."""
        return (self.image_px // self.patch_px // 2) ** 2


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """Byte-level BPE with single digits, trained on ``texts``; the location tokens are ordinary added tokens.

    Ordinary, not special, so that they survive ``skip_special_tokens`` when an answer is decoded.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator([*texts, *[NOTHING] * 50], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=PAD, bos_token=START, eos_token=END, padding_side="left", clean_up_tokenization_spaces=False)
    tokenizer.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT, FAKE, IMAGE, GLOBAL]})
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in (*LOCATION_TOKENS, BOX_MARK)])
    return tokenizer


def build_processor(tokenizer: Any, shape: NanoShape) -> Any:
    """Idefics3 processor that resizes every image to one square, without splitting or padding."""
    from transformers import Idefics3ImageProcessorPil, Idefics3Processor

    size = {"height": shape.image_px, "width": shape.image_px}
    images = Idefics3ImageProcessorPil(do_image_splitting=False, do_pad=False, size=size, max_image_size={"longest_edge": shape.image_px}, return_row_col_info=False)
    return Idefics3Processor(images, tokenizer, image_seq_len=shape.image_tokens, chat_template=CHAT_TEMPLATE)


def build_model(tokenizer: Any, shape: NanoShape) -> Any:
    """Idefics3ForConditionalGeneration with random weights and smooth starts (see ``smooth_start``).

    Seed torch before: the weights are drawn from its generator.
    """
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in (("pad", PAD), ("bos", START), ("eos", END), ("image", IMAGE))}
    vision = {
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * shape.mlp_ratio,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.heads,
        "image_size": shape.image_px,
        "patch_size": shape.patch_px,
    }
    text = {
        "model_type": "llama",
        "hidden_size": shape.text_width,
        "intermediate_size": shape.text_width * shape.mlp_ratio,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 512,
        "initializer_range": 0.05,
        "tie_word_embeddings": False,
        "pad_token_id": ids["pad"],
        "bos_token_id": ids["bos"],
        "eos_token_id": ids["eos"],
    }
    config = Idefics3Config(
        vision_config=vision, text_config=text, scale_factor=2, image_token_id=ids["image"], tie_word_embeddings=False, pad_token_id=ids["pad"],
        bos_token_id=ids["bos"], eos_token_id=ids["eos"],
    )  # fmt: skip
    model = Idefics3ForConditionalGeneration(config)
    model.generation_config.pad_token_id = ids["pad"]
    model.generation_config.bos_token_id = ids["bos"]
    model.generation_config.eos_token_id = ids["eos"]
    smooth_start(model, tokenizer.convert_tokens_to_ids(LOCATION_TOKENS[0]), shape)
    return model


def cosine_basis(positions: int, waves: int) -> Any:
    """DCT-II basis, float tensor (positions, waves): cos(pi * j * (k + 1/2) / positions); neighbours are alike."""
    import torch

    centre = (torch.arange(positions, dtype=torch.float32) + 0.5) / positions
    return torch.cos(math.pi * centre[:, None] * torch.arange(waves, dtype=torch.float32)[None, :])


def smooth_start(model: Any, first_location: int, shape: NanoShape) -> None:
    """Start location tokens and 2-D patch positions as cosines of their coordinate.

    Without it neighbouring bins are strangers to one another and four numbers an image teach nothing.
    """
    import torch

    with torch.no_grad():
        basis = cosine_basis(BINS, shape.text_width)
        basis = basis / (1 + torch.arange(shape.text_width) / 24.0)
        basis = basis / basis.pow(2).mean().sqrt()
        rows = slice(first_location, first_location + BINS)
        model.get_input_embeddings().weight[rows] = basis * 0.05
        model.lm_head.weight[rows] = basis * 0.05
        side = shape.image_px // shape.patch_px
        line = cosine_basis(side, side)
        grid = torch.cat([line[None].expand(side, -1, -1), line[:, None].expand(-1, side, -1)], dim=2).reshape(side * side, 2 * side)
        mixed = grid @ torch.randn(2 * side, shape.vision_width)
        model.model.vision_model.embeddings.position_embedding.weight.copy_(mixed / mixed.pow(2).mean().sqrt() * 0.3)
