# `make run` and `make test` each do all set-up. PYTHON names the interpreter to build the environment with.
# quick: no processes and no servers. test: what every change must pass. nightly: all there is; it names the programs that it needs.
PYTHON ?= python3
PY := .venv/bin/python
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# what tests start would compile its imports each time, for seconds
unexport PYTHONDONTWRITEBYTECODE
UV := .venv/bin/uv pip install --quiet --python $(PY) -c constraints.txt
# once, for those who forbid Python to write what it compiles: a command would compile the package for two seconds
COMPILE := $(PY) -m compileall -q -j 0 pipeline
GROUPS :=
# one more worker than cores: some tests wait for time-outs, servers and processes
WORKERS := $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

TIERS := quick test nightly
.PHONY: run slide clouds $(TIERS) $(TIERS:%=pytest-%) groups programs lint docs clean

run: .venv/run.stamp
	$(PY) -m pipeline run configs/satellite.yaml

# a slide of stained tissue, and its mask with outlines for QuPath
slide: .venv/slide.stamp
	$(PY) -m pipeline sample slide out/sample
	$(PY) -m pipeline run configs/slide.yaml

# clouds and shadows by a real public network, on the built-in scene
clouds: .venv/clouds.stamp
	$(PY) -m pipeline run configs/clouds.yaml

# types are checked beside the tests, on the core that pytest leaves idle while it collects
$(TIERS): .venv/dev.stamp
	@$(MAKE) --no-print-directory --jobs=2 lint pytest-$@

# compiled once, since workers that start together would each compile the package
$(TIERS:%=pytest-%): pytest-%: .venv/dev.stamp
	@$(PY) -m compileall -q pipeline benchmarks
	$(PY) -m pytest -n $(WORKERS) --tier $* --durations=20

nightly groups: programs

programs:
	$(PYTHON) -m tests.programs $(GROUPS)

# the nightly tests of some groups alone: make groups GROUPS="kills compile"
groups: .venv/dev.stamp
	$(PY) -m pytest -n $(WORKERS) $(GROUPS:%=--group %) --durations=20

lint: .venv/dev.stamp
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

# the site, with every link and anchor checked; needs no network once it is installed. With --quiet, --strict would count no warnings
docs: .venv/docs.stamp
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict
	@echo "site: out/site/index.html"

.venv/uv.stamp:
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet uv
	touch $@

.venv/run.stamp: .venv/uv.stamp pyproject.toml constraints.txt
	$(UV) -e .
	$(COMPILE)
	touch $@

.venv/slide.stamp: .venv/uv.stamp pyproject.toml constraints.txt
	$(UV) -e ".[slides,vector]"
	$(COMPILE)
	touch $@ .venv/run.stamp

.venv/dev.stamp: .venv/uv.stamp pyproject.toml constraints.txt
	$(UV) -e ".[dev,readers,dashboard]"
	$(COMPILE)
	touch $@ .venv/run.stamp .venv/slide.stamp

.venv/clouds.stamp: .venv/uv.stamp pyproject.toml constraints.txt
	$(UV) -e ".[clouds]"
	$(COMPILE)
	touch $@ .venv/run.stamp

# apart from dev, since no test needs it and it takes 140 MB
.venv/docs.stamp: .venv/uv.stamp pyproject.toml constraints.txt
	$(UV) -e ".[docs]"
	touch $@ .venv/run.stamp

clean:
	rm -rf .venv out
