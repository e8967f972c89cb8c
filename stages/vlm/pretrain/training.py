"""The pretraining loop: packed questions, location loss, dense auxiliary, curriculum, checkpoints to resume from."""

from __future__ import annotations

import copy
import csv
import dataclasses
import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.params import PretrainParams
from stages.core.stage import StageError
from stages.vlm.codecs import LOCATION_TOKENS
from stages.vlm.cpu import use_lean_attention, use_one_core
from stages.vlm.families import FAMILIES, PromptTokens
from stages.vlm.losses import LocationLoss
from stages.vlm.nano import NanoShape, build_model, build_processor, build_tokenizer
from stages.vlm.packing import answer_logits
from stages.vlm.pretrain.batches import EVERYTHING, WORDS, SceneBatches, asks, first_round, is_second_round
from stages.vlm.pretrain.heldout import heldout_accuracy
from stages.vlm.pretrain.language import write_phrases
from stages.vlm.pretrain.pool import read_pool
from stages.vlm.pretrain.scenes import Difficulty, make_scene
from stages.vlm.pretrain.targets import dense_loss, head_sizes

log = logging.getLogger("medground")

# Vision layers after the one that the second round's earlier head reads.
COMPARING_LAYERS = 2


@dataclass
class Run:
    """Everything that changes while training, and the parts that a step needs.

    ``heads`` of the dense auxiliary: of the last vision layer, and in the second round of an earlier one, whose outputs of
    the step a hook puts into ``early``.
    """

    model: Any
    heads: Any
    optimisers: list[Any]
    step: int
    head_sizes: dict[str, int]
    early: list[Any] = dataclasses.field(default_factory=list)


def shape_of(params: PretrainParams) -> NanoShape:
    """The model's sizes out of the parameters."""
    return NanoShape(
        params.image_px,
        params.patch_px,
        params.vision_width,
        params.vision_layers,
        params.text_width,
        params.text_layers,
        params.heads,
        params.mlp_ratio,
    )


def vocabulary_texts(seed: int, scenes: int = 1500) -> list[str]:
    """Texts that the tokenizer is trained on: everyday phrases, and clinical words so that they are not chopped."""
    texts = []
    for number in range(scenes):
        scene = make_scene((seed, WORDS, number), 64, Difficulty(8, 0.75, 0.5))
        if scene.things:
            rng = np.random.default_rng((seed, WORDS, number))
            texts += [f" {phrase.text}" for phrase in write_phrases(scene, rng, 8, EVERYTHING)]
    words = (Path(__file__).parent / "clinical_words.txt").read_text(encoding="utf-8").lower().split()
    return texts + [f" {word}" for word in words] * 12


def start_run(params: PretrainParams, processor: Any, labels: Sequence[str], seed: int, start: Path | None = None) -> Run:
    """A model, fresh or that of the folder ``start``, with a fresh auxiliary head and optimisers."""
    import torch

    torch.manual_seed(seed % 2**31)
    model = build_model(processor.tokenizer, shape_of(params)) if start is None else _model_of(start)
    use_lean_attention(model)
    sizes = head_sizes(labels)
    heads = torch.nn.ModuleList([torch.nn.Linear(params.vision_width, sum(sizes.values()))])
    return Run(model, heads, make_optimisers(model, heads, params), 0, sizes)


def begin_round(run: Run, params: PretrainParams, seed: int) -> None:
    """The second round: a deeper vision part, and auxiliary heads and optimisers that remember nothing.

    One more head reads two layers before the end: what is measured there, the last layers can compare.
    """
    import torch

    if params.second is None:
        return
    torch.manual_seed((seed + 1) % 2**31)
    deepen(run.model, params.second.vision_layers)
    out = sum(run.head_sizes.values())
    width = params.vision_width
    run.heads = torch.nn.ModuleList([torch.nn.Linear(width, out), torch.nn.Sequential(torch.nn.LayerNorm(width), torch.nn.Linear(width, out))])
    vision_layers(run.model)[max(params.second.vision_layers - 1 - COMPARING_LAYERS, 0)].register_forward_hook(lambda _, __, seen: run.early.append(seen))
    run.optimisers = make_optimisers(run.model, run.heads, params)


def vision_layers(model: Any) -> Any:
    """The transformer layers of the vision part."""
    return model.model.vision_model.encoder.layers


def deepen(model: Any, layers: int) -> None:
    """Add vision layers until there are so many, each a copy of the last that adds nothing yet (its outputs start at zero)."""
    import torch

    stack = vision_layers(model)
    while len(stack) < layers:
        more = copy.deepcopy(stack[-1])
        for last in (more.self_attn.out_proj, more.mlp.fc2):
            torch.nn.init.zeros_(last.weight)
            torch.nn.init.zeros_(last.bias)
        stack.append(more)
    model.config.vision_config.num_hidden_layers = len(stack)


def _model_of(folder: Path) -> Any:
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)


def processor_of(params: PretrainParams, seed: int, start: Path | None) -> Any:
    """A processor whose tokenizer is trained on the texts to come, or that of the folder ``start``."""
    if start is None:
        return build_processor(build_tokenizer(vocabulary_texts(seed), params.vocabulary), shape_of(params))
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(start, local_files_only=True)


def make_optimisers(model: Any, heads: Any, params: PretrainParams) -> list[Any]:
    """Muon (Jordan et al., 2024) for the matrices of the layers, AdamW for embeddings, norms, biases and heads."""
    import torch

    matrices: list[Any] = []
    others: list[Any] = list(heads.parameters())
    for name, weight in model.named_parameters():
        inner = weight.ndim == 2 and ("layers." in name or "modality_projection" in name)
        (matrices if inner else others).append(weight)
    muon = torch.optim.Muon(matrices, lr=params.matrix_rate, weight_decay=params.weight_decay, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(others, lr=params.learning_rate, betas=(0.9, 0.98), weight_decay=params.weight_decay)
    return [muon, adam]


def rate_at(step: int, params: PretrainParams) -> float:
    """Share of the peak step size: linear warm-up, constant, linear decay to 1% over the last ``decay_share``; in each round."""
    first, length, peak = 0, first_round(params), 1.0
    if step >= length:
        first, length, peak = length, params.steps - length, params.second.rate if params.second else 1.0
    warm = min(1.0, (step - first + 1) / params.warmup_steps)
    left = (first + length - step) / max(params.decay_share * length, 1.0)
    return peak * warm * min(1.0, max(left, 0.01))


def train_step(run: Run, batch: dict[str, Any], params: PretrainParams, loss_of: LocationLoss) -> tuple[float, float]:
    """One step on a batch; returns the answer loss (NaN where nothing is asked) and the dense loss.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    import torch

    run.model.train()
    run.early.clear()
    second = params.second if is_second_round(run.step, params) else None
    asked = asks(run.step, params)
    with torch.autocast("cpu", torch.bfloat16):
        seen = run.model.model.get_image_features(batch["pixel_values"], return_dict=True)
        outputs = [head(features) for head, features in zip(run.heads, [seen.last_hidden_state, *run.early], strict=True)]
        logits, due = answer_logits(run.model, batch, seen) if asked else (None, None)
    dense = sum(dense_loss(out, batch["dense"], run.head_sizes, second) for out in outputs) / len(outputs)
    answer = loss_of(logits, due) if asked else None
    loss = params.dense_weight * dense + (0.0 if answer is None else answer)
    if not math.isfinite(float(loss.detach())):
        raise FloatingPointError(f"pretraining loss is {float(loss.detach())} at step {run.step}: lower pretrain.learning_rate")
    loss.backward()
    torch.nn.utils.clip_grad_norm_([*run.model.parameters(), *run.heads.parameters()], 1.0)
    for optimiser, peak in zip(run.optimisers, (params.matrix_rate, params.learning_rate), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = peak * rate_at(run.step, params)
        optimiser.step()
        optimiser.zero_grad()
    run.step += 1
    return math.nan if answer is None else float(answer.detach()), float(dense.detach())


@dataclass(frozen=True)
class Base:
    """What the pretraining made: model, processor, held-out accuracy by kind, and the minutes that the steps took."""

    model: Any
    processor: Any
    scores: dict[str, float]
    minutes: float


def pretrain(params: PretrainParams, seed: int, checkpoints: Path, curve: Path, start: Path | None = None) -> Base:
    """Train to the end, from the last checkpoint when there is one; from the nano base in ``start`` instead of from nothing.

    ``curve`` is rewritten with the rows of the whole run: step, minutes, losses and, at checkpoints, held-out accuracy by kind.

    Raises:
        StageError: the second round would begin where the steps end.
    """
    import torch
    from tqdm import tqdm

    if params.second and params.second.after >= params.steps:
        raise StageError(
            f"params.yaml:pretrain:second:after is {params.second.after} of {params.steps} steps in all: raise pretrain.steps, or set pretrain.second to null for one round"
        )
    use_one_core()
    torch.set_num_threads(params.threads)
    processor = processor_of(params, seed, start)
    tokens = PromptTokens(FAMILIES["nano"], processor)
    pool = read_pool(params, processor.image_processor)
    source = SceneBatches(params, tokens, pool, seed)
    run = start_run(params, processor, pool.labels, seed, start)
    rows = resume(run, checkpoints / "last.pt", params, seed)
    loss_of = LocationLoss(tokens.token_id(LOCATION_TOKENS[0]), params.sigma_bins, params.l1_weight)
    loader = torch.utils.data.DataLoader(source, batch_size=None, sampler=range(run.step, len(source)), num_workers=1, prefetch_factor=4, worker_init_fn=_stand_back)
    recent: list[tuple[float, float]] = []
    started, minutes_before = time.monotonic(), rows[-1]["minutes"] if rows else 0.0
    for batch in tqdm(loader, desc="pretrain", initial=run.step, total=len(source), unit="step", mininterval=10):
        if params.second and run.step == params.second.after:
            begin_round(run, params, seed)
        recent.append(train_step(run, batch, params, loss_of))
        if run.step % params.checkpoint_steps == 0 or run.step == len(source):
            minutes = minutes_before + (time.monotonic() - started) / 60
            scores = heldout_accuracy(run.model.eval(), processor, source, pool, tokens, params, seed)
            rows.append(curve_row(run.step, minutes, recent, scores))
            recent = []
            log.info("%s", rows[-1])
            save_checkpoint(run, rows, checkpoints / "last.pt")
            write_curve(rows, curve)
    scores = {key: value for key, value in rows[-1].items() if key not in ROW_HEADS}
    return Base(run.model, processor, scores, rows[-1]["minutes"])


ROW_HEADS = ("step", "minutes", "answer_loss", "dense_loss")


def curve_row(step: int, minutes: float, losses: Sequence[tuple[float, float]], scores: dict[str, float]) -> dict[str, Any]:
    """One row of the curve: the mean (answer, dense) losses since the last row, and the held-out accuracy now.

    The answer loss is that of the steps that asked, None where none did.
    """
    answers = [answer for answer, _ in losses if not math.isnan(answer)]
    answer = round(float(np.mean(answers)), 4) if answers else None
    values = (step, round(minutes, 1), answer, round(float(np.mean([dense for _, dense in losses])), 4))
    return {**dict(zip(ROW_HEADS, values, strict=True)), **{key: round(value, 4) for key, value in scores.items()}}


def _stand_back(_: int) -> None:
    """The worker that draws scenes leaves the core to the training where the two share one."""
    os.nice(5)


def resume(run: Run, path: Path, params: PretrainParams, seed: int) -> list[dict[str, Any]]:
    """Load a checkpoint into the run, when there is one; returns the rows of the curve so far."""
    import torch

    if not path.exists():
        return []
    state = torch.load(path, weights_only=True)
    if params.second and state["step"] > params.second.after:
        begin_round(run, params, seed)
    run.model.load_state_dict(state["model"])
    run.heads.load_state_dict(state["heads"])
    for optimiser, saved in zip(run.optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    run.step = state["step"]
    log.info("resuming at step %d from %s", run.step, path)
    return state["rows"]


def save_checkpoint(run: Run, rows: list[dict[str, Any]], path: Path) -> None:
    """Write all state; the rename is atomic, so that a killed run leaves the earlier checkpoint whole."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"model": run.model.state_dict(), "heads": run.heads.state_dict(), "step": run.step, "rows": rows}
    torch.save({**state, "optimisers": [optimiser.state_dict() for optimiser in run.optimisers]}, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def write_curve(rows: list[dict[str, Any]], path: Path) -> None:
    """The training curve as CSV, columns in the order of their first appearance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
