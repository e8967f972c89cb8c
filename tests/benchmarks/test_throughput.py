"""The benchmark of throughput: its shapes are the published ones, and at tiny size all of its contenders run on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.shapes import PUBLISHED_BILLIONS, SHAPES, SIZES, make_corpus, random_model, shape
from tests.benchmarks.throughput import Load, measure

FEW = Load(pictures=1, questions=2, steps=1, turns=1, asked=4, asked_alone=2, batch_size=4, workers=0)


@pytest.mark.parametrize("family", list(SHAPES))
def test_a_shape_of_3b_has_as_many_parameters_as_the_published_model(family: str) -> None:
    config, _ = shape(family, "3b")
    model = random_model(config, "meta", "bfloat16")
    billions = sum(weight.numel() for weight in model.parameters()) / 1e9
    assert billions == pytest.approx(PUBLISHED_BILLIONS[family], abs=0.01)


@pytest.mark.parametrize("family", list(SHAPES))
def test_pictures_of_the_3b_corpus_fit_the_prompts_of_its_processor(family: str) -> None:
    from stages.predict.asks import plain_ask
    from stages.predict.batching import PromptLengths
    from stages.vlm.families import FAMILIES

    _, processor = shape(family, "3b")
    corpus = make_corpus(6, 1, SIZES["3b"], 0)
    lengths = [PromptLengths(FAMILIES[family], processor)(plain_ask(asked)) for asked in corpus.examples]
    assert min(lengths) > 256 and max(lengths) < 1500


def test_a_corpus_is_the_same_for_the_same_seed() -> None:
    assert make_corpus(2, 3, SIZES["tiny"], 7) == make_corpus(2, 3, SIZES["tiny"], 7) != make_corpus(2, 3, SIZES["tiny"], 8)


@pytest.mark.benchmark
def test_all_contenders_run_at_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path))
    figures = measure("paligemma", "tiny", "cpu", FEW)
    for setting in ("checkpointing_on", "checkpointing_off"):
        row = figures["training"][setting]
        assert row["ours"]["samples_per_s"] > 0 and row["ours"]["peak_memory_gib"] is None
        assert "times_faster" in row or row["trl"].startswith("not installed")
    assert figures["prediction"]["times_faster"] > 0 and figures["prediction"]["answer_tokens"] > 4
