"""One session: what is chosen and computed so far, what has gone out of date, and where it is kept.

``session.json`` in the folder remembers system, mapping, frames read from files, and jobs, so that a session opened again goes on
where it was.
"""

import contextlib
import json
import pathlib
from typing import Any

import traitlets

from workbench import jobs, projection, report, rooms, store
from workbench import settings as _settings

PARENTS = {
    "system": (),
    "mapping": ("system",),
    "all_atom": ("system",),
    "data": ("all_atom", "mapping"),
    "fit": ("data",),
    "model": ("fit",),
    "report": ("data", "model"),
}


STEPS = {"reference": "all_atom", "fitting": "fit", "simulation": "model"}
"""What the job of each step makes."""


class Session(traitlets.HasTraits):
    """The nouns of one pipeline. A change of one makes all that was made from it out of date, never wrong in silence."""

    folder = traitlets.Instance(pathlib.Path)
    system = traitlets.Any(None, allow_none=True, help="workbench.types.System")
    mapping = traitlets.Any(None, allow_none=True, help="workbench.types.Mapping")
    all_atom = traitlets.Any(None, allow_none=True, help="workbench.types.Trajectory of atoms")
    data = traitlets.Any(None, allow_none=True, help="workbench.types.ReferenceData")
    fit = traitlets.Any(None, allow_none=True, help="workbench.types.Fit")
    model = traitlets.Any(None, allow_none=True, help="workbench.types.Trajectory of beads")
    report = traitlets.Any(None, allow_none=True, help="workbench.validation.Report")
    changes = traitlets.Int(0, help="Counts every change, for whoever shows the state.")

    def __init__(self, folder: Any = "runs/workbench"):
        self._made_from: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, pathlib.Path] = {}
        self.system_call: tuple[str, dict] | None = None
        self.frames: dict[str, str] | None = None
        """Frames that were read from a file: their ``folder``, the ``code`` that read them, what to be ``said``; None for sampled ones."""
        super().__init__(folder=pathlib.Path(folder).resolve())
        self.observe(self._changed, list(PARENTS))

    @classmethod
    def of(cls, source: Any, folder: Any = "runs/workbench", **nouns: Any) -> "Session":
        """``source`` where it is a session already; else a new one that holds ``nouns``: how a panel works alone."""
        if isinstance(source, Session):
            return source
        session = cls(folder)
        for name, value in nouns.items():
            setattr(session, name, value)
        return session

    def _changed(self, change: dict) -> None:
        self._made_from[change["name"]] = self.marks(change["name"])
        self.changes += 1

    def marks(self, name: str) -> dict[str, Any]:
        """What ``name`` would be made from now; kept while a job runs, and given to :meth:`put` with its result."""
        return {parent: self._mark(parent) for parent in PARENTS[name]}

    def put(self, name: str, value: Any, marks: dict[str, Any]) -> None:
        """Set a result that was begun when things stood as ``marks`` say: out of date at once where they changed meanwhile."""
        setattr(self, name, value)
        self._made_from[name] = marks
        self.changes += 1

    def _mark(self, name: str) -> Any:
        """What tells one value from another: a mapping made again the same way is the same."""
        value = getattr(self, name)
        return store.identity(value) if name == "mapping" else value

    def stale(self, name: str) -> bool:
        """Whether ``name`` is there but something that it was made from has changed since."""
        if getattr(self, name) is None:
            return False
        made_from = self._made_from.get(name, {})
        return any(self._mark(parent) != mark or self.stale(parent) for parent, mark in made_from.items())

    def has(self, name: str) -> bool:
        """Whether ``name`` is there and up to date."""
        return getattr(self, name) is not None and not self.stale(name)

    def adopt(self, call: tuple[str, dict], system: Any, all_atom: Any = None, frames: dict[str, str] | None = None) -> None:
        """Work on another system from now on, and on its frames where it comes with some; the jobs of the last one are let go."""
        self.system_call, self.frames, self.jobs = call, frames, {}
        self.system = system
        if all_atom is not None:
            self.all_atom = all_atom
        self.save()

    def project(self) -> Any:
        """The reference data of the mapping and frames of now, projected when first needed."""
        if not self.has("data"):
            self.data = projection.project(self.all_atom, self.mapping)
        return self.data

    def job_folder(self, step: str, verb: str, inputs: tuple) -> pathlib.Path:
        """A folder of its own for every identity of a job: two settings never share one."""
        return self.folder / step / store.identity(verb, inputs)[:8]

    def start(self, step: str, verb: str, *inputs: Any) -> jobs.Job:
        """Start a job of ``step`` in a folder of its own (every identity has one: two settings never share it) and remember it."""
        folder = self.folder / step / store.identity(verb, inputs)[:8]
        job = jobs.start(verb, *inputs, folder=folder)
        self.jobs[step] = folder
        if step == "reference":
            self.frames = None
        self.save()
        return job

    def attach(self, step: str) -> jobs.Job | None:
        """The job of a step as it was left, or None."""
        return jobs.attach(self.jobs[step]) if step in self.jobs else None

    def inputs(self, step: str) -> tuple:
        """What the job of a step was started with: what it works on, and its settings last."""
        return store.load(self.jobs[step] / "inputs")

    def checkpoint_code(self, step: str, settings: Any) -> str:
        """The argument that lets a call find the run that this session made with these settings; '' where it made none."""
        job = self.attach(step)
        if job is None or self.inputs(step)[-1] != settings:
            return ""
        return f', checkpoint="{job.checkpoint}"'

    def save(self) -> None:
        """Remember system, mapping, frames and jobs in the folder."""
        body = {
            "system": self.system_call,
            "frames": self.frames,
            "jobs": {step: str(path.relative_to(self.folder)) for step, path in self.jobs.items()},
        }
        if self.has("mapping"):
            store.save(self.mapping, self.folder / "mapping.json")
        store.write_bytes(self.folder / "session.json", json.dumps(body, indent=1).encode())

    def restore(self) -> None:
        """Load what was remembered here, if anything was, up to the last finished job. Raises ``ValueError`` where it is damaged."""
        path = self.folder / "session.json"
        if not path.exists():
            return
        body = store.read_json(path)
        if body["system"]:
            name, options = body["system"]
            method = rooms.method("systems", name)
            self.system_call = name, options
            self.system = method.load(_settings.from_dict(method.Settings, options))
            self._restore_mapping()
        if body.get("frames"):
            self.frames = body["frames"]
            self.all_atom = store.load(self.folder / self.frames["folder"])
        for step, name in STEPS.items():
            where = self.folder / body["jobs"].get(step, "-")
            if (where / "job.json").exists():
                self.jobs[step] = where
                job = jobs.attach(where)
                if job.state == "finished":
                    setattr(self, name, job.result())
            if step == "reference" and self.has("all_atom") and self.mapping is not None:
                with contextlib.suppress(ValueError):  # whoever starts a fit is told why they do not go together
                    self.project()
        if self.has("data") and self.has("model"):
            self.report = report.load(self.data, self.model, self.folder / "report")

    def _restore_mapping(self) -> None:
        """The mapping that was saved last, unless it was made for another system."""
        if (self.folder / "mapping.json").exists():
            mapping = store.load(self.folder / "mapping.json")
            with contextlib.suppress(ValueError):
                mapping.beads(self.system)
                self.mapping = mapping
