"""What a model family is: how its models are asked, what they answer in, and what their processors do to a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.vlm.codecs import CODECS, BoxCodec

if TYPE_CHECKING:
    from PIL.Image import Image

PARTS = ("vision", "connector", "text")


def chat_prompt(family: Family, processor: Any, expression: str) -> str:
    """One user's turn with a picture and the instruction, by the processor's own chat template, up to the answer."""
    content = [{"type": "image"}, {"type": "text", "text": family.instruction(expression)}]
    return processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False)


def whole_picture(picture: Image) -> Image:
    """The picture as it is: the family's processor does everything else."""
    return picture


def processor_square(processor: Any, width: int, height: int) -> tuple[int, int]:
    """(width, height) that the processor resizes every picture to; the picture's own when it states no fixed size."""
    size = processor.image_processor.size
    fixed = (size.get("width"), size.get("height")) if hasattr(size, "get") else (size.width, size.height)
    return (int(fixed[0]), int(fixed[1])) if None not in fixed else (width, height)


@dataclass(frozen=True)
class Family:
    """A model family.

    ``codec`` names the box syntax of the answer, ``instruction`` turns a referring expression into the user's words,
    ``prompt`` builds the whole prompt from them, up to where the answer starts, with one image placeholder.
    ``end_token`` closes every answer. ``model_types`` are its architectures (``model_type`` in config.json). ``parts``
    (vision, connector, text) are regular expressions of the module paths of a part in the model class that
    AutoModelForImageTextToText loads (see ``layers.linear_layers``).

    ``prepare`` is what happens to a picture before the processor; ``seen`` gives the size (width, height) in pixels
    that the processor makes of a picture of ``width`` x ``height``. ``settings`` are the processor settings that a card
    may give: name -> keyword of AutoProcessor.from_pretrained and its value.

    ``answer_types`` are the token types of an answer where they are not 0 (PaliGemma's suffix). ``opening_token``
    precedes every answer of an encoder-decoder. ``packed``: several questions about an image share one sequence in
    training. ``needs``: packages without which the processor cannot be built.
    """

    name: str
    codec: str
    instruction: Callable[[str], str]
    end_token: str
    model_types: tuple[str, ...]
    parts: Mapping[str, str]
    prompt: Callable[[Family, Any, str], str] = chat_prompt
    prepare: Callable[[Image], Image] = whole_picture
    seen: Callable[[Any, int, int], tuple[int, int]] = processor_square
    settings: Mapping[str, Callable[[Any], Mapping[str, Any]]] = field(default_factory=dict)
    answer_types: Mapping[str, int] = field(default_factory=dict)
    opening_token: str | None = None
    encoder_decoder: bool = False
    packed: bool = False
    needs: tuple[str, ...] = ()

    @property
    def box_codec(self) -> BoxCodec:
        """The family's codec."""
        return CODECS[self.codec]


def prompt_text(family: Family, processor: Any, expression: str) -> str:
    """The whole prompt of a referring expression, up to where the answer starts; holds one image placeholder.

    Training and prediction have no other way to a prompt.
    """
    return family.prompt(family, processor, expression)


def seen_px(family: Family, processor: Any, width: int, height: int) -> tuple[int, int]:
    """(width, height) in pixels of a picture of ``width`` x ``height`` as the model sees it after its processor."""
    return family.seen(processor, width, height)
