# make build | test | laws OP=conv2d | bench OP=conv2d | asan | lint | types | docs | ci | clean
PY ?= python3

build:                  ## compile in place
	$(PY) setup.py build_ext --inplace

test: build             ## everything
	$(PY) -m pytest

laws: build             ## the laws and the sabotage of one op: make laws OP=conv2d
	$(PY) -m pytest tests/test_laws.py tests/test_sabotage.py -k "$(OP)"

levels: build           ## the laws at every level of x86-64
	for level in portable avx2 avx512; do FASTNN_ISA=$$level $(PY) -m pytest -q tests/test_laws.py || exit 1; done

bench: build            ## pytest-benchmark tables: make bench OP=conv2d
	$(PY) -m pytest benchmarks --benchmark-only -k "$(OP)"

readme:                 ## the README's speed section from benchmarks/results
	$(PY) benchmarks/readme.py

asan:                   ## the laws under AddressSanitizer and UndefinedBehaviorSanitizer
	rm -rf build/temp.* && FASTNN_REQUIRE=1 FASTNN_SANITIZE=1 $(PY) setup.py -q build_ext --inplace --force
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	  PYTHONMALLOC=malloc $(PY) -m pytest -q tests/test_laws.py -p no:benchmark -o addopts=""
	rm -rf build/temp.* fastnn/_kernels*.so

lint:
	ruff check .

types:
	$(PY) -m mypy

docs:                   ## the examples in docstrings and pages
	$(PY) -m pytest -q --doctest-modules fastnn --ignore=fastnn/__main__.py

ci:
	bash .ci/run

clean:
	rm -rf build dist *.egg-info fastnn/_kernels*.so fastnn/kernels/_kernels.c

.PHONY: build test laws levels bench readme asan lint types docs ci clean
