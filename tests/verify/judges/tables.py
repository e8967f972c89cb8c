"""A small tree for the stage with judges that ask a model, and what a server answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from stages.core.params import Params, load_params
from stages.core.records import Anchor, Query, Sample, Verdict
from stages.core.shards import read_table, write_table
from tests.import_closure import ROOT
from tests.verify.scenes import anchors, query, sample
from tests.vlm.chat_server import RED, Reply, asked_text

RIGHT = ["the largest liver lesion", "the spleen", "both kidneys", "Aorta.", "the liver lesion on the right side of the image"]
QUERIES = [
    query(RIGHT[0], 5, query_id="a~0"),
    query(RIGHT[1], 1, query_id="a~1"),
    query(RIGHT[2], 2, 3, query_id="a~2"),
    query(RIGHT[3], 4, query_id="a~3"),
    query(RIGHT[4], kind="none", query_id="a~4"),
    query("the smallest liver lesion", 5, query_id="a~5"),
    query("the spiculated aorta", 4, query_id="a~6"),
]
YES = {"visible": "yes", "described": "yes", "fits": "yes", "reason": "all_right"}


def write_tables() -> None:
    """Samples, anchors and queries of a dataset "set" below the working folder: five right, one false, one unread."""
    write_table("data/samples/set/samples", Sample, [sample()])
    write_table("data/anchors/set/anchors", Anchor, anchors())
    write_table("data/queries/queries", Query, QUERIES)


def write_params(folder: Path, verify: dict | None = None, endpoint: dict | None = None, local: dict | None = None) -> Params:
    """The repository's params.yaml with the dataset "set" and changes of blocks, written below ``folder``."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["datasets"] = {"set": {"card": "card.yaml", "root": "raw"}}
    content["engine"]["workers"] = 1
    content["verify"] |= {"judges": ["evidence", "endpoint"], "votes": 1, "picture_px": 128, **(verify or {})}
    content["vlm"]["endpoint"] |= {"model": "tiny", "max_retries": 0, "timeout_s": 20, "concurrency": 3, "probe": False, **(endpoint or {})}
    content["vlm"]["local"] |= local or {}
    (folder / "params.yaml").write_text(json.dumps(content), encoding="utf-8")
    return load_params(folder / "params.yaml")


def text_of(body: dict[str, Any]) -> str:
    """The query's text in a request."""
    return json.loads(asked_text(body).split("as a JSON string: ")[1].split("\n")[0])


def answering(answer: Callable[[str, int], dict[str, str] | Reply]) -> Callable[[dict, int], Reply]:
    """A server's script from ``answer(text, number of the earlier requests about it)``; colours of test pictures are named."""
    seen: dict[str, int] = {}

    def script(body: dict, number: int) -> Reply:
        if "Which colour" in asked_text(body):
            image = next(part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url")
            return Reply("red" if image == RED else "blue")
        text = text_of(body)
        seen[text] = seen.get(text, -1) + 1
        found = answer(text, seen[text])
        return found if isinstance(found, Reply) else Reply(json.dumps(found))

    return script


def agreeing(text: str, number: int) -> dict[str, str]:
    """Everything is right."""
    return {"present": "no", "reason": "nothing_fits"} if text == RIGHT[4] else YES


def rows(check: str) -> dict[str, Verdict]:
    """Verdicts of one check by query."""
    return {row.query_id: row for row in read_table("data/verified/verdicts", Verdict) if row.check == check}


def verified_bytes(folder: Path) -> dict[str, bytes]:
    """Every out of the stage by its path."""
    files = [path for root in ("data/verified", "metrics") for path in sorted((folder / root).rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
