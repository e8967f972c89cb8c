"""``python -m stages.predict.pack --adapter models/adapter/tuned --out DIR``: an adapter as a folder for the Hugging Face hub.

The folder holds the adapter's files, README.md (the model card) and grounding.json: base and revision, codec, processor
settings, hash of the corpus, metrics. ``python -m stages.predict --adapter DIR --image ..`` answers with it. With
``--with-base`` the base's weights go along, for a base that stands on no hub.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stages.core.params import load_params
from stages.core.shards import shard_paths
from stages.core.stage import StageError

if TYPE_CHECKING:
    from stages.vlm.adapters import AdapterCard
    from stages.vlm.card import Base

CORPUS = Path("data/corpus")
METRICS = Path("metrics/evaluate.json")
GROUNDING = "grounding.json"
BASE_FOLDER = "base"
# Licences that the hub knows by an identifier of its own; any other is `other`, with its name and where it stands.
HUB_LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC0-1.0": "cc0-1.0", "CC-BY-4.0": "cc-by-4.0", "BSD-3-Clause": "bsd-3-clause"}


def main() -> None:
    """Pack, or say what is missing."""
    parser = argparse.ArgumentParser(prog="python -m stages.predict.pack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", type=Path, required=True, help="adapter folder, such as models/adapter/tuned")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; it must be empty or missing")
    parser.add_argument("--base", help="card of the base (default: vlm.base)")
    parser.add_argument("--contender", help="its name in metrics/evaluate.json (default: the adapter folder's name)")
    parser.add_argument("--with-base", action="store_true", help="copy the base's weights too (a base in a folder)")
    arguments = parser.parse_args()
    try:
        base = arguments.base or load_params().vlm.base
        pack(arguments.adapter, base, arguments.out, arguments.contender or arguments.adapter.name, arguments.with_base)
    except (ValueError, OSError, StageError) as error:
        sys.exit(f"pack: {error}")
    print(f"packed: {arguments.out}\nupload: hf upload <you>/<name> {arguments.out}\ntry:    python -m stages.predict --adapter {arguments.out} --image x.png --query ..")


def pack(adapter: Path, base_card: str, out: Path, contender: str, with_base: bool) -> None:
    """Write the folder.

    Raises:
        StageError: the adapter is missing or of another base, ``out`` holds files, or the corpus is missing.
        CardError: the base's card is wrong.
    """
    from stages.vlm.adapters import check_adapter
    from stages.vlm.card import load_base

    base = load_base(base_card)
    card = check_adapter(adapter, base)
    if out.exists() and any(out.iterdir()):
        raise StageError(f"--out {out} holds files already: name an empty folder")
    if with_base and base.card.hub is not None:
        raise StageError(f"--with-base is for a base in a folder: {base.card.hub} is fetched from the hub by its revision")
    facts = _facts(base, card, contender)
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(path for path in adapter.iterdir() if path.is_file() and path.name != "README.md"):
        shutil.copyfile(file, out / file.name)
    _name_base(out / "adapter_config.json", base)
    (out / GROUNDING).write_text(json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "README.md").write_text(_card(base, facts, out.name, with_base), encoding="utf-8")
    if with_base:
        _copy_base(base, out / BASE_FOLDER)


def _facts(base: Base, card: AdapterCard, contender: str) -> dict[str, Any]:
    """Everything that one must know to use the adapter, and what it was measured to do."""
    from stages.vlm.bases import base_processor

    images = base_processor(base).image_processor
    return {
        "adapter": {key: value for key, value in vars(card).items() if key != "base_hash"},
        "base": {"name": base.card.name, "hub": base.card.hub, "revision": base.card.revision, "hash": card.base_hash, "licence": base.card.licence},
        "family": base.card.family,
        "codec": base.card.codec,
        "processor": json.loads(images.to_json_string()),
        "corpus_sha256": _corpus_hash(),
        "metrics": _metrics(contender),
    }


def _corpus_hash() -> str:
    """SHA-256 over the shards of the corpus' examples."""
    digest = hashlib.sha256()
    for shard in shard_paths(CORPUS / "examples"):
        digest.update(shard.name.encode() + b"\0" + hashlib.sha256(shard.read_bytes()).digest())
    return digest.hexdigest()


def _metrics(contender: str) -> dict[str, float]:
    """The contender's figures in the tracked metrics; empty where it was not evaluated."""
    if not METRICS.is_file():
        return {}
    figures = json.loads(METRICS.read_text(encoding="utf-8")).get(contender, {})
    return {name: value for name, value in sorted(figures.items()) if isinstance(value, (int, float))}


def _name_base(config: Path, base: Base) -> None:
    """Write the base's hub id and revision where the folder of this machine stood."""
    content = json.loads(config.read_text(encoding="utf-8"))
    content["base_model_name_or_path"], content["revision"] = base.card.hub or base.card.name, base.card.revision
    config.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _copy_base(base: Base, folder: Path) -> None:
    from stages.vlm.card import card_file, write_card

    shutil.copytree(base.location, folder, ignore=shutil.ignore_patterns(card_file(base.location).name, "README.md"))
    write_card(folder, base.card)
    text = (folder / "card.yaml").read_text(encoding="utf-8")
    (folder / "card.yaml").write_text(yaml.safe_dump({**yaml.safe_load(text), "path": "."}, sort_keys=False, allow_unicode=True), encoding="utf-8")


def hub_licence(words: str, hub: str | None) -> dict[str, str]:
    """Licence of a base's card as fields of the hub's front matter: an adapter is handed on under the terms of its base."""
    if words in HUB_LICENCES:
        return {"license": HUB_LICENCES[words]}
    name = re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-")
    return {"license": "other", "license_name": name, **({"license_link": f"https://huggingface.co/{hub}"} if hub else {})}


def _card(base: Base, facts: dict[str, Any], name: str, with_base: bool) -> str:
    """The model card: front matter that the hub reads, and a page for people."""
    metrics = [{"type": key, "value": value} for key, value in facts["metrics"].items() if key != "n"]
    front: dict[str, Any] = {
        "base_model": base.card.hub or base.card.name,
        "base_model_relation": "adapter",
        "library_name": "peft",
        **hub_licence(base.card.licence, base.card.hub),
        "pipeline_tag": "image-text-to-text",
        "tags": ["visual-grounding", "medical-imaging", "lora"],
    }
    if metrics:
        dataset = {"name": f"MedGround corpus {facts['corpus_sha256'][:12]}", "type": "medground"}
        front["model-index"] = [{"name": name, "results": [{"task": {"type": "visual-grounding"}, "dataset": dataset, "metrics": metrics}]}]
    rows = "\n".join(f"| {key} | {value:g} |" for key, value in facts["metrics"].items()) or "| not evaluated | |"
    where = f"`{base.card.hub}` at revision `{base.card.revision}`" if base.card.hub else f"`{base.card.name}` of the MedGround repository"
    source = "the folder `base`" if with_base else where
    arm = facts["adapter"]
    return (
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n# {name}\n\n"
        f"LoRA adapter (arm `{arm['arm']}`) that points at what a referring expression means in a medical picture. For research, not for diagnosis.\n\n"
        f"- Base: {source}\n- Family `{facts['family']}`, answers in the box syntax `{facts['codec']}`\n"
        f"- Trained for {arm['steps']} steps on {arm['examples']} examples of {arm['images']} images; corpus sha256 `{facts['corpus_sha256']}`\n"
        "- Picture size and processor settings: `grounding.json`; with others the boxes shift\n\n"
        f"| test split | value |\n| --- | --- |\n{rows}\n\n"
        f'```\npython -m stages.predict --adapter {name} --image x.png --query "the largest vessel" --overlay answer.png\n```\n'
    )


if __name__ == "__main__":
    main()
