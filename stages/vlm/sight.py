"""Does a model see? Two one-coloured pictures tell a blind one before it is paid for guessing."""

from __future__ import annotations

import io

from stages.vlm.chat import Asker, ChatError, ChatRequest

_QUESTION = "Which colour fills this picture: red, green or blue? Answer with that one word."
_COLOURS = {"red": (200, 20, 20), "blue": (20, 20, 200)}


def check_sight(asker: Asker) -> None:
    """Show a red and a blue picture.

    Raises:
        ChatError: ``cannot_see`` when the answers do not name the colours; or whatever kept an answer from coming.
    """
    for colour, rgb in _COLOURS.items():
        answer = asker.ask(ChatRequest("", (_filled(rgb), _QUESTION)))
        if colour not in answer.text.lower():
            raise ChatError(
                "cannot_see",
                f"{asker.backend.model!r} was shown a {colour} picture and answered {answer.text[:60]!r}: "
                "it takes no pictures, or does not follow. Choose a vision-language model, or set vlm.endpoint.probe to false",
            )


def _filled(rgb: tuple[int, int, int]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (224, 224), rgb).save(buffer, format="PNG")
    return buffer.getvalue()
