"""The workbench in a real browser: Chromium over JupyterLab on localhost, from a click on an atom to the report.

Screenshots go into the folder named by ``ARTEFACTS`` (default: artefacts/ in the repository). No request may leave the machine.
"""

import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
]
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
}
ATOMS = (4, 6, 8, 14, 16)


@pytest.fixture(scope="module")
def artefacts():
    folder = pathlib.Path(os.environ.get("ARTEFACTS") or pathlib.Path(__file__).parents[1] / "artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own: its root folder and the address that opens a notebook of it."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "Chromium is missing: install it (apt-get install chromium)."
        pytest.skip("Chromium is missing.")
    root = tmp_path_factory.mktemp("lab")
    for name, body in SETTINGS.items():
        path = root / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body))
    (root / "work").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root / 'work'}",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
    ]
    with open(root / "lab.log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            end = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                    break
                assert server.poll() is None and time.monotonic() < end, (root / "lab.log").read_text()
                time.sleep(0.2)
            yield root / "work", lambda name: f"{address}/lab/tree/{name}?token={token}&reset"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def browser(lab):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Notebook:
    """A notebook opened in a page of its own, all cells run."""

    def __init__(self, browser, lab, artefacts, name, cells):
        root, address = lab
        self.name, self.artefacts = name, artefacts
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, root / name)
        self.root, self.foreign, self.wrong = root, [], []
        self.page = browser.new_page(viewport={"width": 1280, "height": 800})
        self.page.on("request", self._request)
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.goto(address(name))
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        self.command("application:toggle-left-area")
        self.page.wait_for_function("!!window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel", timeout=60_000)
        self.command("notebook:run-all-cells")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.page.screenshot(path=self.artefacts / f"failed_{self.name}.png", timeout=20_000)
        self.page.close()

    def _request(self, request):
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.foreign.append(request.url)

    def command(self, name):
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def resize(self, width, height):
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_timeout(800)

    def pick_beads(self, atoms):
        """One bead for each atom, by clicking it on the canvas."""
        for count, atom in enumerate(atoms):
            if count:
                self.button("bead").click()
                self.page.wait_for_function("n => document.querySelectorAll('.cgw-bead').length === n", arg=count + 1)
            self.pick(atom)
            self.page.wait_for_function(
                "atom => document.querySelector('.cgw-field-atoms input').value === String(atom)", arg=atom, timeout=10_000
            )

    def pick(self, atom, shift=False):
        """Click the place of an atom on the canvas."""
        at = self.page.evaluate(
            """atom => {
                const stage = window.cgwStage, molecule = stage.compList[0].structure, proxy = molecule.getAtomProxy(atom);
                const place = stage.viewerControls.getPositionOnCanvas(proxy.positionToVector3());
                const box = stage.viewer.renderer.domElement.getBoundingClientRect();
                return [box.left + place.x, box.bottom - place.y];
            }""",
            atom,
        )
        self.page.mouse.move(*at)
        self.page.wait_for_timeout(150)
        self.page.keyboard.down("Shift") if shift else None
        self.page.mouse.click(*at)
        self.page.keyboard.up("Shift") if shift else None

    def button(self, name, within=".cgw"):
        return self.page.locator(f"{within} button").filter(has_text=re.compile(rf"^\s*{re.escape(name)}\s*$"), visible=True).first

    def step(self, name):
        self.page.locator(".cgw-steps button").filter(has_text=name).click()

    def fill(self, field, value):
        """Type into a field of the form that is shown."""
        box = self.page.locator(f".cgw-field-{field} input:visible").first
        box.fill(str(value))
        box.press("Tab")

    def says(self, text, timeout=60):
        """Wait until the visible status line holds ``text``."""
        self.page.locator(".cgw-status:visible").filter(has_text=text).first.wait_for(timeout=1000 * timeout)

    def shoot(self, name):
        """A screenshot at both sizes; each is checked."""
        for width, height in ((900, 700), (1280, 800)):
            self.resize(width, height)
            self.page.locator(".cgw-steps, .cgw").first.evaluate("e => e.scrollIntoView({block: 'start'})")
            self.page.wait_for_timeout(300)
            self.page.screenshot(path=self.artefacts / f"{name}_{width}x{height}.png")
            self.check()
            foot = self.page.locator(".cgw-foot:visible .cgw-status").first.bounding_box()
            assert foot["y"] + foot["height"] < height - 28, "the status is hidden below the window"

    def restart(self):
        """Restart the kernel and run the cell again."""
        self.command("notebook:clear-all-cell-outputs")
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.page.wait_for_selector(".cgw-steps", state="detached")
        self.command("notebook:run-all-cells")
        self.page.wait_for_selector(".cgw-steps", timeout=90_000)

    def check(self):
        """No traceback, no error in the console, nothing sideways, nothing from outside."""
        body = self.page.inner_text("body")
        assert "Traceback" not in body, body[body.index("Traceback") :][:2000]
        assert not self.foreign
        assert not self.wrong
        wide = self.page.evaluate(
            """() => [...document.querySelectorAll('.cgw, .cgw *')].filter(e => e.scrollWidth > e.clientWidth + 2
                && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).map(e => e.className)"""
        )
        assert not wide, wide


def _until(condition, what, timeout=60):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"after {timeout} s still not: {what}"
        time.sleep(0.2)


def test_five_beads_by_clicking_their_atoms(browser, lab, artefacts):
    cells = [
        "import widgets\nfrom workbench import systems\n"
        "panel = widgets.MappingPanel(systems.load('alanine_dipeptide'), folder='runs/mapping')\npanel"
    ]
    with Notebook(browser, lab, artefacts, "mapping.ipynb", cells) as book:
        page = book.page
        page.wait_for_function("window.cgwStage && window.cgwStage.compList.length > 0", timeout=90_000)
        page.wait_for_timeout(1500)
        camera = page.evaluate("window.cgwStage.viewerControls.getOrientation().elements.map(v => Math.round(v * 1e4))")
        book.pick_beads(ATOMS)
        assert page.evaluate("window.cgwStage.viewerControls.getOrientation().elements.map(v => Math.round(v * 1e4))") == camera
        page.wait_for_function("window.cgwStage.compList.some(c => c.name === 'beads')")
        page.wait_for_timeout(600)
        page.screenshot(path=artefacts / "mapping_1280x800.png")
        book.check()
        book.button("save").click()
        _until((lab[0] / "mapping.json").exists, "mapping.json")
        beads = json.loads((lab[0] / "mapping.json").read_text())["molecules"][0]["beads"]
        assert [bead["atoms"] for bead in beads] == [[atom] for atom in ATOMS]
        book.button("undo").click()
        page.wait_for_function("document.querySelector('.cgw-field-atoms input').value === ''")
        book.button("redo").click()
        page.wait_for_function("document.querySelector('.cgw-field-atoms input').value === '16'")
        book.pick(6)  # it stands in another bead: it moves, with a note
        page.wait_for_function("document.querySelector('.cgw-status').innerText.includes('moved from')", timeout=10_000)
        book.pick(8, shift=True)  # its whole residue
        page.wait_for_function("document.querySelector('.cgw-field-atoms input').value === '6-16'", timeout=10_000)
        book.button("undo").click()
        book.resize(900, 700)
        page.screenshot(path=artefacts / "mapping_900x700.png")
        book.check()


def test_the_whole_workbench_from_a_click_to_the_report(browser, lab, artefacts):
    cells = ["import widgets\nbench = widgets.Workbench('runs/bench')\nbench"]
    with Notebook(browser, lab, artefacts, "bench.ipynb", cells) as book:
        page = book.page
        page.wait_for_selector(".cgw-steps", timeout=90_000)
        assert book.button("Start").count() == 0  # the first step is the system
        book.button("Load").click()
        book.says("22 atoms")
        page.wait_for_function("window.cgwStage && window.cgwStage.compList.length > 0")
        book.shoot("1_system")

        book.step("Mapping")
        page.wait_for_function("document.querySelectorAll('.cgw-bead').length === 1")
        page.wait_for_timeout(2500)
        book.pick_beads(ATOMS)
        page.locator(".cgw-steps button").filter(has_text="5 beads").wait_for()
        book.shoot("2_mapping")

        book.step("Model")
        assert book.button("Start").is_disabled()
        assert "Sample the reference first" in book.button("Start").get_attribute("title")
        book.step("Reference")
        book.fill("n_frames", -1)
        page.locator(".cgw-bad:visible").filter(has_text="must be at least 1").first.wait_for()
        assert book.button("Start").is_disabled()
        book.fill("n_frames", 3000)
        book.fill("interval_ps", 0.1)
        book.button("Start").click()
        book.says("finished, saved in reference")
        book.shoot("3_reference")

        book.step("Model")
        book.fill("n_epochs", 300)
        book.fill("patience", 300)
        book.fill("n_threads", 1)
        book.button("Start").click()
        page.locator(".cgw-picture img:visible").first.wait_for()
        first = page.locator(".cgw-picture img:visible").first.get_attribute("src")
        page.wait_for_function(
            "src => [...document.querySelectorAll('.cgw-picture img')].some(i => i.offsetParent && i.src !== src)", arg=first
        )
        page.locator(".cgw-foot:visible").filter(has_text="left").first.wait_for(timeout=30_000)
        book.shoot("4_model_running")
        book.button("Cancel").click()
        book.says("cancelled, kept in")
        book.button("Start").click()
        book.says("running")
        book.says("finished, saved in fitting", 120)
        page.locator(".cgw-steps button").filter(has_text="of prior").wait_for()
        book.shoot("5_model")

        book.step("Simulate")
        book.fill("n_steps", 8000)
        book.fill("save_every", 100)
        book.fill("n_threads", 1)
        book.button("Start").click()
        book.says("this tab can be closed")
        book.restart()  # the job goes on without this kernel, and the workbench finds it
        book.step("Simulate")
        book.says("finished, saved in simulation", 120)
        page.locator(".cgw-picture canvas:visible").first.wait_for()
        book.shoot("6_simulate")

        book.step("Validate")
        book.button("Make the report").click()
        book.says("the report is", 60)
        frame = page.frame_locator(".cgw-picture iframe")
        frame.get_by_text("Jensen-Shannon", exact=False).first.wait_for(timeout=20_000)
        book.shoot("7_validate")
        book.button("Copy as code").click()
        page.locator(".cgw-code pre:visible").filter(has_text="validation.report(").wait_for()
        book.check()
        book.restart()
        page.locator(".cgw-steps button").filter(has_text=re.compile("fail|all pass")).wait_for()  # the report was found again
        page.frame_locator(".cgw-picture iframe").get_by_text("Jensen-Shannon", exact=False).first.wait_for(timeout=20_000)
        book.check()
    assert list((lab[0] / "runs" / "bench" / "report").glob("report.html"))
