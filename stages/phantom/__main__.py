"""Write one synthetic dataset: ``python -m stages.phantom NAME`` -> data/raw/NAME."""

from __future__ import annotations

import argparse
import shutil
from functools import partial
from pathlib import Path

from stages.core.parallel import ordered_map
from stages.core.params import Params, require
from stages.core.stage import run_stage


def main() -> None:
    """Parse the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="python -m stages.phantom", description=__doc__)
    parser.add_argument("name", help="a key of phantom.cases in params.yaml")
    run_stage(f"phantom/{(name := parser.parse_args().name)}", partial(write_dataset, name=name))


def write_dataset(params: Params, name: str) -> None:
    """Write all cases of a dataset and its index into an emptied folder."""
    from stages.phantom.write import PHANTOMS, write_case, write_index

    require(name in PHANTOMS, "phantom.cases", f"a mapping of the known phantoms ({', '.join(PHANTOMS)})", name)
    require(name in params.phantom.cases, "phantom.cases", f"a mapping that holds {name!r}", sorted(params.phantom.cases))
    cases = params.phantom.cases[name]
    require(cases >= 1, f"phantom.cases.{name}", "at least 1", cases)
    root = (Path("data/raw") / name).resolve()  # a worker process may have been started in another folder
    if root.exists():
        shutil.rmtree(root)
    write = partial(write_case, name=name, root=root, cases=cases, seed=params.seed)
    subjects = ordered_map(write, range(cases), params.engine, f"phantom {name}")
    write_index(name, root, subjects)


if __name__ == "__main__":
    main()
