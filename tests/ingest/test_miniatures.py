"""Every card of a public set reads a tiny tree in that set's documented layout, through the whole of ingest."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from stages.core.geometry import decode_mask
from stages.core.params import load_params
from stages.core.records import Sample
from stages.ingest.card import load_card
from stages.ingest.run import open_source, read_source
from tests.ingest.miniatures import REGISTRY, write_miniature
from tests.ingest.sources import REPO

CARDS = REPO / "data" / "cards"


def test_every_card_tried_on_a_miniature_has_one():
    tried = {path.stem for path in CARDS.glob("*.yaml") if load_card(path).verified_on == "miniature"}
    assert tried == set(REGISTRY)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_card_reads_its_set_in_the_documented_layout(name, tmp_path):
    expected = write_miniature(name, tmp_path)
    card = load_card(CARDS / f"{name}.yaml")
    found, results = read_source(open_source(card, tmp_path, load_params(REPO / "params.yaml").ingest, "root"), workers=1)
    errors = found.errors + [error for result in results for error in (*result.lost, *result.partial)]
    assert len(errors) == expected.n_errors, errors
    assert len(found.cases) == expected.cases and not found.unmatched
    samples = [sample for result in results for sample in result.samples]
    assert {sample.case_id for sample in samples} == {case.case_id for case in found.cases} - expected.dropped
    seen = {item.label for sample in samples for item in sample.objects}
    assert seen == (set(card.labels) if expected.labels is None else expected.labels)
    if expected.objects is not None:
        assert Counter(item.label for sample in samples for item in sample.objects) == expected.objects
    if expected.patients is not None:
        assert len({sample.patient_id for sample in samples}) == expected.patients
    if expected.splits is not None:
        assert {sample.source_split for sample in samples} == expected.splits
    for sample in samples:
        spacing = None if sample.spacing_mm is None else tuple(round(float(side), 3) for side in sample.spacing_mm)
        assert spacing == expected.spacing_mm
    for label, side in expected.picture_side.items():
        assert ("left" if _centre(label, samples)[0] < 0.5 else "right") == side, label
    for label, place in expected.centre.items():
        assert _centre(label, samples) == pytest.approx(place, abs=0.005), label


def _centre(label: str, samples: list[Sample]) -> tuple[float, float]:
    """Where the pixels of a label lie on average, as shares of the stored pictures' width and height."""
    shares = []
    for sample in samples:
        for item in sample.objects:
            if item.label == label:
                rows, columns = np.nonzero(decode_mask(item.mask_rle))
                shares.append(((columns.mean() + 0.5) / sample.width, (rows.mean() + 0.5) / sample.height))
    x, y = np.mean(shares, axis=0)
    return float(x), float(y)
