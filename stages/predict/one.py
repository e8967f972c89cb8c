"""One picture from a file: its boxes in its own pixels, printed, and an overlay."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.core.params import Params, load_params
from stages.core.stage import StageError
from stages.predict.asks import Ask
from stages.predict.contenders import check_settings, load_pointer, parts_of
from stages.predict.overlay import draw_boxes

if TYPE_CHECKING:
    from PIL.Image import Image

    from stages.predict.generation import Answer

# Grey values of deep pictures between these percentiles become 0 to 255; the few beyond are cut.
_DARKEST, _BRIGHTEST = 0.5, 99.5
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def answer_one(arguments: argparse.Namespace) -> None:
    """Print the boxes of ``--image`` for ``--query``, and write ``--overlay``; a known error ends the process with one message."""
    try:
        params = load_params()
        check_settings(params.predict)
        picture = read_picture(arguments.image)
        answer = ground(params, picture, arguments.query, arguments.base, arguments.adapter)
        print(f"{answer.decoded.outcome}: {answer.text}")
        for box, score in zip(answer.decoded.boxes_xyxy_px, answer.scores, strict=True):
            print("box_xyxy_px", *(f"{value:.1f}" for value in box), f"score {score:.3f}")
        if arguments.overlay is not None:
            arguments.overlay.parent.mkdir(parents=True, exist_ok=True)
            draw_boxes(picture, answer.decoded.boxes_xyxy_px, arguments.query).save(arguments.overlay, format="PNG")
            print(f"overlay: {arguments.overlay}")
    except (ValueError, OSError, StageError) as error:
        sys.exit(f"predict: {error}")


def ground(params: Params, picture: Image, query: str, base: str | None = None, adapter: str | None = None) -> Answer:
    """The answer of a base (default: that of an adapter's pack, else ``vlm.base``), with or without an adapter.

    Raises:
        ValueError: the card is wrong or the model does not load.
        StageError: the adapter is missing, belongs to another base, or is a folder of experts.
    """
    from stages.vlm.card import load_base

    folder = None if adapter in (None, "none") else Path(str(adapter))
    loaded = load_base(base or packed_base(folder) or params.vlm.base)
    ask = Ask("picture", "picture", query, picture.width, picture.height)
    (part,) = _one_part(folder, ask)
    (answer,) = load_pointer(loaded, part.adapter, params.predict).answer([ask], [picture])
    return answer


def packed_base(adapter: Path | None) -> str | None:
    """The base that was packed with an adapter, None where there is none."""
    return str(adapter / "base") if adapter is not None and (adapter / "base" / "card.yaml").is_file() else None


def _one_part(adapter: Path | None, ask: Ask) -> Any:
    if adapter is not None and not (adapter / "adapter_config.json").exists() and any(adapter.glob("*/adapter_config.json")):
        experts = ", ".join(sorted(str(path.parent) for path in adapter.glob("*/adapter_config.json")))
        raise StageError(f"{adapter} holds experts, one a modality: name the one that fits the picture: {experts}")
    return parts_of(adapter, [ask])


def read_picture(path: Path) -> Image:
    """A picture file as RGB, upright: grey and palette pictures as they look, what is transparent over black.

    Pictures of more than 8 bits are scaled between percentiles, as a viewer does; for a CT with its window use ``ingest``.

    Raises:
        ValueError: the file is missing, is no picture, is damaged or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not a picture that can be read (PNG, JPEG, TIFF, ..); volumes and DICOM come in through `python -m stages.ingest`") from error
    except OSError as error:
        raise ValueError(f"{path}: the picture cannot be read: {error.strerror or error}") from error
    except (Image.DecompressionBombError, SyntaxError) as error:
        raise ValueError(f"{path}: the picture cannot be decoded: {error}") from error
    if picture.mode in _DEEP_MODES:
        return Image.fromarray(_eight_bits(np.asarray(picture, dtype=np.float64))).convert("RGB")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, (0, 0, 0, 255)), layered).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Grey values (rows, columns) of any depth as 8 bits, scaled between two percentiles; values that are not finite are dark."""
    finite = grey[np.isfinite(grey)]
    low, high = np.percentile(finite, [_DARKEST, _BRIGHTEST]) if finite.size else (0.0, 1.0)
    if high <= low and finite.size:
        low, high = float(finite.min()), float(finite.max())
    scaled = (np.nan_to_num(grey, nan=low, posinf=high, neginf=low) - low) / max(high - low, 1e-12)
    return (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
