"""Jupyter UI: holds no science; every callback is one workbench call that a notebook could contain."""
