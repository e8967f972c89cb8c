"""``python -m tests.code_deps``: write the code deps of every stage into dvc.yaml, as its import closure is. tests/test_dag.py compares."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import yaml

from tests.import_closure import ROOT, expected_code_deps


def with_code_deps(text: str, root: Path = ROOT) -> str:
    """The text of a dvc.yaml with the code deps of every stage; everything else is left as it stands."""
    for name, entry in yaml.safe_load(text)["stages"].items():
        package = root.joinpath(*entry.get("do", entry)["cmd"].split()[2].split("."))
        section = re.search(rf"^  {re.escape(name)}:\n(?:(?!^  \w|^\w).*\n?)*", text, re.M)
        assert section is not None, name
        text = text.replace(section[0], _replaced(section[0], package.relative_to(root).as_posix(), expected_code_deps(package)))
    return text


def _replaced(section: str, own: str, wanted: set[str]) -> str:
    """A stage's section with its code deps after its data deps: its own package first, then by name."""
    head, deps, rest = re.fullmatch(r"(.*?\n +deps:\n)((?: +- [^\n]*\n)*)(.*)", section, re.S).groups()  # type: ignore[union-attr]
    lines = deps.splitlines(keepends=True)
    indent = re.match(" +", lines[0])[0]  # type: ignore[index]
    data = [line for line in lines if not line.strip().startswith("- stages/")]
    code = sorted(wanted, key=lambda name: (name != own, name))
    return head + "".join(data) + "".join(f"{indent}- {name}\n" for name in code) + rest


def main() -> None:
    """Rewrite dvc.yaml."""
    argparse.ArgumentParser(prog="python -m tests.code_deps", description=__doc__).parse_args()
    path = ROOT / "dvc.yaml"
    path.write_text(with_code_deps(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
