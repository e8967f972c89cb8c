"""What a place in a picture looks like, whatever the mask: histograms of gradients, at two sizes of surroundings.

After Dalal and Triggs (2005, "Histograms of oriented gradients for human detection", CVPR), with signed orientations,
on the picture's own grey scale (rank of the level in the picture), so that they tell an airway from a rib.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.core.geometry import tight_box
from stages.verify.picture import Picture

_SIDE, _CELL, _TURNS = 16, 4, 8
_SURROUNDINGS = (1.5, 3.0)
_LEAST_SIDE_PX = 8
N_GRADIENTS = len(_SURROUNDINGS) * (_SIDE // _CELL) ** 2 * _TURNS


def gradients(picture: Picture, mask: np.ndarray) -> np.ndarray:
    """Gradient histograms (``N_GRADIENTS``,) of the mask's box, widened 1.5 and 3 times about its middle."""
    box = tight_box(mask)
    return np.concatenate([_histograms(_view(picture, box, times)) for times in _SURROUNDINGS])


def _view(picture: Picture, box: list[float], times: float) -> np.ndarray:
    """The widened box as 16 x 16 pixels, zero mean and unit spread; what lies outside the image repeats its border."""
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    extent = np.maximum([box[2] - box[0], box[3] - box[1]], _LEAST_SIDE_PX) * times
    margin = 2 * extent.max() / _SIDE
    height, width = picture.shape
    first = np.clip(np.floor(middle - extent / 2 - margin), 0, [width - 1, height - 1]).astype(int)
    last = np.ceil(middle + extent / 2 + margin).astype(int) + 1
    part = picture.crop(slice(first[1], last[1]), slice(first[0], last[0]))
    small = part.scaled(min(1.0, 2 * _SIDE / extent.max()))
    ratio = np.array([small.shape[1] / part.shape[1], small.shape[0] / part.shape[0]])
    step = extent / _SIDE * ratio
    start = (middle - extent / 2 + extent / _SIDE / 2 - first) * ratio - 0.5
    onto = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view = picture.level(cv2.warpAffine(small.grey, onto, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE))
    return (view - view.mean()) / (view.std() + 0.03)


def _histograms(view: np.ndarray) -> np.ndarray:
    """Gradient energy by cell and direction, the root of each one's share; a gradient between two directions counts for both."""
    dx, dy = np.zeros_like(view), np.zeros_like(view)
    dx[:, 1:-1], dy[1:-1] = view[:, 2:] - view[:, :-2], view[2:] - view[:-2]
    turn = (np.arctan2(dy, dx) + np.pi) / (2 * np.pi) * _TURNS
    low = np.floor(turn).astype(int) % _TURNS
    part = turn - np.floor(turn)
    energy = np.zeros((_TURNS, _SIDE, _SIDE))
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    strength = np.hypot(dx, dy)
    energy[low, rows, columns] += strength * (1 - part)
    energy[(low + 1) % _TURNS, rows, columns] += strength * part
    n = _SIDE // _CELL
    cells = energy.reshape(_TURNS, n, _CELL, n, _CELL).sum(axis=(2, 4)).ravel()
    return np.sqrt(cells / (cells.sum() + 0.5))
