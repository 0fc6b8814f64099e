"""Water as one bead by spline force matching, with pairs alone and with three-body splines: structure against the reference's.

    python -m tests.benchmarks.spline_force_matching FOLDER [--peer FOLDER]

The first folder holds a saved all-atom trajectory of SPC/E water with forces (``reference.sample``, 2180 molecules, 300 K). Pairs
alone are matched as in VOTCA's tutorial, up to 0.9 nm; together with three-body splines up to 1.2 nm, as Scherer and Andrienko did
(Phys. Chem. Chem. Phys. 20, 22387 (2018)), and to compare also pairs alone. Each model is run at the reference's density; radial and
angular distributions are held against the reference's, with the floor that sampling sets: the distance between the two halves of the
reference. ``--peer`` is a folder to work in for VOTCA's ``csg_fmatch``, which gets the same frames on the same core; its tables are
compared on a grid of 0.01 nm.
"""

import argparse
import pathlib
import time

import numpy as np

from tests.benchmarks import _record, _votca_peer
from workbench import mappings, projection, simulation, store
from workbench.fitting import spline_force_matching
from workbench.observables import adf, rdf
from workbench.potentials import tabulated, three_body_spline

SEED = 0
LEGS = 0.37
"""Range of the neighbours of the angular distribution [nm]: that of the legs of the three-body term."""


def main() -> None:
    """Parse the command line, fit, simulate, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--peer", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=400, help="frames to fit to and to compare with")
    parser.add_argument("--peer-frames", type=int, default=100, help="of them, for the peer and for the fit beside it")
    parser.add_argument("--picoseconds", type=float, default=40.0, help="of each model, after a quarter of it to equilibrate")
    given = parser.parse_args()
    all_atom = store.load(given.folder)
    mapping = mappings.center_of_mass.build(all_atom.system, None, mappings.center_of_mass.Settings())
    data = projection.project(all_atom, mapping, force_map="molecule").take(slice(0, given.frames))
    figures: dict = {"frames": len(data), "reference": structure(data)}
    halves = [structure(data.take(part)) for part in (slice(0, len(data) // 2), slice(len(data) // 2, None))]
    figures["floor"] = {name: rms(*(half[name] for half in halves)) for name in ("rdf", "adf")}
    models = {"pairs up to 0.9 nm": (0.9, False), "pairs up to 1.2 nm": (1.2, False), "pairs up to 1.2 nm and triples": (1.2, True)}
    for name, (cutoff, triples) in models.items():
        figures[name] = model(data, cutoff, triples, given.picoseconds, figures["reference"])
        print(name, {k: v for k, v in figures[name].items() if not isinstance(v, (list, dict))}, flush=True)
    if given.peer:
        part = data.take(np.linspace(0, len(data) - 1, min(given.peer_frames, len(data))).astype(int))
        figures["csg_fmatch"] = {str(step): peer(part, given.peer, step) for step in (0.02, 0.01)}
        figures["csg_fmatch with triples"] = peer_triples(part, given.peer)
    _record.write("spline_force_matching", figures, SEED)


def model(data, cutoff: float, triples: bool, picoseconds: float, reference: dict) -> dict:
    """Fit, run, and measure one model."""
    begun = time.perf_counter()
    fit = matched(data, cutoff, 0.02, triples)
    found = {"seconds of the fit": time.perf_counter() - begun, **described(fit, triples)}
    steps = round(picoseconds / 0.002)
    settings = simulation.replicas.Settings(n_steps=steps + steps // 4, save_every=100, timestep_fs=2.0, temperature=300.0, seed=SEED)
    run = simulation.replicas.run(fit.potential, data.start([len(data) - 1]), settings)
    measured = structure(run.take(slice(steps // 400, None)))
    return found | measured | {f"rms of {name}": rms(measured[name], reference[name]) for name in ("rdf", "adf")}


def matched(data, cutoff: float, spacing: float, triples: bool = False, regularisation: str = "bayesian"):
    """The fit of pairs from 0.24 nm to ``cutoff`` and, where asked for, three-body splines."""
    potential = tabulated.build(data, tabulated.Settings(start=0.24, cutoff=cutoff, spacing=spacing))
    if triples:
        potential = potential + three_body_spline.build(data, three_body_spline.Settings(cutoff=LEGS))
    return spline_force_matching.fit(potential, data, spline_force_matching.Settings(regularisation=regularisation))


def described(fit, triples: bool) -> dict:
    """Curves with errors and force errors of a fit."""
    history = fit.history
    pairs = fit.potential.parts[0] if triples else fit.potential
    found = {
        "force error before [kJ/mol/nm]": float(np.sqrt(np.mean(history["force_error_before"] ** 2))),
        "force error after [kJ/mol/nm]": float(np.sqrt(np.mean(history["force_error_after"] ** 2))),
        "condition": float(history["condition"][0]),
        "pair": {"r [nm]": pairs.knots(), "u [kJ/mol]": pairs.values()[0], "error [kJ/mol]": history["pair_error"][0]},
    }
    if triples:
        three = fit.potential.parts[1]
        found["triple"] = {"theta [rad]": three.knots(), "f [kJ/mol]": three.values()[0], "error [kJ/mol]": history["triple_error"][0]}
    return {name: rounded(value) for name, value in found.items()}


def structure(trajectory) -> dict:
    """Radial distribution and distribution of the angles of neighbours."""
    radial = rdf.compute(trajectory, rdf.Settings(r_max=1.005, n_bins=201))
    shell = np.diff(np.linspace(0, 1.005, 202) ** 3)[1:].reshape(-1, 2)  # bins of 0.01 nm around its multiples, of two halves each
    g = (radial.value[1:].reshape(-1, 2) * shell).sum(1) / shell.sum(1)
    angular = adf.compute(trajectory, adf.Settings(cutoff=LEGS))
    return {
        "rdf": rounded(g[-len(_votca_peer.JUDGED) :]),
        "adf": rounded(angular.value),
        "highest g": float(g.max()),
        "at [nm]": float(0.01 * (1 + g.argmax())),
        "r [nm]": rounded(_votca_peer.JUDGED),
        "theta [rad]": rounded(angular.x[0]),
    }


def peer(data, folder: pathlib.Path, step: float) -> dict:
    """The table of ``csg_fmatch`` beside the one made here, from the same frames; VOTCA's range begins with the first pair it has."""
    theirs = _votca_peer.force_match(folder, data.positions, data.forces, data.box, r_max=0.9, step=step)
    begun = time.perf_counter()
    fit = matched(data, 0.9, 0.01)
    seconds = time.perf_counter() - begun
    r = np.arange(26, 91) / 100
    ours, other = fit.potential.curve(0, r)[0], np.interp(r, theirs["pair"]["r"], theirs["pair"]["potential"])
    depth = -float(ours.min())
    return {
        "frames": len(data),
        "seconds": theirs["seconds"],
        "seconds here": seconds,
        "times as fast": theirs["seconds"] / seconds,
        "depth [kJ/mol]": depth,
        "rms difference by depth": float(np.sqrt(np.mean((ours - other) ** 2))) / depth,
        "largest difference by depth": float(np.abs(ours - other).max()) / depth,
        "stated error here by depth": float(np.sqrt(np.mean(fit.history["pair_error"][0][2:] ** 2))) / depth,
        "curves": {"r [nm]": rounded(r), "u here [kJ/mol]": rounded(ours), "u of csg_fmatch [kJ/mol]": rounded(other)},
    }


def peer_triples(data, folder: pathlib.Path) -> dict:
    """Pairs and triples of ``csg_fmatch`` beside those made here."""
    three = three_body_spline.Settings(cutoff=LEGS)
    shape = {"a": three.cutoff, "gamma": three.gamma, "low": three.theta_min, "step": (np.pi - three.theta_min) / three.n_angle}
    theirs = _votca_peer.force_match(folder, data.positions, data.forces, data.box, r_max=1.2, step=0.02, three_body=shape)
    begun = time.perf_counter()
    fit = matched(data, 1.2, 0.01, triples=True)
    seconds = time.perf_counter() - begun
    r, theta = np.arange(26, 121) / 100, np.linspace(three.theta_min, np.pi, 48)
    found = {"frames": len(data), "seconds": theirs["seconds"], "seconds here": seconds, "times as fast": theirs["seconds"] / seconds}
    for name, x, part in (("pair", r, fit.potential.parts[0]), ("triple", theta, fit.potential.parts[1])):
        ours, (at, value) = part.curve(0, x)[0], list(theirs[name].values())[:: 3 if name == "pair" else 1][:2]
        other = np.interp(x, at, value)
        scale = float(np.ptp(ours)) if name == "triple" else -float(ours.min())
        found |= {
            f"rms difference of {name} by its {'range' if name == 'triple' else 'depth'}": float(np.sqrt(np.mean((ours - other) ** 2)))
            / scale,
            name: {"x [nm or rad]": rounded(x), "here [kJ/mol]": rounded(ours), "csg_fmatch [kJ/mol]": rounded(other)},
        }
    return found


def rms(found: list, wanted: list) -> float:
    """Root mean square of a difference."""
    return float(np.sqrt(np.mean((np.array(found) - np.array(wanted)) ** 2)))


def rounded(value):
    """Arrays as lists of five decimals, also within a dict."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return np.round(value, 5).tolist() if isinstance(value, np.ndarray) else value


if __name__ == "__main__":
    main()
