"""What a contender is asked: the examples of a split, and probes about a seeded subset of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.core.mirror import mirrored_text
from stages.core.params import PredictParams, require
from stages.core.records import CorpusImage, Example
from stages.core.shards import iter_table, read_table
from stages.core.stage import StageError, seed_for

if TYPE_CHECKING:
    from PIL.Image import Image

FLIPPED, BLANK_IMAGE, NO_TEXT = PROBES = ("flipped", "blank_image", "no_text")
NEUTRAL_TEXT = "the object"


@dataclass(frozen=True)
class Ask:
    """One question: the example and its picture, the expression, the size of the original picture in pixels.

    ``probe`` is empty or one of PROBES; the picture is changed accordingly.
    """

    example_id: str
    sample_id: str
    expression: str
    width: int
    height: int
    modality: str = ""
    probe: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells this question from all others."""
        return self.example_id, self.probe


def plain_ask(example: Example) -> Ask:
    """The question of an example as it stands."""
    return Ask(example.example_id, example.sample_id, example.text, example.width, example.height, example.modality)


def read_examples(corpus: Path, split: str) -> list[Example]:
    """Examples of a split, in id order.

    Raises:
        StageError: there is none.
    """
    examples = [example for example in read_table(corpus / "examples", Example) if example.split == split]
    if not examples:
        raise StageError(f"{corpus}/examples has no example of split {split!r}: look at metrics/split.json")
    return examples


def probe_asks(examples: Sequence[Example], params: PredictParams, seed: int) -> tuple[list[Ask], dict[str, int]]:
    """The probes about the subset, and how many of its examples each probe had to leave out.

    The subset depends on the seed and the examples alone, so that it is the same for all contenders.

    Raises:
        ParamError: an unknown probe, or a negative number.
    """
    unknown = sorted(set(params.probes) - set(PROBES))
    require(not unknown, "predict:probes", f"among {', '.join(PROBES)}", params.probes)
    require(params.probe_examples >= 0, "predict:probe_examples", "0 or more", params.probe_examples)
    chosen = _subset(examples, params.probe_examples, seed)
    asks, left_out = [], {}
    for probe in sorted(set(params.probes)):
        asked = [ask for example in chosen if (ask := _probe(example, probe)) is not None]
        asks += asked
        left_out[probe] = len(chosen) - len(asked)
    return asks, left_out


def _subset(examples: Sequence[Example], wanted: int, seed: int) -> list[Example]:
    """Whole patients in a seeded order until ``wanted`` examples are reached; the last patient is cut."""
    order = sorted(examples, key=lambda e: (seed_for(seed, "probe", e.dataset, e.patient_id), e.dataset, e.patient_id, e.example_id))
    return order[:wanted]


def _probe(example: Example, probe: str) -> Ask | None:
    """The example as a probe; None when its words cannot be mirrored safely."""
    text = {FLIPPED: lambda: mirrored_text(example.text), BLANK_IMAGE: lambda: example.text, NO_TEXT: lambda: NEUTRAL_TEXT}[probe]()
    if text is None:
        return None
    return Ask(example.example_id, example.sample_id, text, example.width, example.height, example.modality, probe)


class Pictures:
    """Pictures of the corpus, kept as PNG bytes and decoded when asked for."""

    def __init__(self, corpus: Path, wanted: set[str]) -> None:
        """Read the wanted pictures.

        Raises:
            StageError: one is missing.
        """
        self._corpus = corpus
        self.png = {row.sample_id: row.image for row in iter_table(corpus / "images", CorpusImage) if row.sample_id in wanted}
        missing = sorted(wanted - set(self.png))
        if missing:
            raise StageError(f"{corpus}/images lacks {', '.join(missing[:5])}: the tables are of different runs, run `dvc repro split`")

    def __call__(self, ask: Ask) -> Image:
        """The RGB picture that goes with a question, changed as its probe says.

        Raises:
            StageError: it cannot be decoded, or has another size than its example.
        """
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(self.png[ask.sample_id])) as opened:
                picture = opened.convert("RGB")
        except (UnidentifiedImageError, OSError) as error:
            raise StageError(f"{self._corpus}/images: {ask.sample_id}: the picture cannot be decoded ({error}); run `dvc repro ingest`") from error
        if picture.size != (ask.width, ask.height):
            raise StageError(
                f"{self._corpus}/images: {ask.sample_id} has {picture.width} x {picture.height} px, its example says "
                f"{ask.width} x {ask.height}: the tables are of different runs, run `dvc repro split`"
            )
        return probed_picture(picture, ask.probe)


def probed_picture(picture: Image, probe: str) -> Image:
    """An RGB picture as a probe shows it: mirrored, or a picture of its mean grey; any other probe leaves it."""
    from PIL import Image, ImageOps, ImageStat

    if probe == FLIPPED:
        return ImageOps.mirror(picture)
    if probe == BLANK_IMAGE:
        grey = round(ImageStat.Stat(picture.convert("L")).mean[0])
        return Image.new("RGB", picture.size, (grey, grey, grey))
    return picture
