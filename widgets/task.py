"""Start, progress with the time left, cancel, and one line of status, over a :class:`workbench.jobs.Job`."""

import asyncio
from collections.abc import Callable

import ipywidgets as ipw

from widgets import frame
from workbench import jobs

POLL = 0.5
"""Seconds between two looks at a running job."""
START_TIP = "Run this as a process of its own; the notebook stays usable."


class TaskBar(ipw.VBox):
    """``begin()`` starts (or finds) the job; ``on_progress(job)`` is called while it runs, ``on_finished(job)`` once it has a result."""

    def __init__(
        self,
        begin: Callable[[], jobs.Job],
        *,
        unit: str,
        on_progress: Callable[[jobs.Job], None],
        on_finished: Callable[[jobs.Job], None],
    ):
        self.job: jobs.Job | None = None
        self.unit = unit
        self._begin, self._on_progress, self._on_finished = begin, on_progress, on_finished
        self._reason, self._seen = "", ""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # no event loop, no polling: whoever has none calls refresh()
        self.start_button = frame.button("Start", START_TIP, self._start, icon="play", accent=True)
        self.cancel_button = frame.button("Cancel", "", self._cancel, icon="stop")
        self.bar = ipw.FloatProgress(min=0, max=1, layout=ipw.Layout(flex="1 1 90px", width="auto", min_width="60px"))
        self.bar.style.bar_color = frame.ACCENT
        self.count = ipw.HTML()
        self.status = frame.Status()
        row = ipw.HBox([self.start_button, self.cancel_button, self.bar, self.count])
        row.add_class("cgw-row")
        super().__init__([row, self.status])
        self._show("idle")

    def allow(self, reason: str = "") -> None:
        """Let it start, or say why it cannot."""
        self._reason = reason
        self._show(self.job.state if self.job else "idle")

    def attach(self, job: jobs.Job) -> None:
        """Show a job that runs or ran already."""
        self.job, self._seen = job, ""
        shown = self.refresh()  # the job may end while this draws: what was shown decides whether to look again
        if self._loop is not None and shown == "running":
            asyncio.run_coroutine_threadsafe(self._poll(job), self._loop)

    def find(self, job: jobs.Job | None, recall: Callable[[jobs.Job], None]) -> None:
        """Show a job as an earlier session left it, once ``recall(job)`` has shown its settings; say it where a file of it is damaged."""
        if job is None:
            return
        try:
            recall(job)
            self.attach(job)
        except ValueError as refusal:
            self.status.refuse(str(refusal))

    def refresh(self) -> str:
        """Show the job as it is now; the state that was shown, 'idle' without a job."""
        job = self.job
        if job is None:
            return "idle"
        state, progress = job.state, job.progress
        self._show(state)
        if progress:
            total = progress["total"] or progress["step"]
            self.bar.value = 1 if state == "finished" else progress["step"] / max(total, 1)  # a fit may converge before its last step
            left = f", {duration(progress['left'])} left" if state == "running" and progress["left"] is not None else ""
            self.count.value = frame.text(f"{spaced(progress['step'])} / {spaced(total)} {self.unit}{left}", "plain")
        else:
            self.bar.value, self.count.value = 0, ""
        self._tell(job, state, progress)
        if progress:
            self._on_progress(job)
        if state == "finished" and self._seen != "finished":
            self._seen = state
            self._on_finished(job)
        return state

    async def _poll(self, job: jobs.Job) -> None:
        while self.job is job:
            running = job.state == "running"
            try:
                self.refresh()
            except ValueError as refusal:
                self.status.refuse(str(refusal))
            if not running:
                return
            await asyncio.sleep(POLL)

    def _start(self) -> None:
        self.status.say("preparing ...")
        frame.enable(self.start_button, START_TIP, "It is being prepared.")
        try:
            self.attach(self._begin())
        except (ValueError, RuntimeError, OSError) as refusal:
            self.status.refuse(str(refusal))
            self._show(self.job.state if self.job else "idle")

    def _cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()
            self.status.say("cancelling at the next step ...")

    def _show(self, state: str) -> None:
        frame.enable(self.start_button, START_TIP, "It is running." if state == "running" else self._reason)
        frame.enable(self.cancel_button, "Stop at the next step; it can go on later.", "" if state == "running" else "Nothing is running.")

    def _tell(self, job: jobs.Job, state: str, progress: dict) -> None:
        where = f"{job.folder.parent.name}/{job.folder.name}"
        if state == "running" and (job.folder / "cancel").exists():
            self.status.say("cancelling at the next step ...")
        elif state == "running":
            self.status.say(f"running, kept in {where}: this tab can be closed." if progress else "starting ...")
        elif state == "finished":
            self.status.say(f"finished, saved in {where}.")
        elif state == "cancelled":
            self.status.say(f"cancelled, kept in {where}: Start with the same settings goes on from here.")
        else:
            self.status.refuse(f"{state}: {job.error}")


def spaced(number: int) -> str:
    """``12345`` -> ``"12 345"``, with spaces that do not break."""
    return f"{number:,}".replace(",", "\u00a0")


def duration(seconds: float) -> str:
    """``70.2`` -> ``"1 min 10 s"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
