"""A tiny model of every family: its real configuration, model and processor classes, a locally trained tokenizer.

``save_tiny("qwen2_5_vl", folder)`` writes weights, processor and card; ``load_base(folder)`` takes it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stages.vlm.card import ModelCard, write_card
from stages.vlm.codecs import LOCATION_TOKENS
from stages.vlm.families import FAMILIES
from tests.vlm.tiny import SHAPE, TEXTS

WORDS = [*TEXTS, '[{"bbox_2d": [120, 45, 678, 901], "label": "target"}]', "Locate the lesion, output the bbox coordinates in JSON format."] * 3
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
LONG = {"max_position_embeddings": 2048, "initializer_range": 0.05}
SIGLIP = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8}
SIDE = 32
CHAT = (
    "{{% for message in messages %}}{{{{ '{start}' + message['role'] + '\n' }}}}"
    "{{% for part in message['content'] %}}{{% if part['type'] == 'image' %}}{{{{ '{image}' }}}}{{% else %}}{{{{ part['text'] }}}}"
    "{{% endif %}}{{% endfor %}}{{{{ '{end}\n' }}}}{{% endfor %}}{{% if add_generation_prompt %}}{{{{ '{start}{answerer}\n' }}}}{{% endif %}}"
)


def tokenizer_of(special: Sequence[str], ordinary: Sequence[str], named: dict[str, str], kind: str = "PreTrainedTokenizerFast") -> Any:
    """Byte-level BPE over a few words; ``named`` are the tokens that the tokenizer knows by attribute (eos_token, ..)."""
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=[*special], initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(WORDS, trainer)
    known = {key: value for key, value in named.items() if key in ("eos_token", "pad_token", "bos_token", "unk_token")}
    extra = {key: value for key, value in named.items() if key not in known}
    tokenizer = getattr(transformers, kind)(tokenizer_object=raw, **known, extra_special_tokens=extra, padding_side="left", clean_up_tokenization_spaces=False)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ordinary])
    return tokenizer


def _chat(start: str, image: str, end: str, answerer: str = "assistant") -> str:
    return CHAT.format(start=start, image=image, end=end, answerer=answerer)


def _qwen(processor_kind: str, config_kind: str, model_kind: str, patch: int, vision: dict[str, Any]) -> tuple[Any, Any]:
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"]
    seeing = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = tokenizer_of([*marks, *seeing], [], {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"})
    template = _chat("<|im_start|>", "<|vision_start|><|image_pad|><|vision_end|>", "<|im_end|>")
    images = Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, min_pixels=(2 * patch) ** 2, max_pixels=(8 * patch) ** 2)
    videos = transformers.Qwen2VLVideoProcessor() if config_kind != "Qwen3VLConfig" else transformers.Qwen3VLVideoProcessor()
    processor = getattr(transformers, processor_kind)(images, tokenizer, videos, chat_template=template)
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{token}|>") for name, token in _QWEN_IDS.items()}
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    if config_kind == "Qwen3VLConfig":
        rope["mrope_interleaved"] = True
    text = {**TEXT, **LONG, "vocab_size": len(tokenizer), "rope_parameters": rope, "tie_word_embeddings": True}
    text |= {"head_dim": 16} if config_kind == "Qwen3VLConfig" else {}
    ends = {"eos_token_id": ids["vision_end_token_id"], "pad_token_id": tokenizer.pad_token_id}
    config = getattr(transformers, config_kind)(text_config=text | ends, vision_config=vision, tie_word_embeddings=True, **ids)
    return getattr(transformers, model_kind)(config), processor


_QWEN_IDS = {
    "image_token_id": "image_pad",
    "video_token_id": "video_pad",
    "vision_start_token_id": "vision_start",
    "vision_end_token_id": "vision_end",
}


def qwen2_vl() -> tuple[Any, Any]:
    """Qwen2-VL of two text layers."""
    vision = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "mlp_ratio": 2, "num_heads": 2, "patch_size": 8}
    return _qwen("Qwen2VLProcessor", "Qwen2VLConfig", "Qwen2VLForConditionalGeneration", 8, vision)


def qwen2_5_vl() -> tuple[Any, Any]:
    """Qwen2.5-VL of two text layers, one vision layer with full attention."""
    vision = {
        "depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 8, "out_hidden_size": 32, "window_size": 64,
        "fullatt_block_indexes": [0],
    }  # fmt: skip
    return _qwen("Qwen2_5_VLProcessor", "Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration", 8, vision)


def qwen3_vl() -> tuple[Any, Any]:
    """Qwen3-VL of two text layers and one deepstack level."""
    vision = {
        "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 8, "out_hidden_size": 32,
        "num_position_embeddings": 64, "deepstack_visual_indexes": [0],
    }  # fmt: skip
    return _qwen("Qwen3VLProcessor", "Qwen3VLConfig", "Qwen3VLForConditionalGeneration", 8, vision)


def _paligemma(text_kind: str) -> tuple[Any, Any]:
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor, SiglipImageProcessorPil

    tokenizer = tokenizer_of(
        ["<pad>", "<eos>", "<bos>", "<unk>", "<image>"], [],
        {"eos_token": "<eos>", "pad_token": "<pad>", "bos_token": "<bos>", "unk_token": "<unk>", "image_token": "<image>"},
    )  # fmt: skip
    images = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    images.image_seq_length = (SIDE // 8) ** 2
    processor = PaliGemmaProcessor(images, tokenizer)
    text = {**TEXT, **LONG, "model_type": text_kind, "head_dim": 16, "vocab_size": len(tokenizer), "pad_token_id": 0, "eos_token_id": 1}
    text |= {"query_pre_attn_scalar": 16, "sliding_window": 2048} if text_kind == "gemma2" else {}
    vision = {**SIGLIP, "image_size": SIDE, "model_type": "siglip_vision_model", "vision_use_head": False}
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    config = PaliGemmaConfig(vision_config=vision, text_config=text, image_token_index=image_id, vocab_size=len(tokenizer), projection_dim=32, hidden_size=32, pad_token_id=0)
    return PaliGemmaForConditionalGeneration(config), processor


def paligemma() -> tuple[Any, Any]:
    """PaliGemma 1: a Gemma text part."""
    return _paligemma("gemma")


def paligemma2() -> tuple[Any, Any]:
    """PaliGemma 2: a Gemma 2 text part."""
    return _paligemma("gemma2")


def florence2() -> tuple[Any, Any]:
    """Florence-2 of one encoder and one decoder layer."""
    from transformers import CLIPImageProcessorPil, Florence2Config, Florence2ForConditionalGeneration, Florence2Processor

    tokenizer = tokenizer_of(
        ["<s>", "<pad>", "</s>", "<unk>", "<image>", *LOCATION_TOKENS], [],
        {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "image_token": "<image>"},
    )  # fmt: skip
    images = CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    # 2 x 2 cells of the last stage and their mean.
    images.image_seq_length = 5
    processor = Florence2Processor(images, tokenizer)
    vision = {
        "depths": [1, 1, 1, 1], "embed_dim": [8, 8, 16, 32], "num_heads": [1, 1, 2, 2], "num_groups": [1, 1, 2, 2], "window_size": 4,
        "projection_dim": 32, "drop_path_rate": 0.0,
    }  # fmt: skip
    text = {
        "model_type": "bart", "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": len(tokenizer), "max_position_embeddings": 512,
        "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": None, "dropout": 0.0,
        "init_std": 0.05,
    }  # fmt: skip
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    config = Florence2Config(text_config=text, vision_config=vision, image_token_id=image_id, bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2)
    return Florence2ForConditionalGeneration(config), processor


def internvl3() -> tuple[Any, Any]:
    """InternVL 3 with a Qwen2 text part."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLProcessor, InternVLVideoProcessor
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>", "<ref>", "</ref>", "<box>", "</box>"]
    named = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"}
    tokenizer = tokenizer_of(marks, [], {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", **named})
    template = _chat("<|im_start|>", "<IMG_CONTEXT>\n", "<|im_end|>")
    images = GotOcr2ImageProcessorPil(size={"height": SIDE, "width": SIDE}, crop_to_patches=True, min_patches=1, max_patches=2)
    processor = InternVLProcessor(images, tokenizer, InternVLVideoProcessor(), image_seq_length=4, chat_template=template)
    vision = {**SIGLIP, "patch_size": [8, 8], "image_size": [SIDE, SIDE]}
    text = {**TEXT, **LONG, "model_type": "qwen2", "vocab_size": len(tokenizer), "tie_word_embeddings": True}
    text |= {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    image_id = tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    config = InternVLConfig(vision_config=vision, text_config=text, image_token_id=image_id, image_seq_length=4)
    return InternVLForConditionalGeneration(config), processor


def gemma3() -> tuple[Any, Any]:
    """Gemma 3 with four image tokens."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3ImageProcessorPil, Gemma3Processor

    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    named = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    tokenizer = tokenizer_of(marks, [], {"eos_token": "<eos>", "pad_token": "<pad>", "bos_token": "<bos>", "unk_token": "<unk>", **named})
    template = "<bos>" + _chat("<start_of_turn>", "<start_of_image>", "<end_of_turn>", "model")
    images = Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    processor = Gemma3Processor(images, tokenizer, chat_template=template, image_seq_length=4)
    text = {**TEXT, **LONG, "head_dim": 16, "vocab_size": len(tokenizer), "query_pre_attn_scalar": 16, "sliding_window": 1024}
    vision = {**SIGLIP, "image_size": SIDE, "vision_use_head": False}
    ids = {key: tokenizer.convert_tokens_to_ids(token) for key, token in zip(("boi", "eoi", "image"), named.values(), strict=True)}
    indices = {f"{key}_token_index": value for key, value in ids.items()}
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, **indices)
    model = Gemma3ForConditionalGeneration(config)
    # Fresh weights have zeros there, which pass no gradient to the vision part.
    model.model.multi_modal_projector.mm_input_projection_weight.data.normal_(std=0.1)
    return model, processor


def _smol(kind: str, images: Any, videos: tuple[Any, ...]) -> tuple[Any, Any]:
    """A square of the whole picture and, where it is larger, its tiles."""
    import transformers

    marks = ["<pad>", "<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>", "<video>"]
    tokenizer = tokenizer_of(marks, [], {"eos_token": "<end_of_utterance>", "pad_token": "<pad>", "bos_token": "<|im_start|>"})
    template = _chat("<|im_start|>", "<image>", "<end_of_utterance>")
    processor = getattr(transformers, f"{kind}Processor")(images, tokenizer, *videos, image_seq_len=4, chat_template=template)
    text = {**TEXT, **LONG, "model_type": "llama", "vocab_size": len(tokenizer), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {**SIGLIP, "image_size": SIDE}
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    config = getattr(transformers, f"{kind}Config")(vision_config=vision, text_config=text, image_token_id=image_id, scale_factor=2, pad_token_id=0, tie_word_embeddings=False)
    return getattr(transformers, f"{kind}ForConditionalGeneration")(config), processor


_TILES = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}, "do_image_splitting": True, "do_pad": True}


def smolvlm() -> tuple[Any, Any]:
    """SmolVLM (Idefics3 classes) with a Llama text part and tiles."""
    from transformers import Idefics3ImageProcessorPil

    return _smol("Idefics3", Idefics3ImageProcessorPil(**_TILES, return_row_col_info=True), ())


def smolvlm2() -> tuple[Any, Any]:
    """SmolVLM2 with a Llama text part and tiles."""
    from transformers import SmolVLMImageProcessorPil, SmolVLMVideoProcessor

    videos = SmolVLMVideoProcessor(size={"longest_edge": SIDE}, max_image_size={"longest_edge": SIDE})
    return _smol("SmolVLM", SmolVLMImageProcessorPil(**_TILES, return_row_col_info=True), (videos,))


def nano() -> tuple[Any, Any]:
    """The nano base of ``tests.vlm.tiny``."""
    from stages.vlm.nano import build_model, build_processor, build_tokenizer

    tokenizer = build_tokenizer(TEXTS, 330)
    return build_model(tokenizer, SHAPE), build_processor(tokenizer, SHAPE)


# Builder and family by the model's name: some families have models of two generations, MedGemma is built as Gemma 3.
BUILDERS: dict[str, tuple[Callable[[], tuple[Any, Any]], str]] = {
    "nano": (nano, "nano"),
    "qwen2_vl": (qwen2_vl, "qwen2_vl"),
    "qwen2_5_vl": (qwen2_5_vl, "qwen2_5_vl"),
    "qwen3_vl": (qwen3_vl, "qwen3_vl"),
    "paligemma": (paligemma, "paligemma"),
    "paligemma2": (paligemma2, "paligemma"),
    "florence2": (florence2, "florence2"),
    "internvl3": (internvl3, "internvl3"),
    "gemma3": (gemma3, "gemma3"),
    "medgemma": (gemma3, "medgemma"),
    "smolvlm": (smolvlm, "smolvlm"),
    "smolvlm2": (smolvlm2, "smolvlm"),
}


def save_tiny(name: str, folder: Path, seed: int = 0) -> Path:
    """Build, save and card a tiny model; returns the folder, which ``load_base`` takes."""
    import torch

    torch.manual_seed(seed)
    build, family = BUILDERS[name]
    model, processor = build()
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    write_card(folder, ModelCard(f"tiny_{name}", family, FAMILIES[family].codec, "CC0-1.0", path=".", limits="knows nothing"))
    return folder
