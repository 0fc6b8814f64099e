"""``python -m workbench quickstart``: run the quickstart notebook with other parameters and say where its results are."""

import argparse
import pathlib
import sys
import time


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m workbench", description="Coarse-graining workbench")
    commands = parser.add_subparsers(dest="command", required=True)
    quick = commands.add_parser("quickstart", help="alanine dipeptide from all-atom sampling to a report")
    quick.add_argument("--preset", default="demo", choices=("smoke", "demo", "paper"), help="size of the run (default: demo)")
    quick.add_argument("--folder", default="runs/quickstart", help="where results go (default: runs/quickstart)")
    quick.add_argument("--notebook", default="notebooks/00_quickstart.ipynb", help="the notebook to run")
    given = parser.parse_args(arguments)
    try:
        return quickstart(pathlib.Path(given.notebook), given.preset, pathlib.Path(given.folder))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def quickstart(notebook: pathlib.Path, preset: str, folder: pathlib.Path) -> int:
    """Execute ``notebook`` through papermill with a progress bar; prints the executed notebook and the report.

    Raises ``ValueError`` where the notebook is missing or lacks a parameter.
    """
    import papermill

    if not notebook.exists():
        raise ValueError(f"{notebook} does not exist: call this from the top of the repository, or name it with --notebook.")
    folder = folder.resolve()
    parameters = {"preset": preset, "folder": str(folder)}
    unknown = set(parameters) - set(papermill.inspect_notebook(str(notebook)))
    if unknown:
        raise ValueError(f"{notebook} has no parameter named {', '.join(sorted(unknown))}.")
    folder.mkdir(parents=True, exist_ok=True)
    executed = folder / notebook.name
    began = time.perf_counter()
    try:
        papermill.execute_notebook(
            str(notebook), str(executed), parameters, kernel_name="python3", cwd=str(notebook.parent), progress_bar=True
        )
    except papermill.PapermillExecutionError as error:
        print(f"\n{error.ename}: {error.evalue}\nthe notebook up to there: {executed}", file=sys.stderr)
        return 1
    print(f"\ndone in {time.perf_counter() - began:.0f} s")
    print(f"executed notebook: {executed}")
    for report in sorted(folder.rglob("report.html")):
        print(f"report:            {report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
