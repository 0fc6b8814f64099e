"""Wall time of the quickstart after installation, from the command to the report, and what the report says.

python -m tests.benchmarks.quickstart --presets smoke demo
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from tests.benchmarks import _record


def main() -> None:
    """Run each preset in an empty folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["smoke", "demo"], choices=("smoke", "demo"))
    figures = {}
    for preset in parser.parse_args().presets:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "workbench", "quickstart", "--preset", preset, "--folder", folder], check=True)
            seconds = time.perf_counter() - began
            report = json.loads((pathlib.Path(folder) / "report" / "report.json").read_text())
        scores = {c["name"]: {k: c[k] for k in ("score", "error", "floor", "threshold", "passed")} for c in report["comparisons"]}
        figures[preset] = {"seconds": seconds, "report_passed": report["passed"], "comparisons": scores}
    _record.write("quickstart", figures, 0)


if __name__ == "__main__":
    main()
