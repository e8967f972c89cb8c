"""``python -m stages.predict --contender base|tuned|control`` on the corpus, or ``--image x.png --query "..."`` on a picture."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

from stages.core.params import Params, load_params, require
from stages.core.records import CorpusImage, Example, Prediction
from stages.core.shards import iter_table, read_table, write_table
from stages.core.stage import StageError, run_stage

CORPUS = Path("data/corpus")
PREDICTIONS = Path("data/predictions")
ADAPTERS = Path("models/adapter")
BASE = "base"


def main() -> None:
    """Run the stage, or answer for one picture."""
    arguments = _arguments()
    if arguments.image is not None:
        _answer_one(arguments)
        return
    out = arguments.out or PREDICTIONS / arguments.contender
    run_stage(f"predict@{arguments.contender}", lambda params: predict(params, arguments.contender, arguments.split, out))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.predict", description=__doc__)
    parser.add_argument("--contender", help="base, or an arm of finetune (tuned, control)")
    parser.add_argument("--split", default="test", choices=["test", "val", "train"], help="examples to answer (default: test)")
    parser.add_argument("--out", type=Path, help="folder of the table (default: data/predictions/<contender>)")
    parser.add_argument("--image", type=Path, help="a picture to answer for, instead of the corpus")
    parser.add_argument("--query", help="referring expression for --image")
    parser.add_argument("--adapter", type=Path, help="adapter folder for --image (default: none, the base)")
    parser.add_argument("--overlay", type=Path, help="write the picture with its boxes here (PNG)")
    arguments = parser.parse_args()
    if (arguments.image is None) == (arguments.contender is None):
        parser.error("give either --contender or --image with --query")
    if arguments.image is not None and not arguments.query:
        parser.error("--image needs --query")
    return arguments


def predict(params: Params, contender: str, split: str, out: Path) -> None:
    """Answer every example of a split and write the predictions, sorted by id.

    Raises:
        StageError: the adapter is missing or belongs to another base, or the split is empty.
    """
    from tqdm import tqdm

    from stages.predict.generation import Ask, answer_all
    from stages.vlm.adapters import load_contender
    from stages.vlm.card import load_base
    from stages.vlm.cpu import use_one_core
    from stages.vlm.families import find_family
    from stages.vlm.loading import load_processor

    require(params.predict.batch_size > 0, "predict:batch_size", "at least 1", params.predict.batch_size)
    require(params.predict.max_boxes > 0, "predict:max_boxes", "at least 1", params.predict.max_boxes)
    use_one_core()
    base = load_base(params.vlm.base)
    examples = [example for example in read_table(CORPUS / "examples", Example) if example.split == split]
    if not examples:
        raise StageError(f"{CORPUS}/examples has no example of split {split!r}: look at metrics/split.json")
    model = load_contender(base, None if contender == BASE else ADAPTERS / contender)
    processor, family = load_processor(base.location, base.card.revision), find_family(base.card.family)
    pictures = _pictures({example.sample_id for example in examples})
    sample_of = {example.example_id: example.sample_id for example in examples}
    asks = [Ask(example.example_id, example.text, example.width, example.height) for example in examples]
    answers = answer_all(
        model,
        processor,
        family,
        asks,
        lambda ask_id: _open(pictures, sample_of[ask_id]),
        params.predict.batch_size,
        params.predict.max_boxes,
    )
    rows = [
        Prediction(
            answer.ask_id, contender, answer.text, answer.decoded.boxes_xyxy_px, answer.scores, answer.decoded.outcome, answer.n_tokens
        )
        for answer in tqdm(answers, total=len(asks), desc=f"predict {contender}", unit="example")
    ]
    write_table(out, Prediction, rows)


def _pictures(wanted: set[str]) -> dict[str, bytes]:
    rows = {row.sample_id: row.image for row in iter_table(CORPUS / "images", CorpusImage) if row.sample_id in wanted}
    missing = sorted(wanted - set(rows))
    if missing:
        raise StageError(f"{CORPUS}/images lacks {', '.join(missing[:5])}: the tables are of different runs, run `dvc repro split`")
    return rows


def _open(pictures: dict[str, bytes], sample_id: str) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(pictures[sample_id])) as picture:
            return picture.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise StageError(f"{CORPUS}/images: {sample_id}: the picture cannot be decoded ({error}); run `dvc repro ingest`") from error


def _answer_one(arguments: argparse.Namespace) -> None:
    """Print the boxes of one picture, in its pixels, and write an overlay when asked to."""
    from PIL import Image, UnidentifiedImageError

    from stages.predict.generation import Ask, answer_all
    from stages.predict.overlay import draw_boxes
    from stages.vlm.adapters import load_contender
    from stages.vlm.card import load_base
    from stages.vlm.families import find_family
    from stages.vlm.loading import load_processor

    try:
        params = load_params()
        base = load_base(params.vlm.base)
        with Image.open(arguments.image) as opened:
            picture = opened.convert("RGB")
        model = load_contender(base, arguments.adapter)
    except UnidentifiedImageError as error:
        sys.exit(f"predict: {arguments.image} is not a picture that can be read: {error}")
    except (ValueError, OSError, StageError) as error:
        sys.exit(f"predict: {error}")
    ask = Ask(str(arguments.image), arguments.query, picture.width, picture.height)
    processor, family = load_processor(base.location, base.card.revision), find_family(base.card.family)
    (answer,) = answer_all(model, processor, family, [ask], lambda _: picture, 1, params.predict.max_boxes)
    print(f"{answer.decoded.outcome}: {answer.text}")
    for box, score in zip(answer.decoded.boxes_xyxy_px, answer.scores, strict=True):
        print("box_xyxy_px", *(f"{value:.1f}" for value in box), f"score {score:.3f}")
    if arguments.overlay is not None:
        draw_boxes(picture, answer.decoded.boxes_xyxy_px, arguments.query).save(arguments.overlay)
        print(f"overlay: {arguments.overlay}")


if __name__ == "__main__":
    main()
