"""Training batches of the pretraining: a batch is a pure function of its number, so a resumed run goes on exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.core.params import PretrainParams
from stages.vlm.families import PromptTokens
from stages.vlm.packing import pack_rows
from stages.vlm.pretrain.asking import augmented, name_phrases
from stages.vlm.pretrain.language import write_phrases
from stages.vlm.pretrain.nouns import Phrase
from stages.vlm.pretrain.pool import Picture, Pool
from stages.vlm.pretrain.scenes import Difficulty, Scene, make_scene
from stages.vlm.pretrain.targets import dense_targets, kind_names

TRAINING, HELD_OUT, WORDS, PICTURES = 1, 2, 3, 4
NAMES_ONLY = {"name": 4.0, "place": 1.0, "none": 0.5}
EVERYTHING = {
    "name": 1.0, "plural": 0.6, "none": 1.0, "place": 1.6, "extreme": 4.0, "size": 7.0, "level": 5.0, "form": 8.0, "relation": 4.0,
    "both": 9.0, "edge": 0.7,
}  # fmt: skip


def first_round(params: PretrainParams) -> int:
    """Steps of the first round: all where there is no second."""
    return params.second.after if params.second else params.steps


def is_second_round(step: int, params: PretrainParams) -> bool:
    """Whether a step lies in the second round, when there is one."""
    return params.second is not None and step >= params.second.after


def asks(step: int, params: PretrainParams) -> bool:
    """Whether questions are asked in a step: not in the second round's first steps, which are for seeing alone."""
    return params.second is None or not params.second.after <= step < params.second.after + params.second.seeing_steps


def stage_of(step: int, params: PretrainParams) -> tuple[Difficulty, dict[str, float]]:
    """Difficulty and phrase weights at a step: one thing by name, then a few, then several of a kind and everything, calm at last."""
    first = first_round(params)
    share = step / first if first else 1.0
    if share < params.single_share:
        return Difficulty(1, 0.0, 0.0), NAMES_ONLY
    if share < params.few_share:
        return Difficulty(3, 0.4, 0.2), EVERYTHING
    return Difficulty(8, 0.75, 0.5, calm=share >= params.calm_share), EVERYTHING


def normalised(image: np.ndarray) -> np.ndarray:
    """Pixels (side, side, 3) uint8 as the processor gives them: float32 (1, 3, side, side) in [-1, 1]."""
    return (image.astype(np.float32).transpose(2, 0, 1)[None] / 255 - 0.5) / 0.5


class SceneBatches:
    """Indexable source of training batches (see ``torch.utils.data.DataLoader`` with ``batch_size=None``)."""

    def __init__(self, params: PretrainParams, tokens: PromptTokens, pool: Pool, seed: int):
        self._params, self._tokens, self._pool, self._seed = params, tokens, pool, seed
        self._kinds = kind_names(pool.labels)

    def __len__(self) -> int:
        return self._params.steps

    def __getitem__(self, step: int) -> dict[str, Any]:
        if step >= len(self):
            raise IndexError(step)
        difficulty, weights = stage_of(step, self._params)
        scenes, rows = [], []
        pictures = round(self._params.picture_share * self._params.images_per_step)
        for index in range(self._params.images_per_step):
            if index < pictures:
                scene, phrases = self.draw_picture((self._seed, PICTURES, step, index))
            else:
                scene, phrases = self.draw((self._seed, TRAINING, step, index), difficulty, weights)
            scenes.append(scene)
            rows.append([self.segment(scene, phrase) for phrase in phrases])
        batch: dict[str, Any] = dict(pack_rows(self._tokens.prefix_ids, rows, self._tokens.pad_id))
        batch["pixel_values"] = np.stack([normalised(scene.image) for scene in scenes])
        dense = [dense_targets(scene, self._params.patch_px, self._kinds) for scene in scenes]
        batch["dense"] = {key: np.stack([one[key] for one in dense]) for key in dense[0]}
        return batch

    def draw(self, seed: tuple[int, ...], difficulty: Difficulty, weights: dict[str, float]) -> tuple[Scene, list[Phrase]]:
        """A scene that something can be said about, and its phrases."""
        attempt = 0
        while True:
            scene = make_scene((*seed, attempt), self._params.image_px, difficulty)
            attempt += 1
            if not scene.things:
                continue
            phrases = write_phrases(scene, np.random.default_rng((*seed, attempt, WORDS)), self._params.questions_per_image, weights)
            if phrases:
                return scene, phrases

    def draw_picture(self, seed: tuple[int, ...]) -> tuple[Scene, list[Phrase]]:
        """A medical picture, every data set equally often, changed a little, and its class names."""
        rng = np.random.default_rng(seed)
        sets = sorted(self._pool.training)
        while True:
            pictures = self._pool.training[sets[int(rng.integers(len(sets)))]]
            picture: Picture = pictures[int(rng.integers(len(pictures)))]
            scene = augmented(picture, rng)
            phrases = name_phrases(picture, scene, rng, self._params.questions_per_image)
            if phrases:
                return scene, phrases

    def segment(self, scene: Scene, phrase: Phrase) -> Any:
        """Token ids of a phrase and its answer."""
        side = self._params.image_px
        return self._tokens.segment(phrase.text, [scene.things[i].box_xyxy_px for i in phrase.targets], side, side)
