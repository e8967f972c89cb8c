"""From params.yaml and the corpus to the jobs of the stage."""

from __future__ import annotations

from pathlib import Path

from stages.core.params import FinetuneParams, Params, require
from stages.core.records import Example
from stages.core.shards import read_table
from stages.core.stage import seed_for
from stages.finetune.arms import plan_lessons
from stages.finetune.trainer import SCHEDULES
from stages.finetune.training import Job
from stages.vlm.card import load_base

CORPUS = Path("data/corpus")
ADAPTERS = Path("models/adapter")
PLOTS = Path("metrics/plots/finetune")
PRECISIONS = ("bf16", "fp32", "bf16_base")


def plan_jobs(params: Params) -> list[Job]:
    """One job a lesson, all from one seed: they draw the same images, examples and augmentations in the same order.

    Raises:
        ParamError: a parameter is out of range, or the base's card is wrong.
        StageError: see ``arms.plan_lessons``.
        FileNotFoundError: there is no corpus.
    """
    check(params.finetune)
    base = load_base(params.vlm.base)
    examples = read_table(CORPUS / "examples", Example)
    seed = seed_for(params.seed, "finetune")
    return [
        Job(lesson, base, CORPUS / "images", ADAPTERS / lesson.name, curve_file(lesson.name), params.finetune, seed)
        for lesson in plan_lessons(examples, params.finetune, seed)
    ]


def curve_file(lesson: str) -> Path:
    """CSV of a lesson's curve: all of them stand in one folder, which dvc.yaml plots."""
    return PLOTS / f"{lesson.replace('/', '_')}.csv"


def check(params: FinetuneParams) -> None:
    """Ranges of the parameters.

    Raises:
        ParamError: names the parameter and what it must be.
    """
    least_one = ("max_steps", "images_per_step", "accumulation", "questions_per_image", "parallel_arms", "checkpoint_steps")
    for name in least_one:
        require(getattr(params, name) > 0, f"finetune:{name}", "at least 1", getattr(params, name))
    require(params.lora.rank > 0, "finetune:lora:rank", "at least 1", params.lora.rank)
    require(params.learning_rate > 0, "finetune:learning_rate", "above 0", params.learning_rate)
    require(params.precision in PRECISIONS, "finetune:precision", " or ".join(PRECISIONS), params.precision)
    require(params.schedule in SCHEDULES, "finetune:schedule", " or ".join(SCHEDULES), params.schedule)
    require(0 <= params.mix_name_share <= 1, "finetune:mix_name_share", "between 0 and 1", params.mix_name_share)
    require(len(set(params.arms)) == len(params.arms) > 0, "finetune:arms", "a list of different arms", params.arms)
    require(bool(params.launcher.strip()), "finetune:launcher", "a command such as python", params.launcher)
    looks = params.validation
    require(looks.every_steps >= 0, "finetune:validation:every_steps", "at least 0", looks.every_steps)
    require(looks.patience >= 0, "finetune:validation:patience", "at least 0", looks.patience)
    require(looks.keep in ("last", "best"), "finetune:validation:keep", "last or best", looks.keep)
    unused = looks.every_steps == 0 and (looks.keep == "best" or looks.patience > 0)
    require(not unused, "finetune:validation:every_steps", "above 0 where patience or keep: best is asked for", looks.every_steps)
    require(looks.every_steps == 0 or looks.examples > 0, "finetune:validation:examples", "at least 1", looks.examples)
