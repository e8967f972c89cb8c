"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the code: one file, one line, and it is in use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.code_deps import with_code_deps
from tests.import_closure import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = {title: body for title, body in re.findall(r"^### \.\.\. an? ([^\n]+)\n(.*?)(?=^### |\Z)", TEXT, re.S | re.M)}
CARD = """
name: tiny
title: Invented pairs
url: https://example.org
version: null
licence: CC0-1.0
licence_limits: None; invented.
citation: null
verified_on: miniature
modality: CT
body_part: abdomen
reader: npy_label_map
files: {image: ["{case}.png"], mask: ["{case}.npy"], other: []}
labels: {liver: {sources: [1], semantic: true}}
ignored_sources: []
annotated_labels: [liver]
view: axial
plane: axial
image_left_is: patient_right
intensity: {kind: stored}
hash_patients: false
notes: Invented, so there is no version and no citation.
"""
# What shows that an addition is in use; each prints "used".
PROOFS = {
    "check": """
from tests.verify.scenes import anchors, outcome
(aorta,) = [number for number, anchor in enumerate(anchors()) if anchor.label == "aorta"]
said = {text: [verdict for verdict in outcome(text, aorta).verdicts if verdict.check == "shouting"] for text in ("THE AORTA", "the aorta")}
assert [[verdict.passed for verdict in found] for found in said.values()] == [[False], [True]], said
""",
    "reader": """
import subprocess, sys, numpy as np
from PIL import Image
mask = np.zeros((64, 64), np.uint8); mask[10:40, 20:50] = 1
Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64).astype(np.uint8)).save("set/a.png"); np.save("set/a.npy", mask)
done = subprocess.run([sys.executable, "-m", "stages.ingest", "--check", "tiny.yaml", "--root", "set"], capture_output=True, text=True)
assert done.returncode == 0 and "liver" in done.stdout, done.stdout + done.stderr
""",
    "writer of queries": """
from types import SimpleNamespace
from stages.core.claims import scene_of
from stages.generate.writers import WRITERS
from tests.generate.scenes import Blob, make_anchor, make_sample
sample, blobs = make_sample(), [Blob("liver", 50, 50, 20), Blob("liver cyst", 150, 60, 8), Blob("liver cyst", 150, 150, 8)]
scene = scene_of(sample, [make_anchor(blob, number, sample, blobs) for number, blob in enumerate(blobs)])
(draft,) = WRITERS["plain"].write([scene], SimpleNamespace(seed=0))
assert [query.text for query in draft.queries] == ["the liver"]
""",
    "model family": """
from stages.vlm.families import find_family
family = find_family("pointer")
assert family.box_codec.decode(family.box_codec.encode([[10, 20, 30, 40]], 100, 100), 100, 100).outcome == "ok" and "aorta" in family.instruction("the aorta")
""",
    "metric": """
import numpy as np
from stages.evaluate.bootstrap import Patients
from stages.evaluate.measures import MEASURES, ratio_of
from stages.evaluate.scoring import score_answer
from tests.evaluate.builders import make_answer, make_example
boxes = [[0, 0, 100, 100], [0, 0, 100, 80]]
examples = [make_example(number, [boxes[0]], width=200, height=200) for number in range(2)]
scores = [score_answer(example, make_answer(example, "tuned", [box])) for example, box in zip(examples, boxes)]
assert ratio_of(MEASURES["acc_at_90"], scores, np.ones(2, bool), Patients(["a", "b"])).value == 0.5
""",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in ("stages", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "data"))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / "set").mkdir()
    (folder / "tiny.yaml").write_text(CARD, encoding="utf-8")
    return folder


def _follow(recipe: str, folder: Path) -> list[str]:
    """Write the recipe's file and put its lines in; names of the files that it touched."""
    touched = []
    for block in re.findall(r"```python\n(.*?)```", recipe, re.S):
        head, body = block.split("\n", 1)
        if into := re.fullmatch(r"# into (\S+): (\w+)", head):
            _insert(folder / into[1], into[2], body)
        else:
            assert not (folder / head[2:]).exists()
            (folder / head[2:]).write_text(body, encoding="utf-8")
        touched.append(into[1] if into else head[2:])
    return touched


def _insert(path: Path, name: str, body: str) -> None:
    """An import beside the others, and an entry at the end of the dict ``name``, written over one line or several."""
    imports, entries = [line for line in body.splitlines() if line.startswith("from ")], [line for line in body.splitlines() if line.startswith("    ")]
    assert len(imports) <= 1 and len(entries) == 1
    text = path.read_text(encoding="utf-8")
    if imports:
        text = re.sub(r"^from stages\.", f"{imports[0]}\nfrom stages.", text, count=1, flags=re.M)
    found = re.search(rf"^{name}: [^\n]*= \{{(?:[^\n]*(?=\}}$)|.*?(?=^\}}$))", text, re.S | re.M)
    assert found is not None, f"no dict {name} in {path}"
    comma = "" if found[0].rstrip().endswith((",", "{")) else ","
    path.write_text(text[: found.end()].rstrip() + comma + "\n" + entries[0] + "\n" + text[found.end() :], encoding="utf-8")


def test_there_is_a_recipe_for_everything_that_one_adds() -> None:
    assert set(RECIPES) == set(PROOFS)


@pytest.mark.parametrize("name", sorted(PROOFS))
def test_a_recipe_is_one_file_and_one_line_and_works(name: str, copy: Path) -> None:
    touched = _follow(RECIPES[name], copy)
    assert len(touched) == (1 if name == "metric" else 2)
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", f"{PROOFS[name]}\nprint('used')"], cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()[-4:]) == (0, "used"), done.stdout + done.stderr


def test_code_deps_are_written_into_dvc_yaml_as_they_stand_there() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    bare = "".join(line for line in text.splitlines(keepends=True) if not line.strip().startswith("- stages/core/records.py"))
    assert bare != text
    assert with_code_deps(bare) == with_code_deps(text)
