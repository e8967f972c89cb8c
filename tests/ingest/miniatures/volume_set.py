"""A volume set as a table row: where its files lie, what its values mean, how its files are stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stages.knowledge.labels import canonical
from tests.ingest.miniatures.miniature import Miniature
from tests.ingest.miniatures.phantom_volume import RAS, Axes, grey_values, plant, save_volume

CT, MR = (-150, 250), (0, 600)


@dataclass(frozen=True)
class VolumeSet:
    """The documented layout of a set of label volumes.

    ``images`` are the paths of one case's images and ``mask`` that of its labels, with ``{}`` for the case as the set
    spells it (``cases``). ``names`` says what a value means, by the set's own name or a canonical one. ``united`` are
    canonical labels that the card makes of several values, so that their place is not that of one block. With ``files``
    every structure has a binary file of its own: ``mask`` then has ``{structure}``, and ``names`` gives the file names.
    ``channels`` images are stacked as a fourth axis. ``others`` are further files of the set, ``dataset_json`` its table, ``tables`` texts by path. ``splits`` are the
    official splits that the cases stand in.
    """

    images: list[str]
    mask: str
    cases: list[str]
    names: dict[int, str]
    grey: tuple[int, int]
    united: tuple[str, ...] = ()
    files: dict[int, str] | None = None
    plane: str = "axial"
    axes: Axes = RAS
    channels: int = 0
    others: tuple[str, ...] = ()
    dataset_json: dict[str, Any] = field(default_factory=dict)
    dtype: str = "uint8"
    tables: dict[str, str] = field(default_factory=dict)
    splits: frozenset[str] | None = None

    def miniature(self) -> Miniature:
        """The set's miniature: every label that the card makes of its values must be found, at its place."""
        planted = plant(self.names, self.plane)
        alone = {label: place for label, place in planted.centre.items() if label not in self.united}
        sides = {name: "left" if side == "right" else "right" for name in alone if (side := canonical(name).side)} if self.plane == "axial" else {}
        cases = len(self.cases) * len(self.images)
        return Miniature(self.write, cases, spacing_mm=planted.spacing_mm, picture_side=sides, centre=alone, splits=self.splits)

    def write(self, root: Path) -> None:
        """Write the tree."""
        codes = plant(self.names, self.plane).codes.astype(self.dtype)
        for number, case in enumerate(self.cases):
            for view, image in enumerate(self.images):
                grey = [grey_values(codes, *self.grey, seed=number + view + channel) for channel in range(self.channels or 1)]
                save_volume(root / image.replace("{}", case), np.stack(grey) if self.channels else grey[0], self.axes)
            if self.files is None:
                save_volume(root / self.mask.replace("{}", case), codes, self.axes)
            else:
                self._write_structures(root, case, codes, number)
        for path in self.others:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(b"")
        for path, text in self.tables.items():
            (root / path).write_text(text, encoding="utf-8")
        if self.dataset_json:
            (root / "dataset.json").write_text(json.dumps(self.dataset_json, indent=1), encoding="utf-8")

    def _write_structures(self, root: Path, case: str, codes: np.ndarray, number: int) -> None:
        """One file a structure; every case but the first lacks the last structure, whose file is then empty."""
        assert self.files is not None
        for code, name in self.files.items():
            absent = number > 0 and code == max(self.files)
            structure = np.zeros(codes.shape, np.uint8) if absent else (codes == code).astype(np.uint8)
            save_volume(root / self.mask.replace("{}", case).replace("{structure}", name), structure, self.axes)
