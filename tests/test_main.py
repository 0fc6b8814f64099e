"""The command line: what it refuses, in one sentence and with a status of its own."""

import nbformat

from workbench.__main__ import main


def notebook(path, source, tags=("parameters",)):
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.cells = [
        nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}),
        nbformat.v4.new_code_cell("print(preset)\nassert seed == 0, 'no luck'"),
    ]
    nbformat.write(made, path)
    return str(path)


def test_a_missing_notebook_is_one_sentence(tmp_path, capsys):
    assert main(["quickstart", "--notebook", str(tmp_path / "none.ipynb"), "--folder", str(tmp_path / "run")]) == 2
    assert "does not exist: call this from the top of the repository" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_notebook_without_the_parameters_is_refused_before_it_runs(tmp_path, capsys):
    path = notebook(tmp_path / "a.ipynb", "seed = 0")
    assert main(["quickstart", "--notebook", path, "--folder", str(tmp_path / "run")]) == 2
    assert "has no parameter named folder, preset" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_prints_where_its_notebook_and_reports_are(tmp_path, capsys):
    path = notebook(tmp_path / "a.ipynb", "preset = 'demo'\nfolder = '.'\nseed = 0")
    assert main(["quickstart", "--notebook", path, "--folder", str(tmp_path / "run"), "--preset", "smoke"]) == 0
    assert f"executed notebook: {tmp_path / 'run' / 'a.ipynb'}" in capsys.readouterr().out


def test_a_failing_cell_gives_its_sentence_and_the_notebook_so_far(tmp_path, capsys):
    path = notebook(tmp_path / "a.ipynb", "preset = 'demo'\nfolder = '.'\nseed = 1")
    assert main(["quickstart", "--notebook", path, "--folder", str(tmp_path / "run")]) == 1
    assert "AssertionError: no luck" in capsys.readouterr().err
    assert (tmp_path / "run" / "a.ipynb").exists()
