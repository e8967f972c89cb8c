"""Questions about medical pictures by class name alone (one, all, a pair, none), and the pictures' augmentation."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from stages.vlm.pretrain.language import set_in_frame
from stages.vlm.pretrain.nouns import MAX_TARGETS, Phrase, View, counted
from stages.vlm.pretrain.pool import Picture, class_names
from stages.vlm.pretrain.scenes import Scene, Thing

# Tries to find a placement that cuts nothing, and the greatest zoom and shift, as shares of the side.
_TRIES, _ZOOM, _SHIFT = 4, 0.12, 0.08


def name_phrases(picture: Picture, scene: Scene, rng: np.random.Generator, count: int) -> list[Phrase]:
    """At most ``count`` phrases, every class at most twice; ``scene`` is the picture's own or an augmented one."""
    view = View(scene.things, scene.image.shape[0], rng)
    by_label: dict[str, list[int]] = {}
    for index, thing in enumerate(scene.things):
        by_label.setdefault(thing.kind, []).append(index)
    found = [phrase for label, members in by_label.items() if label not in picture.uncounted for phrase in _named(view, label, members)]
    found += _pairs(view, by_label)
    order = [found[int(i)] for i in rng.permutation(len(found))]
    if picture.absent and rng.random() < 0.35:
        label = picture.absent[int(rng.integers(len(picture.absent)))]
        order.insert(0, Phrase(f"the {view.pick(*names_of(label, 'one'))}", (), "name_none"))
    distinct = {phrase.text: phrase for phrase in order}
    return [dataclasses.replace(phrase, text=set_in_frame(phrase.text, rng)) for phrase in list(distinct.values())[:count]]


def names_of(label: str, form: str) -> list[str]:
    """Names of a class: ``one`` or ``many``; what has no entry is called by itself."""
    entry = class_names().get(label, {"one": [label]})
    return entry[form] if form in entry else [f"{name}s" for name in entry["one"]]


def _named(view: View, label: str, members: list[int]) -> list[Phrase]:
    if len(members) == 1:
        return [Phrase(view.pick("the ", "the ", "") + view.pick(*names_of(label, "one")), tuple(members), "name_one")]
    if len(members) > MAX_TARGETS:
        return []
    return [Phrase(counted(view, view.pick(*names_of(label, "many")), len(members)), tuple(members), "name_all")]


def _pairs(view: View, by_label: dict[str, list[int]]) -> list[Phrase]:
    """Both halves of a pair, where each is there once."""
    pairs: dict[str, list[int]] = {}
    for label, members in by_label.items():
        name = class_names().get(label, {}).get("pair")
        if name and len(members) == 1:
            pairs.setdefault(name, []).extend(members)
    return [Phrase(counted(view, name, 2), tuple(members), "name_all") for name, members in pairs.items() if len(members) == 2]


def augmented(picture: Picture, rng: np.random.Generator) -> Scene:
    """The picture moved, zoomed, mirrored where no class has a side, in other light and with other noise."""
    scene, side = picture.scene, picture.scene.image.shape[0]
    flips = (bool(rng.random() < 0.5), bool(rng.random() < 0.5)) if picture.may_flip else (False, False)
    for _ in range(_TRIES):
        scale = 1 + _ZOOM * rng.uniform(-1, 1)
        shift = [side * ((1 - scale) / 2 + _SHIFT * rng.uniform(-1, 1)) for _ in range(2)]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        for axis in (0, 1):
            if flips[axis]:
                matrix[axis] = -matrix[axis]
                matrix[axis, 2] += side
        things = [_moved(thing, matrix, side) for thing in scene.things]
        if all(thing is not None for thing in things):
            return Scene(
                _relit(_warped(scene.image, matrix, cv2.INTER_LINEAR), rng),
                _warped(scene.owner, matrix, cv2.INTER_NEAREST),
                [thing for thing in things if thing is not None],
            )
    return Scene(_relit(scene.image, rng), scene.owner, scene.things)


def _moved(thing: Thing, matrix: np.ndarray, side: int) -> Thing | None:
    """The thing in the moved picture, clipped; None when less than nine tenths of its box are left."""
    low = matrix @ np.array([thing.box_xyxy_px[0], thing.box_xyxy_px[1], 1.0])
    high = matrix @ np.array([thing.box_xyxy_px[2], thing.box_xyxy_px[3], 1.0])
    first, last = np.minimum(low, high), np.maximum(low, high)
    box = np.clip([*first, *last], 0, side)
    if (box[2] - box[0]) * (box[3] - box[1]) < 0.9 * np.prod(last - first):
        return None
    centre = matrix @ np.array([*thing.centre_xy_px, 1.0])
    x0, y0, x1, y1 = (float(value) for value in box)
    area = max(1, round(thing.area_px * abs(float(np.linalg.det(matrix[:, :2])))))
    return dataclasses.replace(thing, box_xyxy_px=(x0, y0, x1, y1), area_px=area, centre_xy_px=(float(centre[0]), float(centre[1])))


def _warped(array: np.ndarray, matrix: np.ndarray, interpolation: int) -> np.ndarray:
    """``array`` (side, side[, 3]) under a pixel-edge matrix; OpenCV counts from pixel centres."""
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    mode = cv2.BORDER_REPLICATE if array.ndim == 3 else cv2.BORDER_CONSTANT
    return cv2.warpAffine(array, centred, array.shape[1::-1], flags=interpolation, borderMode=mode, borderValue=(-1.0,))


def _relit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other gain, offset, blur and noise; uint8."""
    lit = (image.astype(np.float32) - 127.5) * np.float32(rng.uniform(0.8, 1.2)) + np.float32(127.5 + rng.uniform(-18, 18))
    if rng.random() < 0.25:
        lit = cv2.GaussianBlur(lit, (0, 0), float(rng.uniform(0.3, 0.8)))
    noise = np.float32(rng.uniform(0, 7)) * rng.standard_normal((*image.shape[:2], 1), dtype=np.float32)
    return np.clip(lit + noise, 0, 255).astype(np.uint8)
