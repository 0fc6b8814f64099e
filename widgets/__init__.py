"""Jupyter UI: holds no science; every callback is one workbench call that a notebook could contain."""

from widgets.mapping_panel import MappingPanel

__all__ = ["MappingPanel"]
