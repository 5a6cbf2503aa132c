# Everything happens in .venv, made from the first Python >= 3.11 found (or `make PYTHON=... demo`).
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# packages to install in addition to the test requirements, e.g. WITH=torch
WITH ?=
BIN := .venv/bin
C_FILES := $(wildcard src_c/*.h src_c/*/*.c src_c/*/*.h tests/c/*.c tests/c/*.h bench/*.c bench/rivals/*.c)
BUILT_FROM := pyproject.toml setup.py $(wildcard src_c/*.h src_c/*/* fastbp/_core/*.pyx fastbp/_core/*.pxd)

.PHONY: demo test promises fuzz bench bench-targets bench-kernels bench-products lint docs wheel sanitize clean

PENGUINS := fastbp/datasets/penguins.csv
demo: .venv/package  ## train on handwritten digits, and on a table of penguins
	$(BIN)/fastbp demo
	$(BIN)/fastbp train $(PENGUINS) --target species --impute --output fastbp-demo.safetensors
	$(BIN)/fastbp predict fastbp-demo.safetensors $(PENGUINS) | head -n 4

test: .venv/test  ## run all tests
	$(if $(WITH),$(BIN)/pip install -q $(WITH))
	$(BIN)/python -m pytest

promises: .venv/test  ## run all tests of promises, the slow ones too: interrupt every line, flip many bits, kill often
	$(BIN)/python -m pytest tests/promises tests/files tests/fuzz -m 'slow or not slow'

SECONDS ?= 60
SEED ?= 0
fuzz: .venv/test  ## call every public function with random arguments: `make fuzz SECONDS=600 SEED=1`
	PYTHONPATH=tests $(BIN)/python -P -m fuzz.campaign --seconds $(SECONDS) --seed $(SEED)

# `make .venv/rivals bench` installs the rivals first; of those that are missing, the tables say so. Each run writes its
# part of the results of this kind of processor, bench/results/<vendor-family-model>.json.
RIVALS := $(addprefix bench/bench_,training.py inference.py threads.py)
EXTRAS := $(addprefix bench/bench_,accuracy.py memory.py footprint.py)
bench: .venv/bench  ## time fastbp and the installed rivals, update the tables and pictures of the pages
	BENCH_PART=rivals $(BIN)/python -m pytest $(RIVALS) --benchmark-quiet
	BENCH_PART=growth $(BIN)/python -m pytest bench/bench_growth.py --benchmark-quiet
	BENCH_PART=extras $(BIN)/python -m pytest $(EXTRAS) --benchmark-quiet
	$(BIN)/python tools/generate.py

# The trainings and predictions where fastbp is to be faster than every other library. Stores nothing.
TARGETS := (test_training or test_two_threads or test_inference or squares) \
	and (NumPy or JAX or PyTorch or onnxruntime) and not (installed or compiled or seed or test_inference[rl)
bench-targets: .venv/bench  ## time fastbp and its fastest rivals, from small networks to 4096 units, on 1 and 2 threads
	$(BIN)/python -m pytest --benchmark-quiet -k "$(TARGETS)" \
	$(addprefix bench/bench_,training.py squares.py inference.py)

bench-kernels: .venv/bench  ## time each kernel except the products alone, as a share of its limit
	BENCH_PART=kernels $(BIN)/python -m pytest bench/bench_kernels.py

bench-products: .venv/bench  ## time each matrix product alone, as a share of the peak and beside NumPy's
	BENCH_PART=products $(BIN)/python -m pytest bench/bench_products.py -k "best and float32"

lint: .venv/lint  ## check formatting, lint rules and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(C_FILES)

docs: .venv/package  ## update the generated parts of the pages
	$(BIN)/python tools/generate.py

wheel: .venv/build  ## build an sdist, and a wheel from it, in dist/
	$(BIN)/python -m build

# Build the C code with AddressSanitizer and UndefinedBehaviorSanitizer in a separate directory, and run the tests
# twice: the second time on the baseline path, because the sanitizers miss masked loads and stores. Tests of how fast Ctrl-C
# works (take_seconds) are left out: this build is too slow for them.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
sanitize: .venv/test .venv/build  ## run all tests under the sanitizers
	CFLAGS="$(SANITIZERS) -g -O1" LDFLAGS="$(SANITIZERS)" \
	$(BIN)/python setup.py -q build --build-base build/sanitize --build-lib build/sanitize/lib
	for isa in '' baseline; do \
	FASTBP_ISA=$$isa LD_PRELOAD="$$(gcc -print-file-name=libasan.so) libstdc++.so.6" ASAN_OPTIONS=detect_leaks=0 \
	PYTHONMALLOC=malloc PYTHONPATH=$(CURDIR)/build/sanitize/lib $(BIN)/python -P -m pytest --capture=sys \
	-k 'not take_seconds' || exit; done

clean:
	rm -rf .venv build dist fastbp.egg-info fastbp/_core/*.so

# .venv/NAME is made once the dependency group NAME of pyproject.toml is installed
.venv/%: .venv/package
	$(BIN)/pip install -q --group $*
	@touch $@

.venv/package: .venv/python $(BUILT_FROM)
	$(BIN)/pip install -q -e .[plot,progress]
	@touch $@

.venv/python:
	$(if $(PYTHON),,$(error fastbp needs Python 3.11 or newer: make PYTHON=/path/to/python3.12))
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	echo "This Python cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	$(BIN)/pip install -q --upgrade 'pip>=25.1'
	@touch $@
.PRECIOUS: .venv/%
