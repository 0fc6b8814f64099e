"""Distances, angles and dihedrals under the minimum image: pure torch, batched, differentiable.

A box is (F, 3) lengths, or the (F, 3, 3) cell matrix of a strained orthorhombic box (used for the virial), or None.
"""

import torch
from torch import Tensor


def minimum_image(vector: Tensor, box: Tensor | None) -> Tensor:
    """Shortest periodic image of ``vector`` (F, ..., 3) [nm] in ``box``."""
    if box is None:
        return vector
    shape = (len(box),) + (1,) * (vector.dim() - 2) + (3,)
    lengths = box if box.dim() == 2 else torch.diagonal(box, dim1=1, dim2=2)
    shift = torch.round(vector.detach() / lengths.detach().reshape(shape))
    if box.dim() == 2:
        return vector - shift * box.reshape(shape)
    return vector - torch.einsum("f...a,fab->f...b", shift, box)


def displacements(positions: Tensor, pairs: Tensor, box: Tensor | None = None) -> Tensor:
    """Vectors from the first to the second bead of ``pairs`` (P, 2): (F, P, 3) [nm]."""
    return minimum_image(positions[:, pairs[:, 1]] - positions[:, pairs[:, 0]], box)


def distances(positions: Tensor, pairs: Tensor, box: Tensor | None = None) -> Tensor:
    """Lengths of ``pairs`` (P, 2) in ``positions`` (F, B, 3): (F, P) [nm]."""
    return torch.linalg.vector_norm(displacements(positions, pairs, box), dim=-1)


def angles(positions: Tensor, triples: Tensor, box: Tensor | None = None) -> Tensor:
    """Angles at the middle bead of ``triples`` (T, 3): (F, T) [rad]. Accurate also near 0 and pi."""
    a = displacements(positions, triples[:, :2].flip(1), box)
    b = displacements(positions, triples[:, 1:], box)
    return torch.atan2(torch.linalg.vector_norm(torch.linalg.cross(a, b), dim=-1), (a * b).sum(-1))


def dihedrals(positions: Tensor, quadruples: Tensor, box: Tensor | None = None) -> Tensor:
    """Dihedral angles of ``quadruples`` (Q, 4), IUPAC sign: (F, Q) [rad], in (-pi, pi]."""
    sine, cosine = dihedral_sin_cos(positions, quadruples, box)
    return torch.atan2(sine, cosine)


def dihedral_sin_cos(positions: Tensor, quadruples: Tensor, box: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Sine and cosine of the dihedral angles of ``quadruples`` (Q, 4): (F, Q) each."""
    a = displacements(positions, quadruples[:, :2], box)
    b = displacements(positions, quadruples[:, 1:3], box)
    c = displacements(positions, quadruples[:, 2:], box)
    m, n = torch.linalg.cross(a, b), torch.linalg.cross(b, c)
    norm = torch.linalg.vector_norm(m, dim=-1) * torch.linalg.vector_norm(n, dim=-1)
    sine = (m * c).sum(-1) * torch.linalg.vector_norm(b, dim=-1)
    return sine / norm, (m * n).sum(-1) / norm
