"""The loop that the engines share: from the checkpoint, where there is one, frame by frame to the last step."""

from collections.abc import Callable
from typing import Any, Protocol

from workbench import device, store
from workbench.potentials._base import Potential
from workbench.recorder import Recorder
from workbench.types import Start, Trajectory


class Engine(Protocol):
    """What the loop asks of an engine."""

    step: int
    """Integration steps done."""
    recorder: Recorder
    """The frames so far."""

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""

    def advance(self) -> dict:
        """Steps up to the next saved frame; its metrics."""


def run(
    verb: str,
    make: Callable[..., Engine],
    potential: Potential,
    start: Start,
    settings: Any,
    on_step: Callable[[int, dict], None] | None,
    checkpoint: Any,
) -> Trajectory:
    """Make the engine of ``verb`` and run it to ``settings.n_steps`` with ``settings.n_threads`` CPU threads."""
    identity = store.identity(verb, potential, start, settings)
    parents = (identity, store.identity(potential), store.identity(start))
    with device.threads(settings.n_threads):
        engine = make(potential, start, settings, identity, parents, checkpoint)
        engine.resume()
        while engine.step < settings.n_steps:
            metrics = engine.advance()
            if on_step is not None:
                on_step(engine.step, metrics)
        return engine.recorder.trajectory()
