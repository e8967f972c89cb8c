"""Croissant 1.0 metadata of an export (docs.mlcommons.org/croissant/docs/croissant-spec.html): ``croissant.json``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from stages.export.holdings import Holdings
from stages.export.layout import Layout

NAME = "MedGround corpus"
# The context of the specification, which mlcroissant compares with.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "conformsTo": "dct:conformsTo",
    "dct": "http://purl.org/dc/terms/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format", "includes",
            "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace",
            "samplingRate", "separator", "source", "subField", "transform",
        )
    },
}  # fmt: skip
_MIME = {".parquet": "application/x-parquet", ".json": "application/json", ".jsonl": "application/jsonlines", ".p": "application/octet-stream"}


def croissant(holdings: Holdings, out: Path, format_name: str, layout: Layout, limits: list[str], published: str | None) -> dict[str, Any]:
    """The metadata of what lies in ``out``: files with checksums, pictures as a set, one record set ``examples``.

    ``published`` is the date of publication (YYYY-MM-DD); it is not guessed, since equal exports have equal bytes.
    """
    kinds = {picture.modality for picture in holdings.pictures.values()}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": NAME,
        "description": (
            f"Verified referring expressions with boxes for medical pictures ({', '.join(sorted(kinds))}): {len(holdings.examples)} expressions about "
            f"{len(holdings.pictures)} pictures of {len(holdings.sources)} sources, split by patient. Format: {format_name}."
        ),
        "version": f"1.0.0+{holdings.checksum[:12]}",
        "license": [_licence_url(name) for name in sorted({picture.licence for picture in holdings.pictures.values()})],
        "citeAs": "; ".join(source.citation or source.title for source in holdings.sources.values()),
        "isBasedOn": sorted({source.url for source in holdings.sources.values() if source.url.startswith("http")}),
        "keywords": ["medical imaging", "visual grounding", "referring expressions", *sorted(kinds)],
        **({"datePublished": published} if published else {}),
        "rai:dataCollection": "Masks of the named sources; expressions written from measurements on them and verified against every object of the picture.",
        "rai:dataLimitations": limits,
        "rai:personalSensitiveInformation": "Patient ids of real sources are keyed hashes; names of source files are left out.",
        "distribution": [*_files(out), *_picture_set(out), _record_files(layout)],
        "recordSet": [_record_set(layout)],
    }


def _licence_url(licence: str) -> str:
    """SPDX page of a licence that has one, else the words themselves."""
    return licence if " " in licence or licence.startswith("LicenseRef-") or licence == "unknown" else f"https://spdx.org/licenses/{licence}.html"


def _files(out: Path) -> list[dict[str, Any]]:
    """Every data file of the export with size and checksum; pictures are a set."""
    found = sorted(path for path in out.rglob("*") if path.is_file() and path.suffix in _MIME and path.name != "croissant.json")
    return [
        {
            "@type": "cr:FileObject",
            "@id": path.relative_to(out).as_posix(),
            "name": path.relative_to(out).as_posix(),
            "contentUrl": path.relative_to(out).as_posix(),
            "contentSize": f"{path.stat().st_size} B",
            "encodingFormat": _MIME[path.suffix],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in found
    ]


def _picture_set(out: Path) -> list[dict[str, Any]]:
    if not (out / "images").is_dir():
        return []
    return [{"@type": "cr:FileSet", "@id": "pictures", "name": "pictures", "encodingFormat": "image/png", "includes": "images/**/*.png"}]


def _record_files(layout: Layout) -> dict[str, Any]:
    return {"@type": "cr:FileSet", "@id": "records", "name": "records", "encodingFormat": layout.encoding, "includes": layout.includes}


def _record_set(layout: Layout) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"examples/{column.name}",
            "name": column.name,
            "description": column.meaning,
            "dataType": column.data_type,
            **({"repeated": True} if column.repeated else {}),
            "source": {"fileSet": {"@id": "records"}, "extract": {layout.extract: column.where}},
        }
        for column in layout.columns
    ]
    return {"@type": "cr:RecordSet", "@id": "examples", "name": "examples", "field": fields}
