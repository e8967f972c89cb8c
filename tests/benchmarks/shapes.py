"""Models of published shapes with random weights, and a seeded corpus to train and ask them with: nothing is downloaded.

Speed does not depend on what weights hold. Vocabulary and layers are those of the published configurations; the
tokenizers are small ones built here, so texts come out somewhat longer in tokens than with the published ones.
"""

from __future__ import annotations

import dataclasses
import functools
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.core.records import Example
from tests.finetune.corpus import example
from tests.vlm.families.tiny_models import BUILDERS

QWEN_TEXT = {
    "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151936,
    "max_position_embeddings": 128000, "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
}  # fmt: skip
QWEN_VISION = {
    "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14, "spatial_merge_size": 2, "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31], "out_hidden_size": 2048,
}  # fmt: skip
GEMMA_TEXT = {
    "hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256,
    "vocab_size": 257216, "max_position_embeddings": 8192,
}  # fmt: skip
SIGLIP_SO400M = {
    "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16, "patch_size": 14, "image_size": 224,
}  # fmt: skip
# Parameters of the published checkpoints, in billions (Qwen2.5-VL-3B, PaliGemma-3B-pt-224): what a shape is checked against.
PUBLISHED_BILLIONS = {"qwen2_5_vl": 3.75, "paligemma": 2.92}
SIZES = {
    "3b": ((256, 256), (320, 320), (512, 512), (640, 480), (768, 576), (1024, 768)),
    "tiny": ((32, 32), (64, 48), (96, 96)),
}
NOUNS = ("liver", "left kidney", "hypodense lesion", "enlarged lymph node", "pulmonary nodule", "polyp", "optic disc")
PLACES = (
    "",
    " on the right side of the patient",
    " in the upper left quadrant of the image, beside the larger one",
    " that lies nearest to the centre and is the darker of the two",
)


def qwen2_5_vl_3b() -> tuple[Any, Any]:
    """(configuration, processor) in the shape of Qwen2.5-VL-3B-Instruct; pictures of 256 to 1,280 tokens, as its card recommends."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    model, processor = BUILDERS["qwen2_5_vl"][0]()
    processor.image_processor = Qwen2VLImageProcessorPil(patch_size=14, merge_size=2, min_pixels=256 * 28 * 28, max_pixels=1280 * 28 * 28)
    return _resized(model.config, QWEN_TEXT, QWEN_VISION), processor


def paligemma_3b() -> tuple[Any, Any]:
    """(configuration, processor) in the shape of PaliGemma-3B at 224 px: 256 tokens a picture."""
    from transformers import SiglipImageProcessorPil

    model, processor = BUILDERS["paligemma"][0]()
    images = SiglipImageProcessorPil(size={"height": 224, "width": 224})
    images.image_seq_length = processor.image_seq_length = 256
    processor.image_processor = images
    config = _resized(model.config, GEMMA_TEXT, SIGLIP_SO400M, projection_dim=2048, hidden_size=2048)
    return config, processor


def _resized(config: Any, text: dict[str, Any], vision: dict[str, Any], **whole: Any) -> Any:
    """The configuration class of a tiny model with other sizes; token ids stay those of its tokenizer."""
    values = config.to_dict()
    # What a tiny model spells out and the classes derive from other sizes.
    tiny = {"initializer_range", "head_dim", "layer_types", "rope_scaling", "rope_parameters", "projection_dim"}
    parts = {part: {key: value for key, value in values[part].items() if key not in tiny} for part in ("text_config", "vision_config")}
    return type(config)(**{**values, "text_config": parts["text_config"] | text, "vision_config": parts["vision_config"] | vision, **whole})


def tiny(family: str) -> tuple[Any, Any]:
    """(configuration, processor) of the tests' tiny model."""
    model, processor = BUILDERS[family][0]()
    return model.config, processor


SHAPES = {"qwen2_5_vl": qwen2_5_vl_3b, "paligemma": paligemma_3b}


def shape(family: str, size: str) -> tuple[Any, Any]:
    """(configuration, processor) of a family at ``3b`` or ``tiny``."""
    return SHAPES[family]() if size == "3b" else tiny(family)


def random_model(config: Any, device: str, dtype: str) -> Any:
    """Model of a configuration with random weights, made on the device."""
    import torch
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForImageTextToText.from_config(config, dtype=getattr(torch, dtype), attn_implementation="sdpa").eval()


@dataclass(frozen=True)
class Corpus:
    """``pictures``: PNG bytes by sample id; ``groups``: the examples of each picture, equally many."""

    pictures: dict[str, bytes]
    groups: list[list[Example]]

    @functools.cached_property
    def examples(self) -> list[Example]:
        """All of them, picture after picture."""
        return [example for group in self.groups for example in group]


def make_corpus(n_pictures: int, questions: int, sizes: tuple[tuple[int, int], ...], seed: int) -> Corpus:
    """Smooth grey pictures of mixed sizes, each with ``questions`` expressions of 1 to 20 words and one or two boxes."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    pictures, groups = {}, []
    for number in range(n_pictures):
        width, height = sizes[int(rng.integers(len(sizes)))]
        coarse = Image.fromarray(rng.integers(0, 255, (16, 16)).astype(np.uint8)).resize((width, height))
        buffer = io.BytesIO()
        coarse.save(buffer, "PNG")
        sample_id = f"bench/p{number:04d}/0"
        pictures[sample_id] = buffer.getvalue()
        groups.append([_asked(f"{sample_id}~{place}", sample_id, width, height, rng) for place in range(questions)])
    return Corpus(pictures, groups)


def _asked(example_id: str, sample_id: str, width: int, height: int, rng: np.random.Generator) -> Example:
    noun = NOUNS[int(rng.integers(len(NOUNS)))]
    text = f"the {noun}{PLACES[int(rng.integers(len(PLACES)))]}"
    boxes = []
    for _ in range(int(rng.integers(1, 3))):
        x0, y0 = rng.uniform(0, 0.6, 2)
        w, h = rng.uniform(0.1, 0.35, 2)
        boxes.append([float(x0 * width), float(y0 * height), float((x0 + w) * width), float((y0 + h) * height)])
    asked = example(example_id, sample_id, text, boxes, "train", "CT")
    return dataclasses.replace(asked, label=noun.replace(" ", "_"), width=width, height=height)
