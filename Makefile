# make demo | make test | make test-all | make faults | make bench | make lint | make docs | make lock | make clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VOX := .venv/bin/vox
UV := .venv/bin/uv
ROOMS := cli evaluation producer fleet relay workers training checks monitoring

.PHONY: demo test test-all faults bench lint docs package environments lock clean

# The two bundled clips, or:  make demo SOURCE=a.wav VOICE=b.wav OUT=c.wav
demo: environments
ifdef SOURCE
	$(VOX) convert "$(SOURCE)" --voice "$(VOICE)" -o "$(OUT)" --cold
else
	$(VOX) convert examples/male.ogg --voice examples/female.ogg -o demo-male-to-female.wav --cold
	$(VOX) convert examples/female.ogg --voice examples/male.ogg -o demo-female-to-male.wav --cold
endif

# Three at a time on two cores: most tests wait for workers to come up, or for one that is gone to be missed.
SIDE_BY_SIDE := -n 3 --dist loadgroup --no-loadscope-reorder
test: lint environments
	.venv/bin/pytest $(SIDE_BY_SIDE) -m "not slow"

test-all: lint environments
	.venv/bin/pytest $(SIDE_BY_SIDE)

# What docs/reliability.md tells, at full size: two hours on two cores. Each ends with 1 if a bound is missed.
FAULTS := faults.kills faults.lost faults.outages faults.partitions faults.hosts faults.walkaway faults.interrupted \
  limits.rows limits.scaling limits.length limits.fairness limits.seams limits.loudness limits.memory limits.batches
SEED ?= 0
faults: environments .venv/dev
	@missed=; for each in $(FAULTS); do \
	  PYTHONPATH=tests .venv/bin/python -m $$each --seed $(SEED) || missed="$$missed $$each"; \
	done; test -z "$$missed" || { echo "missed:$$missed"; exit 1; }

# What docs/performance.md tells, on a machine that does nothing else; ends with 1 if a bound is missed.
BENCH := hop chain throughput scaling
bench: environments .venv/dev
	@missed=; for each in $(BENCH); do .venv/bin/python benchmarks/$$each.py || missed="$$missed $$each"; done; \
	  .voxrelay/envs/content-transformers/bin/python -P benchmarks/gpu.py || missed="$$missed gpu"; \
	  test -z "$$missed" || { echo "missed:$$missed"; exit 1; }

lint: .venv/dev package
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	MYPYPATH=.voxrelay/src .venv/bin/mypy -p voxrelay

# The site in build/docs; fails if a link leads nowhere. `make docs && xdg-open build/docs/index.html`
docs: .venv/dev package
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

# mypy and mkdocstrings do not follow the finder of an editable install: they are shown the package as links.
package:
	@mkdir -p .voxrelay/src/voxrelay
	@ln -sfn $(addprefix $(CURDIR)/,$(ROOMS) api/__init__.py api/py.typed) .voxrelay/src/voxrelay/

environments: .venv/user
	$(VOX) env build

.venv/uv:
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	@touch $@

# Compiled at once: where PYTHONDONTWRITEBYTECODE is set, every `vox` would compile anew, for half a second.
INSTALL := $(UV) pip install --quiet --compile-bytecode --python .venv/bin/python --constraint requirements.lock
.venv/user: .venv/uv pyproject.toml requirements.lock
	$(INSTALL) --editable .
	.venv/bin/python -m compileall -q api $(ROOMS)
	@touch $@

.venv/dev: .venv/user
	$(INSTALL) --editable ".[dev]"
	@touch $@

# Resolve every lock anew, with the CPU build of torch: its build tag is cut off, the machine chooses it.
TORCH := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS),--torch-backend cpu)
lock: .venv/uv
	$(UV) pip compile --quiet --upgrade --python-version 3.11 --no-header --no-annotate --no-emit-find-links --extra dev pyproject.toml -o requirements.lock
	@for wanted in workers/speaker/*.in workers/content/*.in workers/mel/*.in workers/vocoder/*.in training/*.in checks/*.in monitoring/*.in; do \
	  base=$${wanted%.in}; overrides=$$base.overrides; \
	  $(UV) pip compile --quiet --upgrade --python-version 3.11 --no-header --no-annotate --no-emit-find-links \
	    $(TORCH) $$(test -f $$overrides && echo --overrides $$overrides) $$wanted -o $$base.lock || exit 1; \
	  sed -i 's/^\(torch==[^+]*\)+.*/\1/' $$base.lock; \
	done

# Weights and saved voices stay: they cannot be built again.
clean:
	test ! -d .voxrelay || find .voxrelay -mindepth 1 -maxdepth 1 ! -name models ! -name models.lock ! -name voices -exec rm -rf {} +
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache demo-*.wav
