from __future__ import annotations

from pathlib import Path

import yaml

from stages.report.dag import draw, drawn_pipeline, pipeline_of, reduced

ROOT = Path(__file__).parents[2]


def test_what_is_drawn_is_the_pipeline_of_dvc_yaml() -> None:
    stages, settings = (yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in ("dvc.yaml", "params.yaml"))
    assert drawn_pipeline() == pipeline_of(stages["stages"], settings), "run: python -m stages.report.dag"


def test_the_drawing_follows_the_files() -> None:
    drawing = draw(drawn_pipeline())
    chain = ["phantom", "ingest", "anchor", "generate", "verify", "split", "finetune", "predict", "evaluate", "report"]
    assert set(zip(chain, chain[1:], strict=False)) <= set(drawing.edges)
    assert ("pretrain", "finetune") in drawing.edges
    place = {node.name: node.x for node in drawing.nodes}
    assert all(place[source] < place[target] for source, target in drawing.edges)
    assert len({(node.x, node.y) for node in drawing.nodes}) == len(drawing.nodes)


def test_what_a_longer_way_says_is_left_out() -> None:
    assert reduced([("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d")]) == [("a", "b"), ("b", "c"), ("c", "d")]
