PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PRESET ?= demo
RUN := runs/quickstart-$(PRESET)

.PHONY: quickstart test lab check clean

quickstart: $(VENV)/installed  ## run the quickstart notebook and say where its report is
	$(BIN)/python -m workbench quickstart --preset $(PRESET) --folder $(RUN)

test: $(VENV)/installed  ## run every test
	$(BIN)/python -m pytest

lab: $(VENV)/installed  ## open JupyterLab on the quickstart, bound to localhost with its token
	$(BIN)/jupyter lab --ip=127.0.0.1 $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_quickstart.ipynb

check: $(VENV)/installed  ## lint, format, stripped notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify notebooks/*.ipynb

# torch comes first and pinned: an open range could pull gigabytes of CUDA packages
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); test "$$(id -u)" = 0 && apt-get install -y -qq python3-venv && \
	  $(PYTHON) -m venv $(VENV); } || { echo "Debian keeps venv in a package of its own: apt-get install python3-venv, then make again"; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:  ## remove the environment; runs are kept
	rm -rf $(VENV)
