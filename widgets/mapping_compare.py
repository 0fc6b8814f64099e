"""Scores of the mapping that is shown, and up to four others kept beside it as small pictures."""

import dataclasses
import html
from collections.abc import Callable

import ipywidgets as ipw

from widgets import aside, frame, mapping_scores, plots
from widgets.mapping_scheme import NO_FRAMES
from widgets.session import Session
from workbench import store, types, validation

MOST = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """A mapping that is kept, how it was made, and its card."""

    mapping: types.Mapping
    code: str
    title: str
    card: ipw.Box
    told: ipw.HTML


class MappingCompare(ipw.VBox):
    """``load(mapping, code, title)`` makes a kept mapping the current one; ``refuse`` tells what cannot be."""

    def __init__(self, session: Session, load: Callable, refuse: Callable[[str], None]):
        self.session, self._load, self._refuse = session, load, refuse
        self.kept: list[Kept] = []
        self._scores: dict[str, validation.MappingScore] = {}
        self._mapping: types.Mapping | None = None
        self._made, self._busy, self._turn = ("", ""), False, 0
        self.score = frame.button("score", "", self._press, icon="tachometer")
        self.keep = frame.button("compare", "", self._keep, icon="clone")
        self.told = ipw.HTML()
        self.cards = ipw.HBox()
        self.cards.add_class("cgw-cards")
        line = ipw.HBox([self.score, self.keep, self.told])
        line.add_class("cgw-scoring")
        super().__init__([line, self.cards])
        session.observe(lambda _: self._forget(True), "system")
        session.observe(lambda _: self._forget(False), "all_atom")
        self.show(None)

    def show(self, mapping: types.Mapping | None, code: str = "", title: str = "") -> None:
        """Show the score of another mapping, made by ``code`` and called ``title``."""
        self._mapping, self._made = mapping, (code, title)
        self._tell()

    def code(self) -> list[str]:
        """The call that scored the current mapping, if it was."""
        scored = store.identity(self._mapping) in self._scores
        return [f"score = validation.score_mapping({self._frames()[1]}, mapping)"] if scored else []

    def _tell(self) -> None:
        missing = "There is no complete mapping yet." if self._mapping is None else ""
        waiting = "It is being scored." if self._busy else ""
        score = self._scores.get(store.identity(self._mapping))
        frame.enable(self.score, "What the beads keep of the molecule, before any model is trained.", missing or waiting)
        full = f"{MOST} are kept already: take one away." if len(self.kept) == MOST else ""
        twice = "It is kept already." if any(self._same(kept) for kept in self.kept) else ""
        frame.enable(self.keep, "Keep this mapping beside others, with its score.", missing or twice or full)
        no_frames = "" if self.session.has("all_atom") else NO_FRAMES
        hint = "" if missing else frame.text("scoring ..." if self._busy else "not scored yet.")
        self.told.value = mapping_scores.line(score, no_frames) if score else hint
        for kept in self.kept:
            (kept.card.add_class if self._same(kept) else kept.card.remove_class)("cgw-chosen")
            score = self._scores.get(store.identity(kept.mapping))
            kept.told.value = _caption(kept, score)
        self.cards.children = [kept.card for kept in self.kept]

    def _same(self, kept: Kept) -> bool:
        return store.identity(kept.mapping) == store.identity(self._mapping)

    def _forget(self, all_of_it: bool) -> None:
        """Scores are of the frames of now, mappings of the system of now."""
        self._scores, self._turn, self._busy = {}, self._turn + 1, False
        self.kept = [] if all_of_it else self.kept
        self._tell()

    def _press(self) -> None:
        self._measure([self._mapping, *(kept.mapping for kept in self.kept)])

    def _measure(self, mappings: list[types.Mapping]) -> None:
        """Score those of ``mappings`` that have no score yet, one after the other, beside the event loop."""
        turn = self._turn
        todo = [mapping for mapping in mappings if store.identity(mapping) not in self._scores]
        if self._busy or not todo:
            return
        frames, _ = self._frames()

        def done(score: validation.MappingScore) -> None:
            if turn != self._turn:
                return
            self._busy, self._scores[store.identity(todo[0])] = False, score
            self._tell()
            self._measure([*todo[1:], *(kept.mapping for kept in self.kept)])

        self._busy = True
        self._tell()
        aside.do(lambda: validation.score_mapping(frames, todo[0]), done, self._failed)

    def _failed(self, reason: str) -> None:
        self._busy = False
        self._tell()
        self._refuse(reason)

    def _frames(self) -> tuple[types.Trajectory, str]:
        """The frames of the session, else the one of the system itself, and how to call them."""
        system = self.session.system
        if self.session.has("all_atom"):
            return self.session.all_atom, "all_atom"
        one = types.Trajectory(positions=system.positions[None], system=system)
        return one, "types.Trajectory(positions=system.positions[None], system=system)"

    def _keep(self) -> None:
        mapping, (code, title), system = self._mapping, self._made, self.session.system
        picture = ipw.Image(value=frame.png(lambda ax: plots.molecule(system, mapping, ax), (3.4, 2.4), dpi=90), format="png")
        told = ipw.HTML()
        again = frame.button("", f"Make '{title}' the current mapping again.", lambda: self._load(mapping, code, title))
        again.add_class("cgw-cover")
        away = frame.button("", "Take it away.", lambda: self._take_away(card), icon="times")
        away.add_class("cgw-away")
        card = ipw.VBox([picture, told, again, away])
        card.add_class("cgw-card")
        self.kept.append(Kept(mapping, code, title, card, told))
        self._tell()
        self._measure([mapping])

    def _take_away(self, card: ipw.Box) -> None:
        self.kept = [kept for kept in self.kept if kept.card is not card]
        self._tell()


def _caption(kept: Kept, score: validation.MappingScore | None) -> str:
    count = sum(len(template.names) for template in kept.mapping.templates)
    head = f'<div class="cgw-head">{html.escape(kept.title)}: {count} bead{"s" if count > 1 else ""}</div>'
    return head + (mapping_scores.brief(score) if score else frame.text("not scored yet"))
