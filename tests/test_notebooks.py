"""Every notebook runs from top to bottom at its smallest size; its last act is to assert its own claim."""

import pathlib
import time

import nbformat
import papermill
import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stripped_and_says_what_can_be_set(path):
    notebook = nbformat.read(path, as_version=4)
    assert len(notebook.cells) <= 20
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert {"preset", "seed", "folder"} <= set(papermill.inspect_notebook(str(path)))


# Jupyter's own client warns that messages between processes of this machine are not encrypted
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    began = time.monotonic()
    executed = papermill.execute_notebook(
        str(path),
        str(tmp_path / path.name),
        {"preset": "smoke", "folder": str(tmp_path / "run")},
        cwd=str(path.parent),
        kernel_name="python3",
        progress_bar=False,
    )
    assert time.monotonic() - began < 240  # under 60 s on two free cores
    printed = "".join(o.get("text", "") for cell in executed.cells for o in cell.get("outputs", ()) if o.output_type == "stream")
    assert "the claim holds" in printed
    reports = list((tmp_path / "run").rglob("report.html"))
    assert bool(reports) == any("validation.report(" in cell.source for cell in executed.cells)
    assert "image/png" in executed.cells[-1].outputs[-1].data  # a shared or printed notebook shows a picture, also of a panel
