"""What a mapping keeps, as text: each part of ``validation.score_mapping`` with its error, or why it cannot be told."""

import html
import re

from widgets.validation_panel import with_error
from workbench.validation import MappingScore

LABELS = {"rmsd": "reconstruction", "noise": "noise", "smoothness": "relaxation kept", "symmetry": "symmetry"}
TIPS = {
    "rmsd": "How far heavy atoms are from where the best linear decoder puts them, root-mean-square; less is better.",
    "noise": "Share of the bead forces that no model can learn, least to most; less is better.",
    "smoothness": "Slowest relaxation time seen by the beads over that of the heavy atoms; 100 % is best.",
    "symmetry": "Pairs of equivalent atoms that lie in equivalent beads; 100 % is best.",
    "connected": "Beads whose atoms are one piece of the molecule; 100 % is best.",
    "covered": "Mass of the molecule that is in a bead.",
}


def parts(score: MappingScore) -> list[tuple[str, str, str]]:
    """Key, label and value of every part that can be told."""
    found = []
    if score.rmsd is not None:
        found.append(("rmsd", LABELS["rmsd"], f"{with_error(score.rmsd, score.rmsd_error)} nm"))
    if score.noise is not None:
        least, most = f"{100 * score.noise_least:.0f}", f"{100 * score.noise_most:.0f}"
        found.append(("noise", LABELS["noise"], f"{least} to {most} %" if least != most else f"{most} %"))
    if score.smoothness is not None:
        found.append(("smoothness", LABELS["smoothness"], f"{with_error(100 * score.smoothness, 100 * score.smoothness_error)} %"))
    if score.symmetry is not None:
        found.append(("symmetry", LABELS["symmetry"], f"{100 * score.symmetry:.0f} %"))
    found.append(("connected", "connected", f"{100 * score.connected:.0f} %"))
    if score.covered < 1 - 1e-9:
        found.append(("covered", "mass in beads", f"{100 * score.covered:.0f} %"))
    return found


def reasons(score: MappingScore, no_frames: str = "") -> list[str]:
    """Why the others cannot be told; ``no_frames`` says it for those that come from frames, where there are none."""
    without = [part for part in score.reasons if no_frames and part != "symmetry"]
    told = [f"{', '.join(LABELS[part] for part in without)}: {no_frames}"] if without else []
    return told + [f"{LABELS[part]}: {why}" for part, why in score.reasons.items() if part not in without]


def line(score: MappingScore, no_frames: str = "") -> str:
    """All of it as HTML, the parts side by side and the reasons below."""
    values = "".join(f'<span title="{TIPS[key]}">{label} <b>{value}</b></span>' for key, label, value in parts(score))
    return f'<div class="cgw-score">{values}</div>' + "".join(
        f'<div class="cgw-help">{html.escape(why)}</div>' for why in reasons(score, no_frames)
    )


def brief(score: MappingScore) -> str:
    """The parts below each other, for a small place; their errors on hover."""
    short = {"rmsd": "RMSD", "smoothness": "relaxation", "covered": "mass"}
    return "".join(
        f'<div class="cgw-part" title="{label} {value}. {TIPS[key]}">'
        f"<span>{short.get(key, label)}</span><span>{re.sub(' ± [^ ]+', '', value)}</span></div>"
        for key, label, value in parts(score)
    )
