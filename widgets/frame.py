"""The frame that all panels share: picture two thirds, form one third, progress and status below; one accent colour."""

import html
import io
from collections.abc import Callable, Sequence

import ipywidgets as ipw
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ACCENT = "#0072B2"
BEAD_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""The palette of Okabe and Ito: told apart by the colour-blind, and in print."""
FREE_COLOUR = "#B8B8B8"

CSS = """<style>
.cgw {font-size: 13px; overflow: hidden; container-type: inline-size; --cgw-height: clamp(360px, calc(100vh - 278px), 640px)}
.cgw .widget-html, .cgw .widget-html-content {line-height: 1.35}
.cgw .widget-inline-hbox {align-items: center}
.cgw .widget-checkbox label {display: flex; align-items: center; gap: 6px}
.cgw .jupyter-widget-Collapse-header {padding: 3px 10px; font-weight: normal; font-size: 12px}
.cgw .jupyter-widget-Collapse-contents {padding: 4px; overflow: hidden}
.cgw-line {align-items: center; gap: 4px}
.cgw-body {display: flex; flex-flow: row nowrap; gap: 14px; align-items: stretch}
.cgw-picture {flex: 2 1 0; min-width: 0; max-height: var(--cgw-height); overflow: hidden auto}
.cgw-form {flex: 1 1 0; min-width: 280px; max-height: var(--cgw-height); overflow: hidden auto; padding-right: 6px}
.cgw-picture > *, .cgw-form > * {flex: 0 0 auto}
@container (max-width: 620px) {.cgw-body {flex-wrap: wrap} .cgw-picture, .cgw-form {flex: 1 1 100%}}
.cgw-scores {width: 100%; border-collapse: collapse; line-height: 1.4; font-size: 12px; font-variant-numeric: tabular-nums}
.cgw-scores th, .cgw-scores td {text-align: right; white-space: nowrap; padding: 1px 0 1px 10px}
.cgw-scores th:first-child, .cgw-scores td:first-child {text-align: left; white-space: normal; padding-left: 0}
@container (max-width: 900px) {.cgw-scores .cgw-floor {display: none}}
.cgw-report-place {height: calc(var(--cgw-height) - 36px); overflow: hidden; border: 1px solid var(--jp-border-color2)}
.cgw-report {width: 142.86%; height: 142.86%; border: 0; transform: scale(0.7); transform-origin: 0 0}
@container (max-width: 900px) {.cgw-report {width: 172.4%; height: 172.4%; transform: scale(0.58)}}
.cgw-fields .widget-hbox {align-items: center}
.cgw-foot {border-top: 1px solid var(--jp-border-color2); margin-top: 6px; padding-top: 5px}
.cgw-foot > .widget-hbox {gap: 6px; align-items: flex-start}
.cgw-foot > .widget-hbox > .widget-vbox {flex: 1 1 0; min-width: 0}
.cgw-row {flex-flow: row wrap; align-items: center; gap: 4px 6px}
.cgw .widget-button, .cgw .widget-toggle-button {margin: 0; border-radius: 3px}
.cgw .widget-button:focus-visible, .cgw .widget-toggle-button:focus-visible {outline: 2px solid #0072B2; outline-offset: 1px}
.cgw .cgw-accent {background: #0072B2; color: white}
.cgw-status {overflow-wrap: anywhere}
.cgw-foot .cgw-status {min-height: 20px}
.cgw .widget-dropdown, .cgw .widget-dropdown select {max-width: 100%}
.cgw-note {color: var(--jp-ui-font-color2)}
.cgw-bad {color: #A33B00; font-weight: 600}
.cgw-head {font-weight: 600; margin: 2px 0 4px}
.cgw-help {color: var(--jp-ui-font-color2); font-size: 11px; line-height: 1.25; margin: -2px 0 5px}
.cgw-preview svg {max-width: 100%; height: auto; display: block; margin: auto}
.cgw-preview .cgw-note {text-align: center}
.cgw-sources {margin-bottom: 5px}
.cgw-sources .widget-toggle-button.mod-active {background: #0072B2; color: white}
.cgw-code pre {background: var(--jp-layout-color2); padding: 8px 10px; margin: 4px 0; font-size: 12px; line-height: 1.4;
  white-space: pre-wrap; overflow-wrap: anywhere; user-select: all}
.cgw-code button {border: 1px solid var(--jp-border-color1); background: var(--jp-layout-color1); border-radius: 3px; cursor: pointer}
.cgw-bead {align-items: center; gap: 6px; border-left: 4px solid transparent; padding: 1px 4px; min-height: 28px}
.cgw-bead.cgw-chosen {border-left-color: #0072B2; background: var(--jp-layout-color2)}
.cgw-mapping .cgw-picture {--cgw-below: calc(72px + var(--cgw-told, 0px) + var(--cgw-kept, 0px))}
.cgw-mapping .cgw-picture:has(.cgw-score) {--cgw-told: 32px}
.cgw-mapping .cgw-picture:has(.cgw-card) {--cgw-kept: 186px}
.cgw-scoring {flex-flow: row wrap; align-items: flex-start; gap: 2px 8px; padding: 3px 0}
.cgw-scoring > .widget-html {flex: 1 1 0; min-width: 0}
.cgw-scoring > .widget-html:has(.cgw-score) {min-width: min(100%, 400px)}
@container (max-width: 900px) {.cgw-mapping .cgw-picture:has(.cgw-score) {--cgw-told: 46px}}
.cgw-score {display: flex; flex-flow: row wrap; gap: 0 14px; font-size: 12px; line-height: 1.4}
.cgw-cards {gap: 6px}
.cgw-card {position: relative; flex: 0 1 25%; min-width: 0; border: 1px solid var(--jp-border-color2); border-radius: 3px; padding: 3px 4px;
  overflow: hidden}
.cgw-card.cgw-chosen {border-color: #0072B2; box-shadow: inset 0 0 0 1px #0072B2}
.cgw-card img {max-height: 84px; align-self: center}
@media (max-height: 760px) {.cgw-card img {max-height: 56px} .cgw-mapping .cgw-picture:has(.cgw-card) {--cgw-kept: 158px}}
.cgw-card .cgw-head, .cgw-part {font-size: 11px; line-height: 1.25; margin: 0}
.cgw-part {display: flex; justify-content: space-between; gap: 2px; white-space: nowrap; font-variant-numeric: tabular-nums}
.cgw-mapping .cgw-row .widget-button {padding: 0 7px}
.cgw .cgw-cover {position: absolute; inset: 0; width: 100%; height: 100%; background: transparent}
.cgw .cgw-cover:hover {background: #0072B214}
.cgw .cgw-away {position: absolute; top: 2px; right: 2px; padding: 0 5px; height: 20px; line-height: 20px; background: transparent}
.cgw-steps {flex-flow: row wrap; gap: 4px; margin-bottom: 8px}
.cgw-steps .widget-button {height: 42px; line-height: 1.3; font-size: 12px; white-space: pre; text-align: left; flex: 1 1 98px;
  min-width: 0; width: auto; padding: 2px 6px; border-bottom: 3px solid transparent; overflow: hidden; text-overflow: ellipsis}
.cgw-steps .cgw-here {border-bottom-color: #0072B2; font-weight: 600}
.cgw img {max-width: 100%; height: auto; object-fit: contain}
.cgw-picture > img {max-height: var(--cgw-height)}
.cgw-picture > img.cgw-below {max-height: calc(0.6 * var(--cgw-height) - 66px)}
.cgw .ui-resizable-handle {display: none !important}
.cgw-picture > .widget-image {align-self: flex-start}
</style>"""


def text(message: str = "", kind: str = "note") -> str:
    """One line of plain text as HTML; ``kind`` is 'note', 'bad', 'head', 'help' or 'plain'."""
    return f'<div class="cgw-{kind}">{html.escape(message)}</div>'


def button(description: str, tooltip: str, on_click: Callable[[], None], *, icon: str = "", accent: bool = False) -> ipw.Button:
    """A button as wide as its words. ``on_click`` takes nothing."""
    made = ipw.Button(description=description, tooltip=tooltip, icon=icon, layout=ipw.Layout(width="auto"))
    made.on_click(lambda _: on_click())
    if accent:
        made.add_class("cgw-accent")
    return made


def enable(made: ipw.Button, tooltip: str, reason: str = "") -> None:
    """Enable a button, or disable it with the ``reason`` shown on hover."""
    made.disabled, made.tooltip = bool(reason), reason or tooltip


def png(draw: Callable, size: tuple[float, float] = (6.4, 4.2), n_axes: int | Sequence[Sequence[int]] = 1, dpi: int = 110) -> bytes:
    """PNG of what ``draw(*axes)`` draws, without any state of pyplot.

    ``n_axes`` is their number in a row, or a mosaic: rows of numbers, where a number that comes again stretches its axes, and -1 is empty.
    """
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplot_mosaic([range(n_axes)] if isinstance(n_axes, int) else n_axes, empty_sentinel=-1)
    draw(*[places[number] for number in sorted(places)])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


class Status(ipw.HTML):
    """One line of status, or one sentence of what went wrong and what to do."""

    def __init__(self):
        super().__init__()
        self.add_class("cgw-status")

    def say(self, message: str) -> None:
        """Something good to know."""
        self.value = text(message)

    def refuse(self, message: str) -> None:
        """Something that cannot be."""
        self.value = text(message, "bad")


class Panel(ipw.VBox):
    """Picture, form, foot. ``code()`` gives the workbench calls of this panel; ``still()`` the PNG of its picture or None."""

    def __init__(
        self, picture: Sequence[ipw.Widget], form: Sequence[ipw.Widget], foot: Sequence[ipw.Widget], code: Callable, still: Callable
    ):
        self._still = still
        left, right = ipw.VBox(list(picture)), ipw.VBox(list(form))
        left.add_class("cgw-picture")
        right.add_class("cgw-form")
        body = ipw.HBox([left, right])
        body.add_class("cgw-body")
        self._code, self._code_box = code, ipw.HTML()
        self._code_box.add_class("cgw-code")
        self._code_button = button(
            "Copy as code", "The workbench calls of this panel, ready to paste into a cell.", self._toggle_code, icon="code"
        )
        below = ipw.VBox([ipw.HBox([ipw.VBox(list(foot)), self._code_button]), self._code_box])
        below.add_class("cgw-foot")
        super().__init__([ipw.HTML(CSS, layout=ipw.Layout(display="none")), body, below])
        self.add_class("cgw")

    def _toggle_code(self) -> None:
        self._code_box.value = "" if self._code_box.value else self._shown_code()

    def update_code(self) -> None:
        """Write the code anew where it is shown: a choice has changed."""
        if self._code_box.value:
            self._code_box.value = self._shown_code()

    def _shown_code(self) -> str:
        code = html.escape(self._code(), quote=True)
        return (
            f'<pre>{code}</pre><button onclick="navigator.clipboard.writeText(this.previousElementSibling.textContent);'
            "this.textContent='copied'\">copy</button>"
        )

    def _repr_mimebundle_(self, **kwargs):
        """With a PNG beside the widget: a shared, untrusted or printed notebook still shows a picture."""
        bundle = super()._repr_mimebundle_(**kwargs)
        picture = self._still()
        if bundle and picture:
            import base64

            bundle["image/png"] = base64.b64encode(picture).decode()
        return bundle
