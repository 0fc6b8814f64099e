"""The report: every observable with its error, the floor that sampling sets, and pass or fail."""

import html
import math
import threading
from typing import Any

import ipywidgets as ipw

from widgets import frame, plots
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code, script
from workbench import store, types, validation

NO_BREAK = "\u2011"
"""A hyphen at which no line ends."""


class ValidationPanel(frame.Panel):
    """Works alone, ``ValidationPanel(data, model)``, or on a session."""

    def __init__(self, source: types.ReferenceData | Session, model: types.Trajectory | None = None, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, data=source, model=model)
        self.form = SettingsForm(validation.Settings)
        self.page, self.table, self.image = ipw.HTML(), ipw.HTML(), ipw.Image(format="png")
        self.start = frame.button("Make the report", "", self._start, icon="check", accent=True)
        self.status = frame.Status()
        head = ipw.HTML(frame.text("thresholds and bins", "head"))
        picture = [self.page, ipw.Accordion([self.image], titles=("its figure as a picture (PNG)",))]
        super().__init__(picture, [self.table, head, self.form], [ipw.HBox([self.start]), self.status], self.code, lambda: self.image.value)
        self.form.observe(lambda _: self._allow(), ["value", "error"])
        self.session.observe(lambda _: self._allow(), "changes")
        self.session.observe(lambda _: self._show(), "report")
        self._busy = False
        self._show()
        self._allow()

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self.form.value is None:
            return f"# {self.form.error}"
        folder = self.session.folder / "report"
        return script(f'report = validation.report(data, model, folder="{folder}", settings={as_code(self.form.value)})')

    def _allow(self) -> None:
        reason = "Run the model first." if self.session.model is None else self.form.error
        reason = "The run is out of date: run the model again." if self.session.stale("model") else reason
        frame.enable(self.start, "Compare the model with the reference.", "It is being made." if self._busy else reason)

    def _start(self) -> None:
        self._busy = True
        self._allow()
        self.status.say("comparing ...")
        threading.Thread(target=self.make, daemon=True).start()

    def make(self) -> None:
        """Make the report now and show it, or the one sentence of why it cannot be made."""
        session, marks = self.session, self.session.marks("report")
        try:
            report = validation.report(session.data, session.model, session.folder / "report", self.form.value)
            session.put("report", report, marks)
            self.status.say(
                f"the report is {report.html.relative_to(session.folder.parent)}; its numbers are in {report.json.name} beside it."
            )
        except (ValueError, OSError, store.DiskFull) as refusal:
            self.status.refuse(str(refusal))
        finally:
            self._busy = False
            self._allow()

    def _show(self) -> None:
        report = self.session.report
        if report is None:
            self.image.value = frame.png(lambda ax: plots.message("the report will be shown here", ax))
            self.page.value = frame.text("the report will be shown here.")
            return
        page = html.escape(report.html.read_text(), quote=True)
        self.page.value = (
            f'<div class="cgw-report-place"><iframe srcdoc="{page}" sandbox="" title="report" class="cgw-report"></iframe></div>'
        )
        figures = sorted(report.folder.glob("*.png"), key=lambda path: ("surface" not in path.name, path.name))
        if figures:
            self.image.value = figures[0].read_bytes()
        rows = "".join(
            f"<tr><td>{html.escape(c.name).replace('-', NO_BREAK)}</td><td>{with_error(c.score, c.error)}</td>"
            f'<td class="cgw-floor">{c.floor:.2g}</td>'
            f'<td style="color:{"#006B4F" if c.passed else "#A33B00"};font-weight:600">{"pass" if c.passed else "fail"}</td></tr>'
            for c in report.comparisons
        )
        self.table.value = (
            f'<div class="cgw-head">{self.summary()}</div><table class="cgw-scores"><tr>'
            f'<th>observable</th><th>score</th><th class="cgw-floor">floor</th><th></th></tr>{rows}</table>'
        )

    def summary(self) -> str:
        """What the step bar says."""
        if self.session.report is None:
            return ""
        failed = sum(not c.passed for c in self.session.report.comparisons)
        return f"{failed} of {len(self.session.report.comparisons)} fail" if failed else "all pass"


def with_error(value: float, error: float) -> str:
    """A number with no more digits than its error allows: ``(0.003521, 0.00104)`` -> ``"0.0035 ± 0.0010"``."""
    if not math.isfinite(value):
        return "none shared"
    if not math.isfinite(error) or error <= 0:
        return f"{value:.3g}"
    digits = min(4, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
