"""JupyterLab in a real browser, as the browser tests drive it: a notebook in a page, and what must hold on every screen.

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


@pytest.fixture(scope="module")
def artefacts():
    """Where screenshots go."""
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
    """Chromium."""
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


def until(condition, what, timeout=60):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"after {timeout} s still not: {what}"
        time.sleep(0.2)
