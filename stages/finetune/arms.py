"""What each arm learns from: the same images and boxes, other words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.core.mirror import mirrored_text
from stages.core.params import FinetuneParams
from stages.core.records import Example
from stages.core.stage import StageError, seed_for
from stages.vlm.families.words import spoken

EXPERTS = "experts"


@dataclass(frozen=True)
class Row:
    """The examples of one image under an arm's words; ``mirrorable``: all that is said of it has a mirror image.

    That is asked of the referring queries and of the class names, so that all arms mirror the same pictures.
    """

    examples: list[Example]
    mirrorable: bool


@dataclass(frozen=True)
class Lesson:
    """One training: its name (also the folder of its adapter), its rows, validation examples and optimiser steps."""

    name: str
    rows: list[Row]
    validation: list[Example]
    steps: int


def referring(example: Example, mix_name_share: float, seed: int) -> Example:
    """The verified referring expression as it is."""
    return example


def class_name(example: Example, mix_name_share: float, seed: int) -> Example:
    """The same boxes under the plain class name: what a segmentation dataset says without language.

    The boxes stay those of the expression, one object where it singled one out, so that both arms see the same
    images and boxes equally often, and the control answers with as many boxes as it is asked for.
    """
    return dataclasses.replace(example, text=f"the {spoken(example.label)}")


def mixed(example: Example, mix_name_share: float, seed: int) -> Example:
    """The class name for a seeded ``mix_name_share`` of the examples, the referring expression for the others."""
    drawn = seed_for(seed, "mix", example.example_id) / 2**63
    return class_name(example, mix_name_share, seed) if drawn < mix_name_share else example


ARMS: dict[str, Callable[[Example, float, int], Example]] = {"tuned": referring, "control": class_name, "mix": mixed, EXPERTS: referring}


def plan_lessons(examples: Sequence[Example], params: FinetuneParams, seed: int) -> list[Lesson]:
    """The trainings of all arms, in their order; ``experts`` gives one a modality.

    Raises:
        StageError: unknown arm, no training example, or none to validate on.
    """
    unknown = sorted(set(params.arms) - set(ARMS))
    if unknown:
        raise StageError(f"params.yaml:finetune:arms: unknown arm {unknown[0]!r}; known: {', '.join(sorted(ARMS))}")
    lessons = []
    for arm in params.arms:
        rows = training_rows(examples, arm, params.mix_name_share, seed)
        looked_at = validation_examples(examples, arm, params, seed)
        if arm == EXPERTS:
            lessons += _by_modality(rows, looked_at, params.max_steps)
        else:
            lessons.append(Lesson(arm, rows, looked_at, params.max_steps))
    return lessons


def training_rows(examples: Sequence[Example], arm: str, mix_name_share: float, seed: int) -> list[Row]:
    """Training examples of an arm, grouped by image, in the order of the ids.

    Raises:
        StageError: no training example.
    """
    images: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda example: example.example_id):
        if example.split == "train":
            images.setdefault(example.sample_id, []).append(example)
    if not images:
        raise StageError("data/corpus/examples has no example of split 'train': look at metrics/split.json and metrics/verify.json")
    rows = []
    for _, group in sorted(images.items()):
        said = [words(example, mix_name_share, seed).text for example in group for words in (referring, class_name)]
        rows.append(Row([ARMS[arm](example, mix_name_share, seed) for example in group], all(mirrored_text(text) is not None for text in said)))
    return rows


def validation_examples(examples: Sequence[Example], arm: str, params: FinetuneParams, seed: int) -> list[Example]:
    """A seeded subset of the validation examples under the arm's words; empty where the training is not to look at any.

    Raises:
        StageError: the corpus has no example of split ``val``.
    """
    if params.validation.every_steps == 0:
        return []
    held = [example for example in examples if example.split == "val"]
    if not held:
        raise StageError(
            "data/corpus/examples has no example of split 'val' to validate on: raise split.val_share, or set finetune.validation.every_steps to 0 in params.yaml"
        )
    drawn = sorted(held, key=lambda example: (seed_for(seed, "validation", example.example_id), example.example_id))
    return [ARMS[arm](example, params.mix_name_share, seed) for example in drawn[: params.validation.examples]]


def _by_modality(rows: Sequence[Row], validation: Sequence[Example], max_steps: int) -> list[Lesson]:
    """One lesson a modality; the steps are shared out by the number of examples, so that together they are ``max_steps``."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.examples[0].modality, []).append(row)
    wrong = [modality for modality in groups if not re.fullmatch(r"\w[\w .-]*", modality)]
    if wrong:
        raise StageError(f"data/corpus/examples: modality {wrong[0]!r} cannot name a folder of an expert: correct it in the dataset's card")
    counts = {modality: sum(len(row.examples) for row in group) for modality, group in groups.items()}
    steps = shared_out(max_steps, counts)
    return [Lesson(f"{EXPERTS}/{modality}", groups[modality], [e for e in validation if e.modality == modality], steps[modality]) for modality in sorted(groups)]


def shared_out(total: int, weights: dict[str, int]) -> dict[str, int]:
    """``total`` split by weight into whole numbers, at least 1 each; the largest remainders are rounded up."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()}
    shares = {name: int(value) for name, value in exact.items()}
    left = total - sum(shares.values())
    for name in sorted(exact, key=lambda name: (shares[name] - exact[name], name))[:left]:
        shares[name] += 1
    return {name: max(1, share) for name, share in shares.items()}
