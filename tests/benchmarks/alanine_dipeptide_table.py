"""The four models of alanine dipeptide beside each other, from the results of ``alanine_dipeptide``: mean and standard error over seeds.

    python -m tests.benchmarks.alanine_dipeptide_table

A model that came apart counts with the largest Jensen-Shannon divergence, ln 2; its free-energy difference is left out, and it is counted
as lost. 'phi > 0' is found where at least a tenth of the reference's population lies there. The published ordering (Wang et al. 2019):
regularised CGnet finds all basins, the spline model misses phi > 0, unregularised CGnet finds part.
"""

import json
import math

import numpy as np

from tests.benchmarks import _record

KINDS = {
    "splines": "spline model: bonds, angles, dihedrals",
    "features": "feature regression: all distances, angles, dihedrals",
    "unregularised": "CGnet",
    "seed": "regularised CGnet",
    "own": "regularised CGnet, own run",
}
STEPS = 200_000


def main() -> None:
    """Read what there is, write and print the table."""
    table = {}
    for kind, name in KINDS.items():
        rows = []
        for seed in range(10):
            path = _record.RESULTS / f"alanine_dipeptide_{kind}-{seed}_{STEPS}_steps.json"
            if path.exists():
                rows.append(json.loads(path.read_text())["figures"])
        if rows:
            table[name] = summary(rows)
    for name, row in table.items():
        numbers = f"JS {row['jensen_shannon']}, (kBT)^2 {row['mean_squared_difference_kBT2']}"
        print(f"{name}: {row['seeds']} seeds, {row['lost']} lost, {numbers}, phi > 0 in {row['seeds_that_find_phi_positive']}")
    table["does the published ordering hold"] = ordering(table)
    _record.write("alanine_dipeptide_table", table, list(range(10)))


def summary(rows: list[dict]) -> dict:
    """Mean and standard error over seeds of one model's figures."""
    kept = [row for row in rows if "lost" not in row]
    found = [row for row in kept if row["population_phi_positive_percent"] >= 0.1 * row["population_phi_positive_reference_percent"]]
    made = {
        "seeds": len(rows),
        "lost": len(rows) - len(kept),
        "seeds_that_find_phi_positive": len(found),
        "jensen_shannon": mean_and_error([row["jensen_shannon"] for row in rows]),
        "mean_squared_difference_kBT2": mean_and_error([row["mean_squared_free_energy_difference_kBT2"] for row in kept]),
        "validation_mse_kcal_mol_A_2": mean_and_error([row["validation_mse"] for row in rows]),
        "population_phi_positive_percent": mean_and_error([row["population_phi_positive_percent"] for row in kept]),
    }
    if kept:
        names = [name for name in kept[-1] if "reference" in name and name != "basins_reference"]
        made["floor"] = {name: kept[-1][name] for name in names}
    return made


def mean_and_error(values: list[float]) -> list[float] | None:
    """Mean and its standard error; None of no values, and an error of NaN becomes None."""
    if not values:
        return None
    error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return [float(np.mean(values)), error]


def ordering(table: dict) -> dict:
    """Each published claim and whether these runs bear it out."""
    said = {}
    for kind, claim in (("seed", "all seeds find phi > 0"), ("splines", "no seed finds phi > 0"), ("unregularised", "some part is found")):
        row = table.get(KINDS[kind])
        if row is not None:
            number = row["seeds_that_find_phi_positive"]
            holds = {"seed": number == row["seeds"], "splines": number == 0, "unregularised": row["seeds"] - row["lost"] > 0}[kind]
            said[f"{KINDS[kind]}: {claim}"] = {"holds": holds, "seeds that find it": number, "lost": row["lost"], "of": row["seeds"]}
    return said


if __name__ == "__main__":
    main()
