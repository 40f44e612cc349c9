# `make run` and `make test` each do all set-up; `make quick` is `make test` without what takes seconds each. PYTHON names the interpreter to build the environment with.
PYTHON ?= python3
PY := .venv/bin/python
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# some 250 tests start Python anew: without compiled modules each would compile torch again, for seconds
unexport PYTHONDONTWRITEBYTECODE
UV := .venv/bin/uv pip install --quiet --python $(PY) -c constraints.txt

.PHONY: run test quick clean

run: .venv/run.stamp
	$(PY) -m pipeline run configs/satellite.yaml

quick: SOME := -m "not slow"
test quick: .venv/dev.stamp
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	$(PY) -m pytest -n auto $(SOME)

.venv/uv.stamp:
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet uv
	touch $@

.venv/run.stamp: .venv/uv.stamp pyproject.toml constraints.txt
	$(UV) -e .
	touch $@

.venv/dev.stamp: .venv/uv.stamp pyproject.toml constraints.txt
	$(UV) -e ".[dev,readers,dashboard]"
	touch $@ .venv/run.stamp

clean:
	rm -rf .venv out
