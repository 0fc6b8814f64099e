"""CGnet: its features, its z-score, and that composition, not a flag, makes it regularised."""

import numpy as np
import pytest
import torch

from workbench import potentials, types

from .test_potentials_contract import chain, liquid


def test_features_of_five_beads_are_those_of_the_paper():
    network = potentials.cgnet.build(chain(20), potentials.cgnet.Settings())
    d = network.descriptor
    assert (len(d.pairs), len(d.triples), len(d.quadruples), d.size) == (10, 3, 2, 17)
    assert [layer.out_features for layer in network.hidden] == [160] * 5


def test_features_are_z_scored():
    data = chain(300)
    network = potentials.cgnet.build(data, potentials.cgnet.Settings(width=4))
    q = network.descriptor.values(torch.tensor(data.positions))
    z = (q - network.mean) / network.deviation
    assert z.mean(0).abs().max() < 1e-4
    assert (z.std(0, correction=0) - 1).abs().max() < 1e-4


def test_seed_decides_the_weights():
    data = chain(20)
    a, b, c = (potentials.cgnet.build(data, potentials.cgnet.Settings(width=4, seed=s)).hidden[0].weight for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_refusals():
    with pytest.raises(ValueError, match="one molecule"):
        potentials.cgnet.build(liquid(), potentials.cgnet.Settings())
    data = chain(5)
    with pytest.raises(ValueError, match="never changes"):
        potentials.cgnet.build(
            types.ReferenceData(positions=np.repeat(data.positions[:1], 5, axis=0), beads=data.beads), potentials.cgnet.Settings()
        )
    network = potentials.cgnet.build(data, potentials.cgnet.Settings(width=4))
    with pytest.raises(ValueError, match="cannot be carried"):
        network.bind(liquid().beads)
