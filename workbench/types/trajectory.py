"""Frames of atoms or beads, and where runs begin."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from workbench.types._fields import check_array, noun
from workbench.types.beads import Beads
from workbench.types.system import State, System


@noun
class Trajectory:
    """Frames of particles. The arrays may be memory maps: long ones are read by :meth:`chunks`, never at once."""

    positions: np.ndarray
    """Positions [nm], (F, N, 3)."""
    forces: np.ndarray | None = None
    """Forces [kJ/mol/nm], (F, N, 3), or None."""
    velocities: np.ndarray | None = None
    """Velocities [nm/ps], (F, N, 3), or None."""
    box: np.ndarray | None = None
    """Box lengths [nm], (F, 3), or None."""
    time: np.ndarray | None = None
    """Time of every frame in its replica [ps], (F,), or None."""
    state: np.ndarray | None = None
    """Index into ``states`` for every frame, (F,); None where all frames belong to the first state."""
    replica: np.ndarray | None = None
    """Index of the replica of every frame, (F,); None where there is one."""
    energy: np.ndarray | None = None
    """Potential energy [kJ/mol], (F,), or None."""
    virial: np.ndarray | None = None
    """Virial [kJ/mol], (F, 3, 3), such that the pressure tensor is (N kBT + virial)/V, N the number of particles with mass; or None."""
    states: tuple[State, ...] = (State(),)
    """The thermodynamic states."""
    parents: tuple[str, ...] = ()
    """Identities of what this was made from, nearest first."""
    system: System | None = None
    """The system whose atoms these are (a projection needs it), or None where it is not known or the particles are beads."""

    def __post_init__(self):
        f, n, _ = check_array(self, "positions", (None, None, 3)).shape
        if self.system is not None and self.system.n_atoms != n:
            raise ValueError(f"{type(self).__name__} has {n} particles a frame; its system has {self.system.n_atoms}.")
        shapes = {
            "forces": (f, n, 3),
            "velocities": (f, n, 3),
            "box": (f, 3),
            "time": (f,),
            "state": (f,),
            "replica": (f,),
            "energy": (f,),
            "virial": (f, 3, 3),
        }
        for name, shape in shapes.items():
            if getattr(self, name) is not None:
                check_array(self, name, shape, np.int64 if name in ("state", "replica") else np.float64)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def n_particles(self) -> int:
        """N (or B)."""
        return self.positions.shape[1]

    def temperatures(self) -> np.ndarray:
        """Temperature [K] of every frame, (F,)."""
        of_states = np.array([state.temperature for state in self.states])
        return np.full(len(self), of_states[0]) if self.state is None else of_states[self.state]

    def take(self, frames: Any) -> Any:
        """The same noun with some frames only: a slice, an index array or a mask. Slices of memory maps stay on disk."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        changed = {name: value[frames] for name, value in fields.items() if isinstance(value, np.ndarray)}
        return dataclasses.replace(self, **changed)

    def chunks(self, size: int = 4096) -> Iterator[Any]:
        """Consecutive pieces of at most ``size`` frames."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))


@noun
class ReferenceData(Trajectory):
    """Frames of beads with what belongs to them: what a model is fitted to and judged by."""

    beads: Beads
    """Bead topology."""
    force_kind: str = "basic"
    """How bead forces were made: 'basic' (summed), 'optimal' (least noise) or 'mean' (averaged), or 'none'."""
    force_error: np.ndarray | None = None
    """Standard error of the forces [kJ/mol/nm], (F, B, 3), or None."""

    def __post_init__(self):
        Trajectory.__post_init__(self)
        if self.beads.n_beads != self.n_particles:
            raise ValueError(f"ReferenceData has {self.n_particles} beads a frame; its topology has {self.beads.n_beads}.")
        if self.force_kind not in ("basic", "optimal", "mean", "none"):
            raise ValueError(f"ReferenceData.force_kind = '{self.force_kind}': choose basic, optimal, mean or none.")
        if self.force_error is not None:
            check_array(self, "force_error", self.positions.shape)

    def start(self, frames: Iterable[int]) -> "Start":
        """Starting configurations from these frames, one replica each."""
        chosen = np.fromiter(frames, np.int64)
        if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= len(self):
            raise ValueError(f"start: choose frames between 0 and {len(self) - 1}.")
        return Start(positions=self.positions[chosen], box=None if self.box is None else self.box[chosen], beads=self.beads)


@noun
class Start:
    """Where replicas begin."""

    positions: np.ndarray
    """Positions [nm], (K, B, 3)."""
    beads: Beads
    """Bead topology."""
    velocities: np.ndarray | None = None
    """Velocities [nm/ps], (K, B, 3), or None: drawn at the temperature of the run."""
    box: np.ndarray | None = None
    """Box lengths [nm], (K, 3), or None."""
    states: tuple[State, ...] | None = None
    """The thermodynamic state of every replica, or None: all at that of the run."""

    def __post_init__(self):
        k, _, _ = check_array(self, "positions", (None, self.beads.n_beads, 3)).shape
        if self.states is not None and len(self.states) != k:
            raise ValueError(f"Start has {k} replicas and {len(self.states)} states: give one to each.")
        if k == 0:
            raise ValueError("Start has no replicas.")
        if self.velocities is not None:
            check_array(self, "velocities", (k, self.beads.n_beads, 3))
        if self.box is not None:
            check_array(self, "box", (k, 3))
