"""Project units (nm, ps, amu, kJ/mol, K, elementary charge) and the only conversions into them.

amu nm^2/ps^2 = kJ/mol exactly, so the equations of motion need no factor. To convert a value into project units multiply
by the constant: ``forces_kcal_per_angstrom * units.KCAL_PER_ANGSTROM``; to convert out, divide.
Constants: CODATA 2018 (exact SI values of k_B and N_A).
"""

BOLTZMANN = 0.00831446261815324
"""Boltzmann constant [kJ/mol/K]."""

ANGSTROM = 0.1
"""1 angstrom [nm]."""
FEMTOSECOND = 1e-3
"""1 fs [ps]."""
KCAL = 4.184
"""1 kcal/mol [kJ/mol]."""
ELECTRONVOLT = 96.48533212331
"""1 eV [kJ/mol]."""
KCAL_PER_ANGSTROM = KCAL / ANGSTROM
"""1 kcal/mol/angstrom [kJ/mol/nm]."""
ELECTRONVOLT_PER_ANGSTROM = ELECTRONVOLT / ANGSTROM
"""1 eV/angstrom [kJ/mol/nm]."""
GRAM_PER_CM3 = 602.214076
"""1 g/cm^3 [amu/nm^3]."""
BAR = 0.0602214076
"""1 bar [kJ/mol/nm^3]."""
MILLIPASCAL_SECOND = 602.214076
"""1 mPa s [amu/nm/ps]."""
CM2_PER_SECOND = 100.0
"""1 cm^2/s [nm^2/ps]."""


def thermal_energy(temperature: float) -> float:
    """Boltzmann constant times ``temperature`` [K], in kJ/mol."""
    return BOLTZMANN * temperature
