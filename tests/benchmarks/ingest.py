"""How fast datasets are ingested: ``python -m tests.benchmarks.ingest`` writes metrics/bench/ingest.json.

The peers are plain loops over the same files, on one core: one only decodes (SimpleITK for volumes, Pillow for pictures), one
also encodes what is stored as PNG. Contenders take turns, and processor time is what counts, so that load on the machine favours
nobody; only the speed-up of two workers is wall time. Everything that ingest does beyond decoding counts against it: matching
names, check sums, hashes, choosing slices, run lengths, encoding.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TURNS = 3
VOLUMES, VOLUME_SHAPE = 4, (96, 256, 256)
PICTURES, SIDE = 16, 512


def write_volumes(root: Path) -> None:
    """CT-like volumes of 12.6 MB as .nii.gz, with a liver and a lesion."""
    import SimpleITK as sitk

    z, y, x = np.ogrid[: VOLUME_SHAPE[0], : VOLUME_SHAPE[1], : VOLUME_SHAPE[2]]
    inside = ((z - 48) / 40.0) ** 2 + ((y - 128) / 60.0) ** 2 + ((x - 100) / 70.0) ** 2 < 1
    lesion = ((z - 48) / 9.0) ** 2 + ((y - 120) / 12.0) ** 2 + ((x - 90) / 12.0) ** 2 < 1
    labels = inside.astype(np.uint8) + lesion
    for number in range(VOLUMES):
        noise = np.random.default_rng(number).normal(0, 12, VOLUME_SHAPE)
        grey = (noise + 60.0 * inside - 40.0 * lesion).astype(np.int16)
        for name, array in (("image", grey), ("label", labels)):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing((0.8, 0.8, 2.0))
            sitk.WriteImage(image, str(root / f"{number:02d}_{name}.nii.gz"), useCompression=True)


def write_pictures(root: Path, ending: str) -> None:
    """Smooth colour pictures with noise, and a PNG mask each."""
    from PIL import Image, ImageFilter

    y, x = np.mgrid[:SIDE, :SIDE]
    mask = (((y - 200) / 90.0) ** 2 + ((x - 260) / 120.0) ** 2 < 1).astype(np.uint8) * 255
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number in range(PICTURES):
        noise = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3)).save(root / f"images/{number:02d}.{ending}")
        Image.fromarray(mask).save(root / f"masks/{number:02d}.png")


def decode_volumes(root: Path) -> int:
    """The plain loop over volumes: every file read and brought to an array."""
    import SimpleITK as sitk

    return sum(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).size for path in sorted(root.glob("*.nii.gz")))


def decode_pictures(root: Path) -> int:
    """The plain loop over pictures: every file decoded to an array."""
    from PIL import Image

    return sum(np.asarray(Image.open(path)).size for path in sorted(root.rglob("*.*")))


def decode_and_encode(root: Path) -> int:
    """The plain loop over pictures that also writes each image as PNG."""
    from PIL import Image

    from stages.ingest.pictures import png_bytes

    done = sum(len(png_bytes(np.asarray(Image.open(path)))) for path in sorted((root / "images").glob("*")))
    return done + sum(np.asarray(Image.open(path)).size for path in sorted((root / "masks").glob("*")))


def source_of(folder: Path, kind: str) -> Any:
    """The dataset below ``folder`` with its card and the repository's parameters."""
    from stages.ingest.readers.base import Source
    from tests.ingest.sources import card_content, limits, make_card, volume_card

    if kind == "volumes":
        card = make_card(folder, volume_card())
    else:
        ending = kind.removeprefix("pictures_")
        files = {"image": [f"images/{{case}}.{ending}"], "mask": ["masks/{case}.png"], "other": []}
        labels = {"polyp": {"sources": ["mask"], "semantic": True}}
        card = make_card(folder, card_content(files=files, labels=labels, annotated_labels=["polyp"], modality="endoscopy"))
    return Source(card, folder / "root", limits())


def ingest(source: Any, workers: int) -> int:
    """The whole of ingest but for writing the tables; number of samples."""
    from stages.ingest.run import figures, read_source

    found, results = read_source(source, workers)
    samples = [sample for result in results for sample in result.samples]
    figures(samples, [], found, results, source.limits.near_duplicate_bits)
    assert samples and not found.errors
    return len(samples)


def alternating(contenders: dict[str, Callable[[], Any]], clock: Callable[[], float], turns: int = TURNS) -> dict[str, float]:
    """Least time a call of each contender over turns taken one after the other, after one call to warm up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(turns + 1):
        for name, function in contenders.items():
            begun = clock()
            function()
            if turn:
                times[name].append(clock() - begun)
    return {name: min(values) for name, values in times.items()}


def make_source(folder: Path, kind: str) -> Any:
    """Write the files of a kind below ``folder`` and open them."""
    (folder / "root").mkdir(parents=True)
    if kind == "volumes":
        write_volumes(folder / "root")
    else:
        write_pictures(folder / "root", kind.removeprefix("pictures_"))
    return source_of(folder, kind)


def ratio(folder: Path, kind: str, turns: int = TURNS) -> dict[str, float]:
    """Ingest on one worker beside the plain loops over the same files, and on two beside one."""
    source = make_source(folder, kind)
    contenders: dict[str, Callable[[], Any]] = {
        "decode": lambda: (decode_volumes if kind == "volumes" else decode_pictures)(source.root),
        "one": lambda: ingest(source, 1),
    }
    if kind != "volumes":
        contenders["decode_encode"] = lambda: decode_and_encode(source.root)
    seconds = alternating(contenders, time.process_time, turns)
    wall = alternating({"one": lambda: ingest(source, 1), "two": lambda: ingest(source, 2)}, time.perf_counter, turns)
    items = VOLUMES if kind == "volumes" else PICTURES
    figures = {
        "ms_per_item": round(1000 * seconds["one"] / items, 2),
        "times_the_plain_decode": round(seconds["one"] / seconds["decode"], 2),
        "speedup_of_two_workers": round(wall["one"] / wall["two"], 2),
    }
    if kind != "volumes":
        figures["times_the_plain_decode_and_encode"] = round(seconds["one"] / seconds["decode_encode"], 2)
    return figures


def peak_memory(folder: Path, kind: str) -> dict[str, float]:
    """Peak resident memory of a process that ingests the set, above one that only imports, in MB; and that of one item decoded."""
    code = (
        "import re, sys; from pathlib import Path; from tests.benchmarks import ingest as b; import stages.ingest.run;"
        "source = b.source_of(Path(sys.argv[1]), sys.argv[2]); import SimpleITK, cv2, imagehash, scipy.ndimage, pycocotools.mask;"
        "from tests.ingest.sources import grey; from stages.core.duplicates import perceptual_hash; perceptual_hash(grey());"
        "peak = lambda: int(re.search('VmHWM:[^0-9]*([0-9]+)', Path('/proc/self/status').read_text())[1]);"
        "before = peak(); b.ingest(source, 1); print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), kind], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    before, after = (int(word) / 1024 for word in done.stdout.split())
    item = np.prod(VOLUME_SHAPE) * 3 / 2**20 if kind == "volumes" else SIDE * SIDE * 4 / 2**20
    return {"peak_mb_above_imports": round(after - before, 1), "mb_of_one_item_decoded": round(float(item), 1)}


def measure(turns: int = TURNS) -> dict[str, Any]:
    """All kinds of data."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("volumes", "pictures_jpg", "pictures_png"):
            figures[kind] = ratio(Path(folder) / kind, kind, turns) | peak_memory(Path(folder) / kind, kind)
    return figures


def main() -> None:
    """Measure and write metrics/bench/ingest.json."""
    import PIL
    import SimpleITK as sitk

    figures = measure()
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pillow": PIL.__version__, "simpleitk": sitk.Version.VersionString()}
    machine = {"cores": os.cpu_count(), "architecture": platform.machine()}
    text = json.dumps({"machine": machine, "versions": versions, **figures}, indent=2, sort_keys=True) + "\n"
    path = Path("metrics/bench/ingest.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
