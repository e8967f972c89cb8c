"""Answers of a contender on the corpus, answers made elsewhere, or the answer for one picture.

``--contender base|tuned|control|..``: the corpus. ``--endpoint``: the same by the model behind vlm.endpoint.
``--import answers.jsonl --name NAME``: answers that another model has given. ``--image x.png --query ".."``: one picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stages.core.params import Params
from stages.core.records import Prediction
from stages.core.stage import run_stage
from stages.predict.asks import Pictures, plain_ask, probe_asks, read_examples
from stages.predict.contenders import BASE, adapter_of, check_settings, identity_of, load_pointer, parts_of
from stages.predict.table import write_predictions

CORPUS = Path("data/corpus")
PREDICTIONS = Path("data/predictions")
ENDPOINT = "endpoint"
SPACES, ORDERS = ("px", "norm1", "norm1000"), ("xyxy", "yxyx", "xywh")


def main() -> None:
    """Run what the arguments ask for."""
    arguments = _arguments()
    if arguments.image is not None:
        from stages.predict.one import answer_one

        answer_one(arguments)
        return
    name = arguments.name or arguments.contender or (ENDPOINT if arguments.endpoint else BASE)
    out = arguments.out or PREDICTIONS / name
    run_stage(f"predict@{name}", lambda params: _table(params, arguments, name, out))


def _table(params: Params, arguments: argparse.Namespace, name: str, out: Path) -> None:
    if arguments.answers is not None:
        from stages.predict.importing import Form, import_answers

        form = Form(arguments.space, arguments.order, arguments.codec)
        import_answers(arguments.answers, name, read_examples(CORPUS, arguments.split), form, out)
    elif arguments.endpoint:
        from stages.predict.outside import ask_endpoint

        ask_endpoint(params, name, CORPUS, arguments.split, out)
    else:
        predict(params, name, arguments.split, out, arguments.base, arguments.adapter)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contender", help="base, an arm of finetune (tuned, control, ..), or any name together with --adapter")
    parser.add_argument("--base", help="card of the base: a folder with a card.yaml, or a card in models/ (default: vlm.base)")
    parser.add_argument("--adapter", help="adapter folder, or none for the base alone (default: models/adapter/<contender>)")
    parser.add_argument("--split", default="test", choices=["test", "val", "train"], help="examples to answer (default: test)")
    parser.add_argument("--out", type=Path, help="folder of the table (default: data/predictions/<contender>)")
    parser.add_argument("--endpoint", action="store_true", help="ask the model behind vlm.endpoint, in the form of predict.endpoint_codec")
    parser.add_argument("--import", dest="answers", type=Path, metavar="FILE", help="answers made elsewhere, JSON lines (see README)")
    parser.add_argument("--name", help="contender's name for --import")
    parser.add_argument("--space", default="px", choices=SPACES, help="space of the boxes of --import, where a line does not say (default: px)")
    parser.add_argument("--order", default="xyxy", choices=ORDERS, help="order of their numbers (default: xyxy)")
    parser.add_argument("--codec", help="codec that reads raw answers of --import, where a line does not say")
    parser.add_argument("--image", type=Path, help="a picture to answer for, instead of the corpus")
    parser.add_argument("--query", help="referring expression for --image")
    parser.add_argument("--overlay", type=Path, help="write the picture of --image with its boxes here (PNG)")
    arguments = parser.parse_args()
    _check(parser, arguments)
    return arguments


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse arguments that do not go together."""
    modes = [arguments.image is not None, arguments.answers is not None, arguments.endpoint]
    if sum(modes) > 1 or (not any(modes) and arguments.contender is None):
        parser.error("give one of --contender, --endpoint, --import with --name, or --image with --query")
    if arguments.image is not None and not (arguments.query or "").strip():
        parser.error('--image needs --query, what to look for: --query "the left kidney"')
    if arguments.answers is not None and not arguments.name:
        parser.error("--import needs --name")
    if arguments.answers is None and (arguments.name or arguments.codec):
        parser.error("--name and --codec go with --import")
    for name in (arguments.name, arguments.contender):
        if name is not None and (not name or Path(name).name != name or name.startswith(".")):
            parser.error(f"a contender's name is the name of a folder, without a path: {name!r}")


def predict(params: Params, contender: str, split: str, out: Path, base: str | None = None, adapter: str | None = None) -> None:
    """Answer every example of a split, and the probes, and write the predictions, sorted by id.

    Raises:
        StageError: the adapter is missing or belongs to another base, or the split is empty.
        CardError, LoadError: the base's card is wrong, or its weights do not load.
    """
    from tqdm import tqdm

    from stages.vlm.card import load_base, weights_hash

    check_settings(params.predict)
    model = load_base(base or params.vlm.base)
    examples = read_examples(CORPUS, split)
    probes, left_out = probe_asks(examples, params.predict, params.seed)
    asks = [*map(plain_ask, examples), *probes]
    folder = adapter_of(contender, adapter)
    parts = parts_of(folder, asks)
    pictures = Pictures(CORPUS, {ask.sample_id for ask in asks})
    rows: list[Prediction] = []
    with tqdm(total=len(asks), desc=f"predict {contender}", unit="example") as bar:
        for part in parts:
            for row in _answers(params, model, part, pictures, contender):
                rows.append(row)
                bar.update()
    about = {
        "contender": contender,
        "base": model.card.name,
        "base_hash": weights_hash(model),
        "codec": model.card.codec,
        "constrained": params.predict.constrained,
        "max_boxes": params.predict.max_boxes,
        "probes_left_out": left_out,
        "split": split,
    }
    if adapter is not None:
        # Named by hand: evaluate scores such a contender although it is no arm of finetune.arms.
        about["adapter"] = Path(adapter).name
    write_predictions(out, rows, about)


def _answers(params: Params, base: Any, part: Any, pictures: Pictures, contender: str) -> Any:
    """Predictions of one set of weights, batch after batch."""
    from stages.predict.answering import answer_all, png_hash

    settings = params.predict
    pointer = load_pointer(base, part.adapter, settings)
    identity = identity_of(base, part.adapter, settings)
    for answer in answer_all(pointer, part.asks, pictures, settings.batch_size, settings.batch_tokens, identity, png_hash(pictures.png)):
        yield Prediction(
            answer.ask.example_id, contender, answer.text, answer.decoded.boxes_xyxy_px, answer.scores, answer.decoded.outcome,
            answer.n_tokens, answer.ask.probe, settings.constrained, answer.n_steered,
        )  # fmt: skip


if __name__ == "__main__":
    main()
