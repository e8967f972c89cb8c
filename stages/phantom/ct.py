"""Abdominal anatomy for synthetic CT: a body frame in millimetres and a label map of organs and liver lesions.

Arrays are (slice, row, column) in LPS: columns run to the patient's left, rows to the back, slices to the head.
``ct_tissue`` turns the anatomy into Hounsfield units.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.phantom import ct_tissue, fields

# Values of the label map; the card of ct_phantom names them. A lesion takes its voxels from the liver.
VALUES = {"liver": 1, "spleen": 2, "stomach": 3, "left_kidney": 4, "right_kidney": 5, "vertebra": 6, "aorta": 7, "lesion": 8}
# A region whose box is narrower than this share of the picture is cut away in that slice: nobody could point at it.
LEAST_SIDE = 0.05
# Ellipsoids as (centre, radii, turn in degrees). Centres and radii along x and y are in units of the abdominal cavity's
# half-axes (x to the patient's left, y to the back), along z in half-heights of the volume (to the head); later ones win.
ORGANS: dict[str, list[tuple[tuple[float, float, float], tuple[float, float, float], float]]] = {
    "stomach": [((0.44, -0.40, 0.10), (0.30, 0.34, 1.15), 20)],
    "liver": [((-0.46, -0.06, 0.10), (0.50, 0.72, 1.45), 10), ((-0.08, -0.50, 0.20), (0.36, 0.28, 1.10), -8)],
    "spleen": [((0.72, 0.14, 0.20), (0.19, 0.42, 1.15), 14)],
    "left_kidney": [((0.43, 0.56, -0.10), (0.18, 0.24, 1.15), -28)],
    "right_kidney": [((-0.44, 0.60, -0.20), (0.18, 0.24, 1.15), 28)],
    "aorta": [((0.10, 0.38, 0.0), (0.0, 0.0, np.inf), 0)],
    "vertebra": [((0.0, 0.76, 0.0), (0.19, 0.21, np.inf), 0)],
}
# Radius of the aorta as a share of the picture's width, so that it stays above LEAST_SIDE.
AORTA_RADIUS = (0.034, 0.043)


@dataclass(frozen=True)
class Study:
    """One volume: ``hounsfield`` int16 and ``labels`` uint8 (slice, row, column) in LPS, ``spacing_mm`` [slice, row, column]."""

    hounsfield: np.ndarray
    labels: np.ndarray
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Body:
    """Patient frame: ``x``, ``y`` in cavity half-axes and ``z`` in half-heights (broadcast), ``depth_mm`` below the skin
    (negative outside), ``wall_mm`` thickness of fat and muscle, ``pixel`` cavity half-axes per pixel along x and y."""  # fmt: skip

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    depth_mm: np.ndarray
    fat_mm: float
    muscle_mm: float
    pixel: tuple[float, float]

    @property
    def cavity(self) -> np.ndarray:
        """What lies inside fat and muscle."""
        return self.depth_mm > self.fat_mm + self.muscle_mm


def build_study(patient_rng: np.random.Generator, study_rng: np.random.Generator) -> Study:
    """Draw one study: the body and its organs belong to the patient; lesions, enhancement and noise to the visit."""
    shape, spacing = _frame(patient_rng)
    body = _body(patient_rng, shape, spacing)
    labels = np.zeros(shape, np.uint8)
    for name, ellipsoids in ORGANS.items():
        organ = _organ(patient_rng, body, shape, name, ellipsoids)
        allowed = body.depth_mm > body.fat_mm if name == "vertebra" else body.cavity
        labels[organ & allowed] = VALUES[name]
    _cut_slivers(labels)
    lesions = _lesions(study_rng, labels)
    _cut_slivers(labels)
    hounsfield = ct_tissue.hounsfield(study_rng, labels, VALUES, lesions, body)
    return Study(hounsfield, labels, spacing)


def _frame(rng: np.random.Generator) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Voxels (slice, row, column) and millimetres of the volume; the body fills the picture."""
    columns = int(rng.integers(168, 201))
    rows = int(columns * rng.uniform(0.74, 0.86))
    in_plane = round(rng.uniform(1.75, 2.25), 2)
    return (int(rng.integers(16, 23)), rows, columns), (float(rng.choice([4.0, 5.0, 6.0])), in_plane, in_plane)


def _body(rng: np.random.Generator, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Body:
    """An oval trunk with a wobbling outline that leans a little along the slices."""
    slices, rows, columns = shape
    half_x, half_y = columns * rng.uniform(0.455, 0.48), rows * rng.uniform(0.455, 0.48)
    z = np.linspace(-1, 1, slices, dtype=np.float32)[:, None, None]
    shift = rng.uniform(-0.02, 0.02, 2)
    x_px = np.arange(columns, dtype=np.float32)[None, None, :] + 0.5 - columns / 2 - shift[0] * half_x * z
    y_px = np.arange(rows, dtype=np.float32)[None, :, None] + 0.5 - rows / 2 - shift[1] * half_y * z
    bend = [0.045 * fields.smooth_volume(rng, shape, columns / 4, slices / 2) for _ in range(2)]
    radius = (np.abs(x_px / half_x) ** 2.3 + np.abs(y_px / half_y) ** 2.3) ** (1 / 2.3) * (1 + 0.25 * bend[0])
    depth_mm = (1 - radius) * half_y * spacing[1]
    fat, muscle = rng.uniform(8, 20), rng.uniform(8, 12)
    inner = [half - (fat + muscle) / spacing[1] for half in (half_x, half_y)]
    return Body(
        x=x_px / inner[0] + bend[0], y=y_px / inner[1] + bend[1], z=z, depth_mm=depth_mm, fat_mm=fat, muscle_mm=muscle,
        pixel=(1 / inner[0], 1 / inner[1]),
    )  # fmt: skip


def _organ(rng: np.random.Generator, body: Body, shape: tuple[int, int, int], name: str, ellipsoids: list) -> np.ndarray:
    """Union of ellipsoids with jittered place, size and turn, and a surface that swells and dips smoothly."""
    wobble = 0.09 * fields.smooth_volume(rng, shape, shape[2] / 7, shape[0] / 3)
    jitter, scale, turn = rng.uniform(-0.035, 0.035, 3), rng.uniform(0.92, 1.1), rng.uniform(-8, 8)
    if name == "aorta":
        side = rng.uniform(*AORTA_RADIUS) * shape[2]
        ellipsoids = [(ellipsoids[0][0], (side * body.pixel[0], side * body.pixel[1], np.inf), 0)]
        wobble, scale = 0.5 * wobble, 1.0
    if name == "vertebra":
        jitter, wobble = 0.4 * jitter, 0.7 * wobble
    inside = np.zeros(shape, bool)
    for centre, radii, angle in ellipsoids:
        inside |= ellipsoid_level(body, np.add(centre, jitter), np.multiply(radii, scale), angle + turn) + wobble > 0
    if name == "vertebra":
        inside |= _posterior_arch(body, centre_y=ellipsoids[0][0][1])
    return inside


def ellipsoid_level(body: Body, centre: np.ndarray, radii: np.ndarray, angle_deg: float) -> np.ndarray:
    """1 at the centre of the ellipsoid, 0 on its surface, negative outside."""
    turn = np.deg2rad(angle_deg)
    dx, dy, dz = body.x - centre[0], body.y - centre[1], body.z - centre[2]
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / radii[0]
    across = (-dx * np.sin(turn) + dy * np.cos(turn)) / radii[1]
    return (1 - np.sqrt(along**2 + across**2 + (dz / radii[2]) ** 2)).astype(np.float32)


def _posterior_arch(body: Body, centre_y: float) -> np.ndarray:
    """Ring around the spinal canal and the spinous process behind it."""
    ring = np.hypot(body.x / 0.17, (body.y - centre_y - 0.26) / 0.17)
    process = (np.abs(body.x) < 0.035) & (body.y > centre_y + 0.36) & (body.y < centre_y + 0.62)
    return (ring < 1) & (ring > 0.52) | process


def _lesions(rng: np.random.Generator, labels: np.ndarray) -> list[np.ndarray]:
    """Two to five lesions of set-apart size and shape inside the liver, apart from each other; marks and returns them.

    All cross a common stretch of slices, so that most pictures show several.
    """
    liver = labels == VALUES["liver"]
    slices, _, columns = labels.shape
    peak = int(np.clip(liver.sum(axis=(1, 2)).argmax(), slices * 0.3, slices * 0.7))
    radii = [
        (size * stretch, size / stretch)
        for size in fields.spread_sizes(rng, int(rng.integers(2, 6)), 0.038 * columns, 0.1 * columns)
        for stretch in [rng.uniform(1.0, 1.12) if rng.random() < 0.5 else rng.uniform(1.25, 1.45)]
    ]
    core = fields.shrunk(liver[max(0, peak - 2) : peak + 3].all(axis=0), 2)
    lesions = []
    for mask in fields.scattered(rng, core, radii, (0.03, 0.16), 4):
        lesion = _thickened(rng, mask, slices, peak) & liver
        labels[lesion] = VALUES["lesion"]
        lesions.append(lesion)
    return lesions


def _thickened(rng: np.random.Generator, mask: np.ndarray, slices: int, peak: int) -> np.ndarray:
    """A body (slice, row, column) whose widest section is the mask; it shrinks towards its two ends like an ellipsoid."""
    middle, reach = peak + rng.uniform(-1.5, 1.5), rng.uniform(0.22, 0.42) * slices
    row, column = (float(values.mean()) for values in np.nonzero(mask))
    thick = np.zeros((slices, *mask.shape), bool)
    for index in range(slices):
        share = np.sqrt(max(0.0, 1 - ((index - middle) / reach) ** 2))
        if share > 0:
            about_centre = np.array([[share, 0, (1 - share) * column], [0, share, (1 - share) * row]], np.float32)
            section = cv2.warpAffine(mask.astype(np.float32), about_centre, mask.shape[::-1], flags=cv2.INTER_LINEAR)
            thick[index] = section > 0.5
    return thick


def _cut_slivers(labels: np.ndarray) -> None:
    """In each slice an organ keeps its largest region and a lesion all regions, if they are wide enough to point at."""
    least = [LEAST_SIDE * side for side in labels.shape[1:]]
    for plane in labels:
        for name, value in VALUES.items():
            mask = plane == value
            if not mask.any():
                continue
            _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
            wide = (stats[1:, cv2.CC_STAT_HEIGHT] >= least[0]) & (stats[1:, cv2.CC_STAT_WIDTH] >= least[1])
            if name != "lesion":
                wide &= np.arange(wide.size) == stats[1:, cv2.CC_STAT_AREA].argmax()
            plane[mask & ~np.isin(regions, 1 + np.flatnonzero(wide))] = VALUES["liver"] if name == "lesion" else 0
