"""A ``transformers`` vision-language model on this machine as a backend: a folder or a hub id.

Where an answer has a schema, xgrammar masks every token that would leave it, so that also a small model answers in
form. Decoding is greedy: one request has one answer.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

from stages.core.params import LocalParams, ParamError, require
from stages.vlm.chat import ChatAnswer, ChatError, ChatRequest, transcript


def check(params: LocalParams) -> None:
    """Ranges of the ``vlm.local`` block.

    Raises:
        ParamError: names the parameter.
    """
    location = params.model or ""
    require(bool(location), "vlm.local.model", "a folder or a hub id", params.model)
    require(params.max_tokens > 0, "vlm.local.max_tokens", "above 0", params.max_tokens)
    if Path(location).is_dir():
        if not (Path(location) / "config.json").is_file():
            raise ParamError(f"vlm.local.model: no model in {location!r} (config.json is missing): name a folder with weights")
    elif params.revision is None:
        raise ParamError(f"vlm.local.model: {location!r} is no folder here; if it is a hub id, pin its commit as vlm.local.revision")


class LocalModel:
    """A model in this process; loaded at the first question."""

    name = "local"

    def __init__(self, params: LocalParams) -> None:
        """Check the parameters; nothing is loaded.

        Raises:
            ParamError: out of range, or no model there.
        """
        check(params)
        self.params, self.location = params, params.model or ""
        self.model = Path(self.location).name
        self.revision = params.revision or _folder_hash(Path(self.location))

    @property
    def identity(self) -> dict[str, Any]:
        """What an answer depends on: weights and length."""
        return {"backend": self.name, "model": self.model, "revision": self.revision, "max_tokens": self.params.max_tokens}

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """(model, processor)."""
        from stages.vlm.loading import load_model, load_processor

        try:
            return load_model(self.location, self.params.revision), load_processor(self.location, self.params.revision)
        except (OSError, ValueError) as error:
            cause = str(error).splitlines()[0]
            raise ParamError(f"vlm.local.model: {self.params.model!r} is no image-text-to-text model that loads here ({cause})") from error

    @functools.cached_property
    def _grammars(self) -> Any:
        """Compiler of JSON schemas for the model's vocabulary."""
        import xgrammar

        model, processor = self._loaded
        size = model.get_output_embeddings().weight.shape[0]
        return xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(processor.tokenizer, vocab_size=size))

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """Answer greedily, within the schema where there is one.

        Raises:
            ChatError: cannot_see (the processor has no chat template or takes no pictures), too_long.
        """
        import torch

        begun = time.monotonic()
        model, processor = self._loaded
        inputs = self._inputs(request).to(model.device)
        length = inputs["input_ids"].shape[1]
        limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and length + self.params.max_tokens > limit:
            raise ChatError("too_long", f"{length} tokens asked and {self.params.max_tokens} to answer, but {self.model} takes {limit}")
        with torch.inference_mode():
            out = model.generate(**inputs, max_new_tokens=self.params.max_tokens, do_sample=False, logits_processor=self._bounds(request))
        tokens = out[0, length:]
        ended = int(tokens[-1]) in _end_ids(model) if len(tokens) else False
        text = processor.tokenizer.decode(tokens, skip_special_tokens=True)
        return ChatAnswer(text, "stop" if ended else "length", length, len(tokens), 0, round(time.monotonic() - begun, 3))

    def _inputs(self, request: ChatRequest) -> Any:
        processor = self._loaded[1]
        turns = transcript(request, system_turn=False)
        messages = [{"role": turn["role"], "content": [_part(part) for part in turn["parts"]]} for turn in turns]
        if not getattr(processor, "chat_template", None) or not hasattr(processor, "image_processor"):
            raise ChatError("cannot_see", f"the processor of {self.model} has no chat template or takes no pictures: choose a vision-language model")
        return processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")

    def _bounds(self, request: ChatRequest) -> list[Any]:
        if request.schema is None:
            return []
        from xgrammar.contrib.hf import LogitsProcessor

        return [LogitsProcessor(self._grammars.compile_json_schema(json.dumps(request.schema), any_whitespace=False))]


def _part(part: str | bytes) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    from PIL import Image

    return {"type": "image", "image": Image.open(io.BytesIO(part)).convert("RGB")}


def _end_ids(model: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    return set(ends) if isinstance(ends, list) else {ends}


def _folder_hash(folder: Path) -> str:
    """Hash over the files of a local model."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        with file.open("rb") as handle:
            digest.update(file.name.encode() + b"\0" + hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()[:16]
