"""Which fits solve for which potentials, what a potential stands on, and why a choice cannot work."""

from typing import Any

from workbench import rooms

FORCES = ("force_matching", "kalman_matching", "joint_matching", "spline_force_matching", "feature_regression", "kernel_regression")
"""Fits that need forces; the others need distributions."""
GRADIENT = ("force_matching", "kalman_matching")
"""Fits of any parameters, the second of a few thousand at most."""
SOLVERS = {
    "tabulated": ("iterative_boltzmann", "boltzmann_inversion", "inverse_monte_carlo", "relative_entropy", "spline_force_matching"),
    "three_body_spline": ("spline_force_matching",),
    "feature_splines": ("feature_regression", *GRADIENT),
    **dict.fromkeys(("kernel", "gap"), ("kernel_regression", *GRADIENT)),
    "cgnet": GRADIENT,
    **dict.fromkeys(("behler_parrinello", "deepcg", "deepcg_smooth"), (*GRADIENT, "joint_matching")),
    **dict.fromkeys(("bond_order", "lennard_jones", "repulsion", "stillinger_weber", "walls"), ()),
}
"""Fits that solve for a potential, the usual one first; those of all that are not named: force matching, by gradient."""
BASES = {
    **dict.fromkeys(("tabulated", "feature_splines"), ""),
    "three_body_spline": "tabulated",
    **dict.fromkeys(("behler_parrinello", "deepcg", "deepcg_smooth"), "repulsion"),
}
"""What a potential is added to; '': it has bonded terms of its own. All that are not named: a harmonic prior."""
BLOCKS = ("spline_force_matching", "feature_regression", "kernel_regression")
UNITS = {**dict.fromkeys(GRADIENT, "epochs"), **dict.fromkeys(BLOCKS, "blocks"), "boltzmann_inversion": "step"}
"""What a fit counts, where it is not iterations."""
NAMES = {
    **dict.fromkeys(("harmonic", "repulsion"), "prior"),
    "tabulated": "tables",
    "three_body_spline": "triples",
    "feature_splines": "splines",
    "kernel": "kernels",
    "gap": "kernels",
}
"""Names of potentials in code; of all that are not here: network."""
BASE_SAYS = {
    "": "no prior: bonded terms are tables or splines",
    "harmonic": "on top of a harmonic prior",
    "repulsion": "on top of a repulsion, so that beads stay apart",
    "tabulated": "with pair tables, solved together",
}


def solvers(potential: str) -> tuple[str, ...]:
    """Fits that are there and solve for ``potential``, the usual one first."""
    return tuple(name for name in SOLVERS.get(potential, ("force_matching",)) if name in rooms.available("fitting"))


def solved_by(method: str) -> str:
    """The first potential that ``method`` solves for."""
    return next(name for name in ("cgnet", *rooms.available("potentials")) if method in solvers(name))


def base(potential: str) -> str:
    """What ``potential`` is added to, or ''."""
    return BASES.get(potential, "harmonic")


def refusal(potential: str, method: str, settings: Any, frames: Any) -> str:
    """One sentence on why ``method`` cannot fit ``potential`` with its ``settings`` to ``frames``, or ''; None: not known yet."""
    able = solvers(potential)
    if not able:
        return f"{potential} is given by its settings, no fit changes it: choose another potential, such as {solved_by(method)}."
    if method not in able:
        return f"{method} does not solve for {potential}: choose {' or '.join(able)}, or another potential, such as {solved_by(method)}."
    if frames is None or settings is None:
        return ""
    if method in FORCES and frames.forces is None:
        return f"{method} needs forces and these frames have none: sample with forces, or fit tables to distributions (tabulated)."
    if method == "joint_matching" and frames.box is None:
        return "joint_matching needs the g(r) of a liquid in a box and these frames have none: match their forces alone (force_matching)."
    if method not in FORCES and frames.box is None and settings.pairs:
        return f"{method} of pairs needs a periodic box and these frames have none: switch 'pairs' off to fit bonded tables alone."
    return ""
