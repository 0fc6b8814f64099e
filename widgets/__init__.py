"""Jupyter UI: holds no science; every callback is one workbench call that a notebook could contain."""

from widgets.app import Workbench
from widgets.fitting_panel import FittingPanel
from widgets.mapping_panel import MappingPanel
from widgets.reference_panel import ReferencePanel
from widgets.session import Session
from widgets.settings_form import SettingsForm
from widgets.simulation_panel import SimulationPanel
from widgets.system_panel import SystemPanel
from widgets.validation_panel import ValidationPanel

__all__ = [
    "FittingPanel",
    "MappingPanel",
    "ReferencePanel",
    "Session",
    "SettingsForm",
    "SimulationPanel",
    "SystemPanel",
    "ValidationPanel",
    "Workbench",
]
