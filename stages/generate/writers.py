"""Who writes the queries. A writer takes one scene at a time, so that scenes can be mapped over processes."""

from __future__ import annotations

from typing import Protocol

from stages.core.claims import Scene
from stages.core.params import GenerateParams
from stages.generate.draft import Draft
from stages.generate.grammar import write_scene


class QueryWriter(Protocol):
    """Writes the queries of one scene. Deterministic in its arguments: a model's answers come through ``core.cache``."""

    def __call__(self, scene: Scene, params: GenerateParams, seed: int) -> Draft: ...


WRITERS: dict[str, QueryWriter] = {"grammar": write_scene}
