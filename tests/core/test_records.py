"""Records and their Arrow schemas say the same."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pyarrow as pa
import pytest

from stages.core import records
from stages.core.records import Anchor, Query, Sample, Verdict, from_row, schema_of, to_row
from tests.split.tables import anchor, query

TABLES = [
    records.Sample, records.Anchor, records.Query, records.Verdict, records.Example, records.CorpusImage, records.Prediction,
    records.ItemError,
]  # fmt: skip


@pytest.mark.parametrize("record_type", TABLES, ids=lambda t: t.__name__)
def test_a_schema_has_exactly_the_fields_of_its_record(record_type: type) -> None:
    assert schema_of(record_type).names == [field.name for field in dataclasses.fields(record_type)]


@pytest.mark.parametrize("record_type", TABLES, ids=lambda t: t.__name__)
def test_a_record_is_frozen(record_type: type) -> None:
    assert record_type.__dataclass_params__.frozen


def test_only_what_may_be_none_is_nullable() -> None:
    schema = schema_of(Anchor)
    assert schema.field("area_mm2").nullable and not schema.field("area_px").nullable
    assert schema.field("shape").type.field("elongation").nullable
    assert not schema.field("shape").type.field("major_axis_px").nullable


def test_images_are_binary_and_boxes_are_lists_of_doubles() -> None:
    assert schema_of(Sample).field("image").type == pa.binary()
    assert schema_of(Anchor).field("box_xyxy_px").type == pa.list_(pa.float64())
    assert schema_of(records.Example).field("boxes_xyxy_px").type == pa.list_(pa.list_(pa.float64()))


@pytest.mark.parametrize(
    "record",
    [
        anchor("d/c/0", 3, [1.0, 2.0, 3.0, 4.0]),
        query("d/c/0", 1, [], claims=['{"kind": "label", "value": "liver"}']),
        query("d/c/0", 1, ["d/c/0#0"], claims=None),
        Verdict("q", "format", None, "undecided", None, ""),
    ],
    ids=lambda r: type(r).__name__,
)
def test_a_record_survives_a_row_and_arrow(record: object) -> None:
    table = pa.Table.from_pylist([to_row(record)], schema=schema_of(type(record)))
    assert from_row(type(record), table.to_pylist()[0]) == record
    assert from_row(type(record), to_row(record)) == record


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        pa.Table.from_pylist([{**to_row(query("d/c/0", 1, [])), "text": 5}], schema=schema_of(Query))


def test_columns_that_a_record_does_not_know_are_ignored_on_reading() -> None:
    row = {**to_row(query("d/c/0", 1, [])), "later": 1}
    assert from_row(Query, row) == query("d/c/0", 1, [])


def test_a_field_without_an_arrow_type_is_an_error() -> None:
    @dataclass(frozen=True)
    class Odd:
        value: complex

    Odd.__annotations__["value"] = complex
    with pytest.raises(TypeError, match="no Arrow type for"):
        schema_of(Odd)
