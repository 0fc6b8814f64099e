"""Molecules in three dimensions, by NGL (Rose et al., Bioinformatics 34, 3755 (2018)): picking atoms, drawing beads, playing frames.

NGL counts in angstrom; everything that comes in here is in nm.
"""

import json
import warnings
from collections.abc import Callable, Sequence

import ipywidgets as ipw
import numpy as np

from widgets import frame
from workbench import units
from workbench.systems._pdb import pdb_text
from workbench.types import Beads, System

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks a deprecated package for its own version
    import nglview

MOST_ATOMS = 6000
"""More atoms than this are not drawn; the first molecules are."""

# Atoms coloured one by one, bonds between them, the names of the heavy ones, and one translucent sphere a bead. Only atoms can be
# picked, so that a click goes through the rest; the default click would move the camera. At first the molecule is turned flat.
PAINT = """/* paint */ (function(view, scene) {
  const stage = view.stage;
  stage.mouseControls.remove('clickPick-left');
  const molecule = stage.compList[0];
  if (!molecule) return;
  const id = NGL.ColormakerRegistry.addScheme(function() {
    this.atomColor = atom => scene.colours[atom.index];
  });
  molecule.removeAllRepresentations();
  molecule.addRepresentation('spacefill', {color: id, radiusType: 'vdw', radiusScale: 0.24});
  molecule.addRepresentation('licorice', {color: id, radiusType: 'size', radiusSize: 0.09, multipleBond: 'off', disablePicking: true});
  if (scene.colours.length < 200) molecule.addRepresentation('label', {sele: 'not _H', labelType: 'atomname', color: 'black',
    radiusType: 'size', radiusSize: 1.5, attachment: 'bottom-left', xOffset: 0.3, yOffset: 0.2, zOffset: 1.0, disablePicking: true});
  stage.compList.filter(c => c.name === 'beads').forEach(c => stage.removeComponent(c));
  if (scene.spheres.length) {
    const shape = new NGL.Shape('beads');
    const join = name => new Float32Array(scene.spheres.flatMap(s => s[name]));
    shape.addBuffer(new NGL.SphereBuffer({position: join('at'), color: join('rgb'), radius: join('radius')}));
    stage.addComponentFromObject(shape).addRepresentation('buffer', {opacity: 0.35, depthWrite: false});
  }
  if (!stage.turned) {
    stage.turned = true;
    stage.signals.clicked.add(pick => {
      if (pick && pick.atom) view.send({type: 'pick', atom: pick.atom.index, shift: pick.shiftKey});
    });
    const turn = () => stage.viewerControls.rotate(molecule.structure.getPrincipalAxes().getRotationQuaternion());
    FOLLOW
  }
  window.cgwStage = stage;
})(this, SCENE);"""
FOLLOW = """stage.setParameters({clipDist: 0, fogNear: 100});  // small molecules are seen from near by
    const place = stage.viewer.container, height = place.style.height;
    let width = place.clientWidth;
    new ResizeObserver(() => {
      const before = width;
      width = place.clientWidth;
      if (!width) return;
      place.style.width = '100%';
      place.style.height = height;  // a window that changed its size while this was hidden left nothing of it
      stage.handleResize();
      if (!before) look();  // made in a hidden place: there was no camera to speak of
    }).observe(place);
    const look = () => {
      stage.viewerControls.orient(new NGL.Matrix4());
      turn();
      stage.compList[0].autoView();
      stage.viewerControls.zoom(0.1);
    };
    look();"""
PAINT = PAINT.replace("FOLLOW", FOLLOW)


class MoleculeView(ipw.VBox):
    """A system in three dimensions. ``on_pick(atom, shift)`` is called with the index of a clicked atom, and whether Shift was down."""

    def __init__(self, on_pick: Callable[[int, bool], None] | None = None, height: str = "calc(var(--cgw-height, 450px) - 36px)"):
        self._on_pick, self._height = on_pick, height
        self._view: nglview.NGLWidget | None = None
        self.atoms = np.zeros(0, np.int64)
        super().__init__()

    def show(self, system: System, atoms: Sequence[int]) -> None:
        """Draw these atoms of ``system`` (the first few thousand of them)."""
        self.atoms = np.asarray(atoms, np.int64)[:MOST_ATOMS]
        self._view = _stage(self._height)
        self._view.add_structure(nglview.TextStructure(pdb_text(system, self.atoms)), default_representation=False)
        self._view.center()
        self._view.on_msg(self._heard)
        self.children = [self._view]

    def paint(self, colours: Sequence[str], spheres: Sequence[tuple[np.ndarray, float, str]]) -> None:
        """Colour every drawn atom, and draw spheres (centre [nm], radius [nm], colour)."""
        if self._view is None:
            return
        scene = {
            "colours": [int(colour[1:], 16) for colour in colours],
            "spheres": [
                {"at": (np.asarray(at) / units.ANGSTROM).tolist(), "radius": radius / units.ANGSTROM, "rgb": rgb(colour)}
                for at, radius, colour in spheres
            ],
        }
        self._view._ngl_msg_archive = [m for m in self._view._ngl_msg_archive if m["methodName"] != "executeCode"]
        waiting = self._view._ngl_displayed_callbacks_before_loaded
        waiting[:] = [call for call in waiting if call._method_name != "executeCode"]
        self._view._execute_js_code(PAINT.replace("SCENE", json.dumps(scene)), fire_embed=True)

    def _heard(self, _: ipw.Widget, message: dict, buffers: list) -> None:
        if message.get("type") == "pick" and self._on_pick:
            self._on_pick(int(self.atoms[int(message["atom"])]), bool(message["shift"]))


def _stage(height: str) -> nglview.NGLWidget:
    """An empty stage as wide as its place."""
    view = nglview.NGLWidget()
    view._view_width, view._view_height = "100%", height
    view.camera = "perspective"
    return view


def rgb(colour: str) -> list[float]:
    """``"#0072B2"`` as three numbers from 0 to 1."""
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


class _Frames(nglview.Trajectory):
    """Frames of beads for NGL, each laid over the first; they can be exchanged while they play."""

    def __init__(self, beads: Beads, positions: np.ndarray):
        self.ext, self.params, self.shown = "pdb", {}, True
        self.id = "frames"
        self.beads = beads
        self.put(positions)

    def put(self, positions: np.ndarray) -> None:
        """Other frames (F, B, 3) [nm]."""
        centred = positions - positions.mean(1, keepdims=True)
        _, _, axes = np.linalg.svd(centred[0])  # the first frame lies flat, its longest side from left to right
        flat = centred[0] @ axes.T * [1, 1, np.linalg.det(axes)]
        self.coordinates = np.stack([_superpose(x, flat) for x in centred]) / units.ANGSTROM

    def get_coordinates(self, index: int) -> np.ndarray:
        return self.coordinates[index].astype(np.float32)

    @property
    def n_frames(self) -> int:
        return len(self.coordinates)

    def get_structure_string(self) -> str:
        lines = [
            f"HETATM{i + 1:5d}  C   BEA A{int(molecule) % 9999 + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           C"
            for i, (molecule, (x, y, z)) in enumerate(zip(self.beads.molecule, self.coordinates[0], strict=True))
        ]
        lines += [f"CONECT{i + 1:5d}{j + 1:5d}" for i, j in self.beads.bonds]
        return "\n".join([*lines, "END", ""])


def _superpose(x: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """``x`` turned onto ``onto``, both (B, 3) and centred (Kabsch, Acta Cryst. A32, 922 (1976))."""
    u, _, v = np.linalg.svd(x.T @ onto)
    u[:, -1] *= np.sign(np.linalg.det(u @ v))
    return x @ u @ v


class Playback(ipw.VBox):
    """Frames of beads that play in three dimensions; new frames can arrive while they do."""

    def __init__(self, height: str = "calc(0.4 * var(--cgw-height, 475px))"):
        self._height = height
        self._frames: _Frames | None = None
        super().__init__()

    def show(self, beads: Beads, positions: np.ndarray) -> None:
        """Play frames (F, B, 3) [nm] of ``beads``."""
        if self._frames is not None and self._frames.beads is beads:
            self._frames.put(positions)
            self._play.max = self._slider.max = self._view.max_frame = len(positions) - 1
            return
        self._frames = _Frames(beads, positions)
        self._view = _stage(self._height)
        self._view.add_trajectory(self._frames, default_representation=False)
        first = np.searchsorted(beads.molecule, beads.molecule)  # of the molecule of every bead
        colours = [frame.BEAD_COLOURS[bead % len(frame.BEAD_COLOURS)] for bead in np.arange(len(beads.molecule)) - first]
        self._view._execute_js_code(
            f"""(function(stage, colours) {{
  const id = NGL.ColormakerRegistry.addScheme(function() {{ this.atomColor = atom => colours[atom.index]; }});
  stage.compList[0].addRepresentation('ball+stick', {{color: id, radiusType: 'size', radiusSize: 0.14, aspectRatio: 2.6}});
  const turn = () => {{}};
  {FOLLOW}
}})(this.stage, {json.dumps([int(c[1:], 16) for c in colours])});""",
            fire_embed=True,
        )
        last = len(positions) - 1
        self._play = ipw.Play(min=0, max=last, interval=120, layout=ipw.Layout(width="auto"))
        self._slider = ipw.IntSlider(min=0, max=last, description="frame", layout=ipw.Layout(flex="1 1 auto", width="auto"))
        ipw.jslink((self._play, "value"), (self._slider, "value"))
        self._slider.observe(lambda change: setattr(self._view, "frame", min(change["new"], self._frames.n_frames - 1)), "value")
        self.children = [self._view, ipw.HBox([self._play, self._slider])]
