"""A real small vision-language model that has learnt by heart to answer the questions of ``tables``, in about half a minute.

It shows that questions, chat template, pictures, decoding and answers fit together; it is no writer for anything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stages.core.params import GenerateParams
from stages.generate.prompting import request_for
from stages.generate.scenes import read_scenes, read_shown
from stages.generate.targets import plan_scene
from stages.vlm.chat import ChatRequest, transcript
from stages.vlm.local import _part
from stages.vlm.nano import NanoShape, build_model, build_processor, build_tokenizer
from tests.vlm.chat_server import obedient

SHAPE = NanoShape(image_px=32, patch_px=8, vision_width=16, vision_layers=1, text_width=64, text_layers=2, heads=4, mlp_ratio=2)
EPOCHS, RATE = 24, 4e-3


def lessons(params: GenerateParams, seed: int) -> list[tuple[ChatRequest, str]]:
    """Every question about the dataset "one" of the working folder, with a good answer."""
    pairs = []
    for scene, shown in zip(read_scenes("one"), read_shown("one"), strict=True):
        for target in plan_scene(scene, params, seed)[0]:
            request = request_for(scene, target, shown, params)
            texts = [{"type": "text", "text": part} for part in request.parts if isinstance(part, str)]
            answer = obedient({"messages": [{"role": "user", "content": texts}]}, 0).text
            pairs.append((request, answer))
    return pairs


def teach(folder: Path, pairs: list[tuple[ChatRequest, str]]) -> None:
    """Train from scratch on the pairs (loss on the answers alone) and save model and processor."""
    import torch

    torch.manual_seed(0)
    said = [part for request, _ in pairs for part in (request.system, *request.parts) if isinstance(part, str)]
    tokenizer = build_tokenizer([*said, *[answer for _, answer in pairs] * 3], 1500)
    model, processor = build_model(tokenizer, SHAPE), build_processor(tokenizer, SHAPE)
    model.config.text_config.max_position_embeddings = 8192
    batches = [_batch(processor, request, answer) for request, answer in pairs]
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, EPOCHS * len(batches), pct_start=0.15)
    for _ in range(EPOCHS):
        for batch in batches:
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _batch(processor: Any, request: ChatRequest, answer: str) -> dict[str, Any]:
    import torch

    turns = [{"role": turn["role"], "content": [_part(part) for part in turn["parts"]]} for turn in transcript(request, False)]
    asked = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")
    end = processor.tokenizer.eos_token_id
    ids = torch.cat([asked.pop("input_ids"), torch.tensor([[*processor.tokenizer(answer).input_ids, end]])], dim=1)
    asked.pop("attention_mask")
    labels = ids.clone()
    labels[:, : ids.shape[1] - len(processor.tokenizer(answer).input_ids) - 1] = -100
    return {**asked, "input_ids": ids, "labels": labels}
