"""The stage on small real tables: what it writes, that workers change nothing, what it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from stages.core.params import DatasetParams, EngineParams, GenerateParams, ParamError, Params
from stages.core.records import Anchor, ItemError, Query, Sample
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError
from stages.generate.__main__ import generate
from tests.generate.scenes import STYLE_SHARES, Blob, make_anchor, make_sample

BLOBS = {
    "one": [Blob("polyp", 60, 60, 20), Blob("polyp", 140, 150, 35), Blob("polyp", 150, 40, 12)],
    "two": [Blob("cell nucleus", 20 + 17 * n, 180 - 15 * n, 3 + n) for n in range(10)],
}
MODALITIES = {"one": "endoscopy", "two": "microscopy"}


def _params(workers: int = 1, datasets: tuple[str, ...] = ("one", "two"), **changes) -> Params:
    chosen = GenerateParams(**{**dataclasses.asdict(GenerateParams("grammar", 10, 0.12, 0.06, 0.08, STYLE_SHARES, 3, 3, "contour", 512, 1, 0.05)), **changes})
    others = {field.name: None for field in dataclasses.fields(Params)}
    sources = {name: DatasetParams("card.yaml", "raw") for name in datasets}
    return Params(**{**others, "seed": 7, "datasets": sources, "engine": EngineParams(workers, "processes", None), "generate": chosen})


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Samples and anchors of two datasets, three images each, in a fresh working folder."""
    monkeypatch.chdir(tmp_path)
    for dataset, blobs in BLOBS.items():
        known = {"modality": MODALITIES[dataset], "spacing_mm": None, "image_left_is": None, "annotated_labels": [blobs[0].label]}
        samples = [make_sample(f"{dataset}/c{n}/v0", dataset=dataset, **known) for n in range(3)]
        anchors = [make_anchor(blob, n, sample, blobs) for sample in samples for n, blob in enumerate(blobs)]
        write_table(Path("data/samples") / dataset / "samples", Sample, samples)
        write_table(Path("data/anchors") / dataset / "anchors", Anchor, anchors)
    return tmp_path


def _bytes() -> dict[str, bytes]:
    return {path.as_posix(): path.read_bytes() for path in sorted(Path("data/queries").rglob("*.parquet"))}


def test_the_number_of_workers_changes_no_byte(tables: Path):
    generate(_params(workers=1))
    one = _bytes()
    generate(_params(workers=2))
    assert one == _bytes() and len(one) == 2


def test_the_seed_changes_the_texts(tables: Path):
    generate(_params())
    before = _bytes()
    generate(dataclasses.replace(_params(), seed=8))
    assert before != _bytes()


def test_the_table_holds_the_datasets_of_params_only_and_metrics_count_them(tables: Path):
    figures = generate(_params(datasets=("one",)))
    queries = read_table("data/queries/queries", Query)
    assert {query.sample_id.split("/")[0] for query in queries} == {"one"}
    assert figures["datasets"] == {"one": len(queries)} and figures["queries"] == len(queries) == sum(figures["kinds"].values())
    assert figures["claims"]["label"] == 1.0 and figures["claims"]["patient_side"] == 0.0
    assert (figures["tokens"], figures["cost"], figures["retries"], figures["failures"]) == (0, 0.0, 0, 0)


def test_every_query_names_its_writer(tables: Path):
    generate(_params())
    writers = {query.writer for query in read_table("data/queries/queries", Query)}
    (writer,) = writers
    assert (writer.backend, writer.model, writer.prompt_hash, writer.seed) == ("grammar", "medground-grammar", "", 7)
    assert len(writer.revision) == 16


def test_shares_of_kinds_follow_the_parameters(tables: Path):
    figures = generate(_params(share_multi=0.0, share_none=0.0, share_name=0.0))
    assert figures["kinds"] == {"single": figures["queries"], "multi": 0, "none": 0, "name": 0}
    assert generate(_params(share_multi=0.4))["kinds"]["multi"] > 4


def _spoil(dataset: str, **changes) -> None:
    folder = Path("data/samples") / dataset / "samples"
    rows = read_table(folder, Sample)
    write_table(folder, Sample, [dataclasses.replace(rows[0], **changes), *rows[1:]])


def test_an_image_of_unknown_modality_is_an_error_row_and_the_rest_goes_on(tables: Path):
    _spoil("one", modality="PET")
    figures = generate(_params(max_error_rate=0.5))
    (error,) = read_table("data/queries/errors", ItemError)
    assert (error.item_id, error.kind) == ("one/c0/v0", "unknown_modality") and "PET" in error.cause
    assert figures["failures"] == 1 and figures["datasets"]["one"] > 0


def test_too_many_bad_images_stop_the_stage_with_the_list_and_the_knob(tables: Path):
    _spoil("one", modality="PET")
    with pytest.raises(StageError, match=r"(?s)1 of 6 items failed.*generate.max_error_rate.*PET"):
        generate(_params())


def test_missing_anchors_are_named(tables: Path):
    with pytest.raises(FileNotFoundError, match="data/anchors/three"):
        generate(_params(datasets=("three",)))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"writer": "gramar"}, "generate.writer"),
        ({"queries_per_image": 0}, "generate.queries_per_image"),
        ({"max_claims": 0}, "generate.max_claims"),
        ({"styles": {"phrase": 1.0}}, "generate.styles"),
        ({"styles": {**STYLE_SHARES, "phrase": -1.0}}, "generate.styles"),
        ({"share_none": -0.1}, "generate.share_none"),
        ({"share_multi": 0.9, "share_none": 0.9}, "generate.share_multi"),
    ],
)
def test_parameters_out_of_range_are_named(tables: Path, changes: dict, named: str):
    with pytest.raises(ParamError, match=named):
        generate(_params(**changes))


def test_metrics_are_finite_without_any_query(tables: Path):
    from collections import Counter

    from stages.generate.figures import figures
    from stages.vlm.asking import Usage

    empty = figures([], {"one": 0}, {}, Counter(), [], Usage())
    assert empty["mean_words"] == empty["distinct_3"] == 0 and json.dumps(empty, allow_nan=False)
