"""Ingest beside plain loops over the same files; bounds with room for a loaded machine. The figures: python -m tests.benchmarks.ingest."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.benchmarks import ingest as bench

pytestmark = pytest.mark.benchmark


def test_pictures_cost_little_more_than_decoding_them_and_encoding_what_is_stored(tmp_path: Path) -> None:
    source = bench.make_source(tmp_path, "pictures_png")
    times = bench.alternating({"ours": lambda: bench.ingest(source, 1), "peer": lambda: bench.decode_and_encode(source.root)}, time.process_time, turns=2)
    assert times["ours"] < 1.6 * times["peer"]


def test_volumes_cost_little_more_than_decoding_them(tmp_path: Path) -> None:
    source = bench.make_source(tmp_path, "volumes")
    times = bench.alternating({"ours": lambda: bench.ingest(source, 1), "peer": lambda: bench.decode_volumes(source.root)}, time.process_time, 2)
    assert times["ours"] < 2 * times["peer"]


def test_a_worker_holds_no_more_than_a_few_volumes_at_a_time(tmp_path: Path) -> None:
    bench.make_source(tmp_path, "volumes")
    memory = bench.peak_memory(tmp_path, "volumes")
    assert memory["peak_mb_above_imports"] < 12 * memory["mb_of_one_item_decoded"]


def test_pictures_by_pytest_benchmark(benchmark, tmp_path: Path) -> None:
    source = bench.make_source(tmp_path, "pictures_jpg")
    assert benchmark.pedantic(bench.ingest, args=(source, 1), rounds=2) == bench.PICTURES
