"""Random generic scenes: coloured or grey shapes on plain, shaded or textured grounds, some inside others.

A scene is made from a seed alone. Groups of things share kind, colour and texture, and differ in size, place and
outline, because telling several of one kind apart is what the base has to learn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from stages.vlm.pretrain.shapes import KINDS, Geometry, Patch, coverage

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 45, 40),
    "green": (50, 160, 60),
    "blue": (45, 80, 205),
    "yellow": (225, 210, 55),
    "orange": (235, 140, 35),
    "purple": (135, 60, 165),
    "cyan": (70, 205, 215),
    "pink": (235, 130, 180),
}
_NEIGHBOURS = np.ones((3, 3), np.uint8)
TEXTURES = ("plain", "plain", "plain", "plain", "striped", "speckled", "mottled")
SHAPES = tuple(KINDS)
GREY_SHAPES = ("circle", "circle", "oval", "oval", "blob", "blob", "bean", "tube", "ring", "square", "triangle")


@dataclass
class Thing:
    """One object of a scene. ``box_xyxy_px`` is the tight pixel-edge box of its visible mask.

    ``shade`` is bright | dark | "" against what surrounds it (grey things), ``colour`` a name of COLOURS or "".
    ``parent`` is the index of the thing that it lies in, -1 for none. ``elongation`` is the major over the minor axis of
    the mask's second moments, ``solidity`` its area over that of its convex hull, ``centre_xy_px`` its centroid.
    """

    kind: str
    colour: str
    shade: str
    texture: str
    level: float
    elongation: float
    solidity: float
    parent: int
    box_xyxy_px: tuple[float, float, float, float]
    area_px: int
    centre_xy_px: tuple[float, float]


@dataclass
class Scene:
    """``image``: uint8 (side, side, 3). ``owner``: int16 (side, side), index of the topmost thing or -1."""

    image: np.ndarray
    owner: np.ndarray
    things: list[Thing]


@dataclass(frozen=True)
class Difficulty:
    """Curriculum: at most so many things, the chance that a group repeats, and of things inside a container.

    ``calm`` scenes have larger and clearer things on quieter grounds, as most pictures that are worth asking about.
    """

    max_things: int
    repeat: float
    container: float
    calm: bool = False


@dataclass(frozen=True)
class _Group:
    kind: str
    colour: str
    texture: str
    contrast: float
    edge_px: float


@dataclass
class _Canvas:
    """What painting needs: float image (side, side, 3), owner map, the things so far."""

    image: np.ndarray
    owner: np.ndarray
    things: list[Thing] = field(default_factory=list)


def make_scene(seed: tuple[int, ...], side_px: int, difficulty: Difficulty) -> Scene:
    """The scene of a seed: same seed, side and difficulty give the same pixels and things."""
    rng = np.random.default_rng(seed)
    grey = bool(rng.random() < 0.65)
    canvas = _Canvas(_ground(rng, side_px, grey, difficulty.calm), np.full((side_px, side_px), -1, np.int16))
    if rng.random() < difficulty.container:
        _add_containers(rng, canvas, grey)
    left = int(rng.integers(1, difficulty.max_things + 1))
    crowd = difficulty.max_things > 4 and rng.random() < 0.2
    if crowd:
        left += 4
    while left > 0:
        group = _draw_group(rng, grey, difficulty.calm)
        count = min(left, int(rng.integers(2, 6))) if rng.random() < difficulty.repeat else 1
        count = left if crowd else count
        scale = _group_scale(rng, count, 0.03 if difficulty.calm else 0.022)
        home = int(rng.integers(-1, len(canvas.things))) if rng.random() < 0.5 else -2
        for _ in range(count):
            _place(rng, canvas, group, scale, home)
        left -= count
        if not canvas.things and left <= 0:
            left = 1
    return Scene(_spoil(rng, canvas.image, grey, difficulty.calm), canvas.owner, canvas.things)


def _ground(rng: np.random.Generator, side: int, grey: bool, calm: bool) -> np.ndarray:
    """Background: a level, a slope and smooth clouds."""
    if grey:
        base = np.full(3, rng.choice([rng.uniform(0, 30), rng.uniform(30, 200), rng.uniform(120, 245)]))
    else:
        base = rng.uniform(20, 235, 3) * 0.35 + rng.uniform(20, 235) * 0.65
    slope = rng.uniform(-0.5, 0.5, 2) * rng.choice([0, 30, 70])
    axis = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    plane = slope[0] * axis[None, :] + slope[1] * axis[:, None]
    plane = plane + clouds(rng, side, int(rng.choice([3, 6, 12, 24]))) * rng.choice([0, 0, 4, 7, 10] if calm else [0, 0, 5, 10, 14])
    return np.clip(base[None, None, :] + plane[:, :, None], 0, 255).astype(np.float32)


def clouds(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Smooth noise of unit-like spread, float32 (side, side)."""
    return cv2.resize(rng.standard_normal((cells, cells), dtype=np.float32), (side, side), interpolation=cv2.INTER_CUBIC)


def _draw_group(rng: np.random.Generator, grey: bool, calm: bool = False) -> _Group:
    kind = str(rng.choice(GREY_SHAPES if grey else SHAPES))
    colour = "" if grey else str(rng.choice(list(COLOURS)))
    contrast = float(rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(50 if calm else 32), np.log(140))))
    edge = float(rng.choice([1.0, 1.0, rng.uniform(1, 5)]))
    return _Group(kind, colour, str(rng.choice(TEXTURES)), contrast, edge)


def _group_scale(rng: np.random.Generator, count: int, least: float) -> tuple[float, float]:
    """Range of half lengths as a share of the side: the more things, the smaller."""
    largest = {1: 0.3, 2: 0.22, 3: 0.18, 4: 0.15}.get(count, 0.12)
    low = float(np.exp(rng.uniform(np.log(least), np.log(largest * 0.8))))
    return low, float(min(largest, low * rng.uniform(1.2, 3.5)))


def _add_containers(rng: np.random.Generator, canvas: _Canvas, grey: bool) -> None:
    """One large thing, or two side by side or one above the other, for others to lie in."""
    side = canvas.owner.shape[0]
    pair = rng.random() < 0.35
    group = _draw_group(rng, grey)
    kind = str(rng.choice(["oval", "oval", "blob", "circle", "square", "bean"]))
    group = _Group(kind, group.colour, group.texture, group.contrast, group.edge_px)
    upright = rng.random() < 0.7
    for index in range(2 if pair else 1):
        half = rng.uniform(0.2, 0.33) if pair else rng.uniform(0.28, 0.46)
        offset = ((index * 2 - 1) * rng.uniform(0.2, 0.26)) if pair else rng.uniform(-0.08, 0.08)
        other = rng.uniform(-0.1, 0.1)
        where = (0.5 + offset, 0.5 + other) if upright else (0.5 + other, 0.5 + offset)
        angle = (np.pi / 2 if upright else 0.0) + rng.normal(0, 0.15) if pair else rng.uniform(0, np.pi)
        geometry = _geometry(rng, group, where[0] * side, where[1] * side, half * side, angle)
        patch = coverage(group.kind, geometry, side)
        if patch is not None and not (canvas.owner[patch.rows, patch.columns][patch.alpha > 0.5] >= 0).any():
            _paint(rng, canvas, group, patch, -1)


def _geometry(rng: np.random.Generator, group: _Group, x: float, y: float, half: float, angle: float | None) -> Geometry:
    kind = KINDS[group.kind]
    aspect = float(rng.uniform(*kind.aspects))
    if angle is None:
        angle = float(rng.uniform(0, np.pi)) if kind.rotates else float(rng.normal(0, 0.06))
    bumps = tuple(float(bump) for bump in rng.uniform(-1, 1, 6))
    edge = min(group.edge_px, max(half * aspect * 0.8, 1.0))
    return Geometry(float(x), float(y), float(max(half, 2.2)), aspect, float(angle), edge, bumps)


def _place(rng: np.random.Generator, canvas: _Canvas, group: _Group, scale: tuple[float, float], home: int) -> None:
    """Try a few places for one more thing of the group; crowded scenes may refuse it.

    ``home`` -2 takes any place, -1 the free ground, otherwise the inside of that thing.
    """
    side = canvas.owner.shape[0]
    edge_reach = 0.4 if rng.random() < 0.06 else 0.9
    for _ in range(12):
        half = float(np.exp(rng.uniform(*np.log(scale)))) * side
        if home >= 0:
            box = canvas.things[home].box_xyxy_px
            x, y = rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3])
            half = min(half, 0.3 * min(box[2] - box[0], box[3] - box[1]))
        else:
            x, y = rng.uniform(0.03, 0.97, 2) * side
        geometry = _geometry(rng, group, x, y, half, None)
        reach = geometry.half_length_px * edge_reach
        if not (reach <= x <= side - reach and reach <= y <= side - reach):
            continue
        patch = coverage(group.kind, geometry, side)
        if patch is None:
            continue
        near = cv2.dilate((patch.alpha > 0.5).astype(np.uint8), _NEIGHBOURS) > 0
        owners = canvas.owner[patch.rows, patch.columns][near]
        if owners.size == 0 or owners.min() != owners.max() or (home >= -1 and owners[0] != home):
            continue
        _paint(rng, canvas, group, patch, int(owners[0]))
        return


def _paint(rng: np.random.Generator, canvas: _Canvas, group: _Group, patch: Patch, parent: int) -> None:
    """Add the thing unless it would be too small or too faint to see."""
    mask = patch.alpha > 0.5
    area = int(mask.sum())
    if area < 8:
        return
    image = canvas.image[patch.rows, patch.columns]
    under = image[mask].mean(axis=0)
    fill = _fill(rng, group, under)
    if fill is None:
        return
    body = np.clip(fill[None, None, :] + _texture(rng, group.texture, mask.shape)[:, :, None], 0, 255)
    image += patch.alpha[:, :, None] * (body - image)
    canvas.owner[patch.rows, patch.columns][mask] = len(canvas.things)
    delta = float(fill.mean() - under.mean())
    shade = "" if group.colour or abs(delta) < 25 else ("bright" if delta > 0 else "dark")
    rows, columns = np.flatnonzero(mask.any(axis=1)) + patch.rows.start, np.flatnonzero(mask.any(axis=0)) + patch.columns.start
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    centre, elongation, solidity = form_of_mask(mask)
    centre = (centre[0] + patch.columns.start, centre[1] + patch.rows.start)
    canvas.things.append(Thing(group.kind, group.colour, shade, group.texture, float(fill.mean()), elongation, solidity, parent, box, area, centre))


def form_of_mask(mask: np.ndarray) -> tuple[tuple[float, float], float, float]:
    """Centroid (x, y) in pixel-edge coordinates, elongation and solidity of a boolean mask with at least one pixel."""
    grey = mask.astype(np.uint8)
    moments = cv2.moments(grey, binaryImage=True)
    area = moments["m00"]
    # A pixel is a square, not a point: its own second moment is 1/12.
    xx, yy, xy = moments["mu20"] / area + 1 / 12, moments["mu02"] / area + 1 / 12, moments["mu11"] / area
    spread = float(np.hypot((xx - yy) / 2, xy))
    elongation = float(np.sqrt(((xx + yy) / 2 + spread) / max((xx + yy) / 2 - spread, 1e-6)))
    # The hull of the pixels' corners, so that a filled square is all of its own hull.
    corners = np.argwhere(grey)[:, ::-1]
    around = np.concatenate([corners, corners + (0, 1), corners + (1, 0), corners + (1, 1)]).astype(np.int32)
    hull = cv2.contourArea(cv2.convexHull(around))
    return (moments["m10"] / area + 0.5, moments["m01"] / area + 0.5), elongation, float(area / max(hull, area))


def _fill(rng: np.random.Generator, group: _Group, under: np.ndarray) -> np.ndarray | None:
    """Colour of a thing on what lies under it, (3,); None when the two are too alike."""
    if group.colour:
        fill = np.asarray(COLOURS[group.colour], np.float32) + rng.normal(0, 10, 3)
        return fill if np.abs(fill - under).max() >= 50 else None
    level = np.clip(under.mean() + group.contrast * rng.uniform(0.85, 1.15), 0, 255)
    return np.full(3, level) if abs(float(level - under.mean())) >= 25 else None


def _texture(rng: np.random.Generator, texture: str, shape: tuple[int, ...]) -> np.ndarray:
    """What is added to the fill, float32 of ``shape`` (rows, columns)."""
    if texture == "striped":
        angle, period = rng.uniform(0, np.pi), rng.uniform(4, 9)
        ys, xs = np.ogrid[0 : shape[0], 0 : shape[1]]
        return (26 * np.sign(np.sin((xs * np.cos(angle) + ys * np.sin(angle)) * 2 * np.pi / period))).astype(np.float32)
    if texture == "speckled":
        return 26 * rng.standard_normal(shape, dtype=np.float32)
    if texture == "mottled":
        coarse = rng.standard_normal((max(shape[0] // 5, 2), max(shape[1] // 5, 2)), dtype=np.float32)
        return 18 * cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.zeros(shape, np.float32)


def _spoil(rng: np.random.Generator, image: np.ndarray, grey: bool, calm: bool) -> np.ndarray:
    """Blur, speckle, noise, gain: what cameras and scanners do."""
    side = image.shape[0]
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.3)))
    if grey and rng.random() < 0.2:
        grain = cv2.GaussianBlur(rng.standard_normal((side, side), dtype=np.float32), (0, 0), float(rng.uniform(0.5, 1.2)))
        image = image * (1 + rng.uniform(0.15, 0.45) * grain[:, :, None])
    strength = rng.choice([0.0, 3.0, rng.uniform(2, 8 if calm else 14)])
    if strength:
        image = image + np.float32(strength) * rng.standard_normal((side, side, 1), dtype=np.float32)
    image = (image - 127.5) * rng.uniform(0.75, 1.15) + 127.5 + rng.uniform(-18, 18)
    if grey and rng.random() < 0.3:
        image = 255 * np.power(np.clip(image, 0, 255) / 255, rng.uniform(0.6, 1.6))
    return np.clip(image, 0, 255).astype(np.uint8)
