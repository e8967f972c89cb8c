"""Which patient goes where: groups of linked patients, cut within each dataset by a seeded order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from stages.core.stage import seed_for

# A patient is (dataset, patient_id): the same number in two sources is not the same person.
Patient = tuple[str, str]
STRICTEST_FIRST = ("test", "val", "train")
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


def assign(
    groups: list[list[Patient]],
    seed: int,
    val_share: float,
    test_share: float,
    stated: Mapping[Patient, str] | None = None,
    held_out: Collection[Patient] = (),
) -> dict[Patient, str]:
    """Split of every patient. A group stays whole; it is counted in the dataset of its first patient.

    ``stated`` are the splits of the sources that are to be kept. A group with a patient of a source's test set is test,
    else one with a patient of its validation set is validation, whatever the others are. Where a dataset has no such
    group, that split is drawn from its other groups as without ``stated``.

    A group with a patient of ``held_out`` is test and counts for no share: the other groups are cut as if it were not there.

    Within a dataset, groups stand in an order hashed from the seed and fill the test share, then the validation
    share, as far as they fit; the rest is training. From three groups on, a wanted split gets at least one.
    The order depends on nothing but seed and patients, so that other queries or checks keep the same test patients.
    """
    by_dataset: dict[str, list[list[Patient]]] = defaultdict(list)
    splits: dict[Patient, str] = {}
    for group in groups:
        if any(patient in held_out for patient in group):
            splits |= dict.fromkeys(group, "test")
        else:
            by_dataset[group[0][0]].append(group)
    for dataset in sorted(by_dataset):
        ordered = sorted(by_dataset[dataset], key=lambda group: (seed_for(seed, "split", *group[0]), group[0]))
        names = _cut([len(group) for group in ordered], [_stated(group, stated or {}) for group in ordered], val_share, test_share)
        splits |= {patient: name for group, name in zip(ordered, names, strict=True) for patient in group}
    return splits


def _stated(group: list[Patient], stated: Mapping[Patient, str]) -> str | None:
    """The strictest split that a source states for a member of the group."""
    named = {stated[patient] for patient in group if patient in stated}
    return next((split for split in STRICTEST_FIRST if split in named), None)


def _cut(sizes: list[int], stated: list[str | None], val_share: float, test_share: float) -> list[str]:
    """Split names for groups of the given sizes, in their order; ``stated`` names are kept."""
    names = [name or "train" for name in stated]
    for split, share in (("test", test_share), ("val", val_share)):
        if split in stated:
            continue
        free = [index for index, name in enumerate(names) if name == "train"]
        wanted = round(share * sum(sizes))
        if share > 0 and len(sizes) >= LEAST_GROUPS_TO_HOLD_OUT and free:
            # The smallest free group is held out even when it is larger than the share: a split must not be empty.
            wanted = max(wanted, min(sizes[index] for index in free))
        for index in free:
            if sizes[index] <= wanted:
                names[index] = split
                wanted -= sizes[index]
    return names
