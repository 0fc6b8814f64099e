"""A mapping saved by an earlier version loads: tests/data keeps the files, README.md there says what wrote them."""

import pathlib

import numpy as np

from workbench import mappings, store, systems

DATA = pathlib.Path(__file__).parent / "data"


def test_a_mapping_of_version_0_1_loads():
    ethane = systems.load("ethane", n_molecules=1)
    read = store.load(DATA / "mapping_v0.1.json")
    picked = mappings.by_pick.Settings(atoms=((0, 2, 3, 4), (1, 5, 6, 7)), names=("left", "right"), types=("CH3", "CH3"))
    made = mappings.by_pick.build(ethane, None, picked)
    assert (read.templates[0].names, read.templates[0].types) == (("left", "right"), ("CH3", "CH3"))
    np.testing.assert_allclose(read.expand(ethane).toarray(), made.expand(ethane).toarray(), rtol=1e-14)
    decoder = np.array([[1, 0], [0, 1], *[[1.25, -0.25]] * 3, *[[-0.25, 1.25]] * 3])
    np.testing.assert_array_equal(read.decoder, decoder)
