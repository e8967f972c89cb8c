"""Which patient goes where: groups of linked patients, cut within each dataset by a seeded order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from stages.core.stage import seed_for

# A patient is (dataset, patient_id): the same number in two sources is not the same person.
Patient = tuple[str, str]
SPLITS = ("train", "val", "test")
LEAST_GROUPS_TO_HOLD_OUT = 3


def linked_groups(patients: Iterable[Patient], links: Iterable[tuple[Patient, Patient]]) -> list[list[Patient]]:
    """Patients joined by links, directly or through others (union-find); groups and members are sorted."""
    parent = {patient: patient for patient in patients}

    def root(patient: Patient) -> Patient:
        while parent[patient] != patient:
            parent[patient] = parent[parent[patient]]
            patient = parent[patient]
        return patient

    for first, second in links:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    groups: dict[Patient, list[Patient]] = defaultdict(list)
    for patient in sorted(parent):
        groups[root(patient)].append(patient)
    return [groups[key] for key in sorted(groups)]


def assign(groups: list[list[Patient]], seed: int, val_share: float, test_share: float) -> dict[Patient, str]:
    """Split of every patient. A group stays whole; it is counted in the dataset of its first patient.

    Within a dataset, groups stand in an order hashed from the seed and fill the test share, then the validation
    share, as far as they fit; the rest is training. From three groups on, a wanted split gets at least one.
    The order depends on nothing but seed and patients, so that other queries or checks keep the same test patients.
    """
    by_dataset: dict[str, list[list[Patient]]] = defaultdict(list)
    for group in groups:
        by_dataset[group[0][0]].append(group)
    splits: dict[Patient, str] = {}
    for dataset in sorted(by_dataset):
        ordered = sorted(by_dataset[dataset], key=lambda group: (seed_for(seed, "split", *group[0]), group[0]))
        names = _cut([len(group) for group in ordered], val_share, test_share)
        splits |= {patient: name for group, name in zip(ordered, names, strict=True) for patient in group}
    return splits


def _cut(sizes: list[int], val_share: float, test_share: float) -> list[str]:
    """Split names for groups of the given sizes, in their order."""
    names = ["train"] * len(sizes)
    for split, share in (("test", test_share), ("val", val_share)):
        wanted = round(share * sum(sizes))
        free = [index for index, name in enumerate(names) if name == "train"]
        if share > 0 and len(sizes) >= LEAST_GROUPS_TO_HOLD_OUT:
            # The smallest free group is held out even when it is larger than the share: a split must not be empty.
            wanted = max(wanted, min(sizes[index] for index in free))
        for index in free:
            if sizes[index] <= wanted:
                names[index] = split
                wanted -= sizes[index]
    return names
