"""A slider over the levels of the graph of a molecule, with the number of beads of each beside it."""

from collections.abc import Callable, Sequence

import ipywidgets as ipw

from widgets import frame


class GraphLevels(ipw.HBox):
    """``value`` is the level; ``moved()`` is called when a person moves it."""

    def __init__(self, moved: Callable[[], None]):
        self._busy = False
        self.slider = ipw.SelectionSlider(options=[("-", 1)], layout=ipw.Layout(flex="1 1 auto", width="auto", min_width="0"))
        self.slider.add_class("cgw-field-level")
        self.slider.observe(lambda _: self._busy or moved(), "value")
        super().__init__([ipw.HTML(frame.text("level", "plain")), self.slider])
        self.add_class("cgw-line")

    @property
    def value(self) -> int:
        """The level that is chosen."""
        return self.slider.value

    def show(self, beads: Sequence[int]) -> None:
        """Levels with these numbers of beads; the one that was chosen stays, or the coarsest below it."""
        self._busy, level = True, min(self.value, len(beads) - 1)
        self.slider.options = [(f"{k}: {count} bead{'s' if count > 1 else ''}", k) for k, count in enumerate(beads)]
        self.slider.value, self._busy = level, False
