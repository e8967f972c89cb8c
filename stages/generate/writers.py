"""Who writes the queries. The key is what ``generate.writer`` says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stages.core.claims import Scene
from stages.core.params import Params
from stages.generate.draft import Draft
from stages.generate.grammar import GrammarWriter
from stages.generate.model_writer import EndpointWriter, LocalWriter


class QueryWriter(Protocol):
    """Writes the queries of all scenes."""

    def check(self, params: Params) -> None:
        """Refuse parameters that cannot work, before anything is read.

        Raises:
            ParamError: names the parameter.
        """
        ...

    def write(self, scenes: Sequence[Scene], params: Params) -> list[Draft]:
        """A draft of every scene, in order. The same scenes and parameters give the same drafts, after an interruption too.

        Raises:
            StageError: nobody answers, or every answer would fail the same way.
        """
        ...


WRITERS: dict[str, QueryWriter] = {"grammar": GrammarWriter(), "endpoint": EndpointWriter(), "local": LocalWriter()}
