r"""Linear force maps: which combination of atomic forces is the force on a bead.

For beads at R = C r (C: B x N) the forces F = W f average to the mean force -dU/dR wherever

    W C^T = 1    and    W_Ii = W_Ij for atoms i, j tied by a rigid constraint,

Noid et al., J. Chem. Phys. 128, 244114 (2008); Ciccotti, Kapral, Vanden-Eijnden, ChemPhysChem 6, 1809 (2005). Constraint forces,
which are not among the f, cancel so. All such maps have one mean force and differ in noise:

- ``basic``     sums the atoms of the bead and those tied to them;
- ``molecule``  sums the whole molecule, for molecules of one bead;
- ``optimal``   minimises <|W f|^2>: Krämer et al., J. Phys. Chem. Lett. 14, 3970 (2023), arXiv:2302.07071.

With W = V G^T (G: N x g, the membership of atoms in rigid groups) the optimum is a quadratic programme with equality constraints
V D = 1, D = G^T C^T, solved in closed form in the null space Z of D^T: V^T = V0^T + Z y, V0 the least-norm solution and
y = -(Z^T S Z)^-1 Z^T S V0^T, where S = G^T <f f^T> G. All copies of a molecule share one map. Massless sites are left out: their
forces were handed to real atoms already.
"""

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.csgraph

from workbench.types import Mapping, System, Trajectory

CHUNK_BYTES = 32 << 20
RIDGE = 1e-10
"""Weight of |W|^2 relative to the mean squared force: decides where the forces do not (an atom that feels none)."""
SAMPLES_PER_COEFFICIENT = 10
"""An optimum over fewer force samples than this for every free coefficient would fit their noise."""


def matrix(name: str, all_atom: Trajectory, mapping: Mapping) -> scipy.sparse.csr_array:
    """The force map called ``name`` (basic, molecule or optimal), (B, N), for ``all_atom``, which knows its system.

    Raises ``ValueError`` for another name, for forces that are missing or too few, and where the map does not exist.
    """
    system = all_atom.system
    if name == "basic":
        return basic(mapping.expand(system), system)
    if name == "molecule":
        return molecule(mapping.expand(system), system)
    if name == "optimal":
        return optimal(all_atom, mapping)
    raise ValueError(f"force_map = '{name}': choose basic, molecule or optimal.")


def basic(weights: scipy.sparse.csr_array, system: System) -> scipy.sparse.csr_array:
    """The matrix (B, N) of ones that sums the forces on the atoms of every bead for the mapping ``weights`` (B, N).

    Raises ``ValueError`` where an atom, or a group of atoms tied by rigid constraints, belongs to two beads.
    """
    n_groups, group = _rigid_groups(system.constraints, system.n_atoms)
    bead, atom = weights.nonzero()
    owner = np.full(n_groups, -1)
    owner[group[atom]] = bead
    clash = np.flatnonzero(owner[group[atom]] != bead)
    if clash.size:
        where = f"beads {bead[clash[0]]} and {owner[group[atom[clash[0]]]]} share atom {atom[clash[0]]} or a rigid constraint on it"
        raise ValueError(f"the basic force map cannot sum forces: {where}: choose beads that share none, or a flexible force field.")
    return _sum(owner[group], system, weights.shape)


def molecule(weights: scipy.sparse.csr_array, system: System) -> scipy.sparse.csr_array:
    """The matrix (B, N) of ones that gives the one bead of a molecule the forces on all its atoms, for ``weights`` (B, N).

    Raises ``ValueError`` where a molecule has several beads.
    """
    bead, atom = weights.nonzero()
    owner = np.full(system.molecule[-1] + 1, -1)
    owner[system.molecule[atom]] = bead
    clash = np.flatnonzero(owner[system.molecule[atom]] != bead)
    if clash.size:
        where = f"molecule {system.molecule[atom[clash[0]]]} has more"
        raise ValueError(f"the molecule force map is for one bead a molecule; {where}: choose the basic or the optimal map.")
    return _sum(owner[system.molecule], system, weights.shape)


def optimal(all_atom: Trajectory, mapping: Mapping) -> scipy.sparse.csr_array:
    """The matrix (B, N) of least mean squared force over the frames of ``all_atom``, one map for all copies of a molecule.

    Raises ``ValueError`` for a trajectory without forces or with too few of them, for constraints between molecules, and for
    beads that no map serves (rigid constraints tie them to each other).
    """
    system = all_atom.system
    if all_atom.forces is None:
        raise ValueError("the optimal force map needs forces: this trajectory has none.")
    if np.any(system.molecule[system.constraints[:, 0]] != system.molecule[system.constraints[:, 1]]):
        raise ValueError("the optimal force map is made for each molecule alone: rigid constraints between molecules do not allow it.")
    kinds = system.kinds()
    weights = mapping.expand(system)
    bead, atom = weights.nonzero()
    first = np.full(system.molecule[-1] + 1, len(bead))  # first bead of every molecule
    np.minimum.at(first, system.molecule[atom], bead)
    rows, columns, values = [], [], []
    for template in mapping.templates:
        atoms = kinds[template.topology]
        coefficients = _least_noise(all_atom, atoms, template.weights, template.names)
        i, j = np.nonzero(coefficients)
        rows.append((first[system.molecule[atoms[:, :1]]] + i).ravel())
        columns.append(atoms[:, j].ravel())
        values.append(np.tile(coefficients[i, j], len(atoms)))
    triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.csr_array(triplets, shape=weights.shape)


def solve(weights: np.ndarray, covariance: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Least-noise coefficients (b, n) for ``weights`` (b, n), ``covariance`` <f f^T> (n, n) and rigid ``group`` of each atom (n,).

    Atoms of one group get equal coefficients, those of group -1 get none. Raises ``ValueError`` where no map exists.
    """
    members = (group[:, None] == np.arange(group.max() + 1)).astype(float)  # (n, g)
    conditions = members.T @ weights.T  # (g, b)
    start = np.linalg.pinv(conditions)  # (b, g)
    if not np.allclose(start @ conditions, np.eye(len(weights)), atol=1e-8):
        raise ValueError(
            "no force map serves these beads: rigid constraints tie them to each other, their weights depend on each other, or they "
            "sit on massless sites: choose other beads, or a flexible force field."
        )
    free = scipy.linalg.null_space(conditions.T)  # (g, g - b)
    if free.shape[1] == 0:
        return start @ members.T
    size = np.trace(covariance) / len(covariance) or 1.0
    grouped = members.T @ (covariance / size) @ members + RIDGE * members.T @ members
    y = scipy.linalg.solve(free.T @ grouped @ free, -free.T @ grouped @ start.T, assume_a="pos")
    return (start + y.T @ free.T) @ members.T


def _least_noise(all_atom: Trajectory, atoms: np.ndarray, weights: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Coefficients (b, n) of one kind of molecule whose copies are ``atoms`` (copies, n)."""
    system = all_atom.system
    n_copies, n = atoms.shape
    place = np.full(system.n_atoms, -1)
    place[atoms] = np.arange(n)
    n_groups, group = _rigid_groups(place[system.constraints[place[system.constraints[:, 0]] >= 0]], n)
    massive = system.masses[atoms[0]] > 0
    group = np.where(massive, np.unique(np.where(massive, group, n_groups), return_inverse=True)[1], -1)
    samples, wanted = 3 * n_copies * len(all_atom), SAMPLES_PER_COEFFICIENT * (group.max() + 1 - len(weights))
    if samples < wanted:
        raise ValueError(
            f"the optimal force map of beads {', '.join(names)} has {wanted // SAMPLES_PER_COEFFICIENT} free coefficients and "
            f"{samples} force samples: give it at least {-(-wanted // (3 * n_copies))} frames."
        )
    return solve(weights, _covariance(all_atom, atoms), group)


def _covariance(all_atom: Trajectory, atoms: np.ndarray) -> np.ndarray:
    """<f f^T> (n, n) [(kJ/mol/nm)^2] per Cartesian component over frames and copies ``atoms`` (copies, n), read in pieces."""
    n_copies, n = atoms.shape
    total = np.zeros((n, n))
    size = max(1, CHUNK_BYTES // (24 * atoms.size))
    for start in range(0, len(all_atom), size):
        forces = all_atom.forces[start : start + size][:, atoms.ravel()].astype(np.float64).reshape(-1, n, 3)  # (F copies, n, 3)
        columns = forces.transpose(1, 0, 2).reshape(n, -1)
        total += columns @ columns.T
    return total / (3 * n_copies * len(all_atom))


def _rigid_groups(constraints: np.ndarray, n_atoms: int) -> tuple[int, np.ndarray]:
    """Number of groups of atoms tied by ``constraints`` (any, 2), and the group of every atom (n_atoms,)."""
    links = scipy.sparse.coo_array((np.ones(len(constraints)), tuple(constraints.T)), shape=(n_atoms,) * 2)
    return scipy.sparse.csgraph.connected_components(links, directed=False)


def _sum(owner: np.ndarray, system: System, shape: tuple[int, int]) -> scipy.sparse.csr_array:
    """The matrix of ones for atoms with mass whose bead is ``owner`` (N,), -1 for none."""
    summed = np.flatnonzero((owner >= 0) & (system.masses > 0))
    return scipy.sparse.csr_array((np.ones(len(summed)), (owner[summed], summed)), shape=shape)
