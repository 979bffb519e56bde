# make build | test | laws OP=conv2d | levels | bench OP=conv2d | guard | results | readme | lint
# make types | docs | site | ci | clean
# faults in C: selftest | neon | i386 | tsan | function | asan | fuzz | clang | targets
# the environment that is active, else the one that CONTRIBUTING.md makes, else the Python that is
# there
PY ?= $(firstword $(wildcard $(VIRTUAL_ENV:%=%/bin/python) $(CURDIR)/.venv/bin/python) python3)

build:                  ## say what an op lacks, compile in place, write the stubs
	@$(PY) tools/places.py --build
	FASTNN_REQUIRE=1 $(PY) setup.py build_ext --inplace
	@$(PY) tools/stubs.py

test: build             ## everything
	$(PY) -m pytest -n 2

laws: build             ## the laws of one op, and that they notice: make laws OP=conv2d
	$(PY) -m pytest tests/laws tests/autograd/test_twice.py -k "$(OP)"

levels: build           ## the laws at every level of x86-64, of all ops or of one
	for level in portable avx2 avx512; do \
	  FASTNN_ISA=$$level $(PY) -m pytest -q tests/laws/test_laws.py -k "$(OP)" || exit 1; done

bench: build            ## pytest-benchmark tables: make bench OP=conv2d
	$(PY) -m pytest benchmarks --benchmark-only -k "$(OP)"

guard: build            ## counted instructions against the committed; UPDATE=1 writes them
	$(PY) tools/guard.py $(if $(UPDATE),--update)

# every table of benchmarks/results, an hour or less on a quiet machine:
# make results LEVELS="avx512 avx2" THREADS="1 2"
LEVELS ?= avx512 avx2
THREADS ?= 1 2
SAVE = --save benchmarks/results
results: build
	for isa in $(LEVELS); do for n in $(THREADS); do \
	  $(PY) -m fastnn bench --against torch,numpy,onnxruntime --isa $$isa --threads $$n $(SAVE); \
	  $(PY) -m fastnn bench memory --against torch --isa $$isa --threads $$n $(SAVE); \
	  $(PY) -m fastnn bench overhead --isa $$isa --threads $$n $(SAVE); \
	  $(PY) -m fastnn bench sweep --isa $$isa --threads $$n $(SAVE); \
	  test $$n = 1 || $(PY) -m fastnn bench scaling --against torch --isa $$isa --threads $$n $(SAVE); \
	done; done
	$(PY) tools/readme.py

# parts of the README, docs/ops.md, docs/speed.md, docs/api/models.md, benchmarks/results
readme:                 ## what is generated
	$(PY) tools/readme.py

# A package of its own in build/$(1): the module in fastnn/ stays as it is.
elsewhere = FASTNN_REQUIRE=1 $(PY) setup.py -q build --build-base build/$(1) --build-lib build/$(1)/lib

asan:                   ## the laws under AddressSanitizer and UndefinedBehaviorSanitizer
	FASTNN_SANITIZE=1 $(call elsewhere,asan)
	cd build/asan/lib && \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	  FASTNN_CACHE_MB=0 PYTHONMALLOC=malloc \
	  $(PY) -m pytest -q $(CURDIR)/tests/laws/test_laws.py -p no:benchmark -o addopts=""

fuzz: build             ## random calls: make fuzz SECONDS=600 SEED=7 ONLY=conv2d
	$(PY) tools/fuzz.py $(or $(SECONDS),60) $(or $(SEED),0) $(if $(ONLY),--only $(ONLY))

clang: CC = clang
clang:                  ## a build with Clang, and the laws
	CC=$(CC) $(call elsewhere,clang)
	cd build/clang/lib && $(PY) -m pytest -q $(CURDIR)/tests/laws/test_laws.py $(CURDIR)/tests/laws/test_ends.py -x

# The kernels' C self-test (tests/c/test_kernels.c): plain C against every level that the processor
# runs. The flags are those of setup.py. The compiler lists the headers of a file beside its object,
# in a file .d, and a file is compiled again only after a change of these; where it is Zig's, of any
# header.
SELFTEST_FLAGS = -std=c11 -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp-simd -pthread -DNDEBUG \
  -DFNN_BUILD_PLAIN=1 -Icsrc \
  -Wall -Wextra -Werror -Wno-psabi -Wno-unknown-pragmas
SELFTEST_SOURCES = $(wildcard csrc/*/*.c) $(wildcard tests/c/cases_*.c) tests/c/test_kernels.c
SELFTEST_HEADERS = $(wildcard csrc/*.h csrc/*/*.h tests/c/*.h)
selftest_objects = $(SELFTEST_SOURCES:%.c=build/$(1)/%.o)
NEON_CC ?= aarch64-linux-gnu-gcc
NEON_RUN ?= qemu-aarch64
I386_CC ?= i686-linux-gnu-gcc
-include $(wildcard build/*/csrc/*/*.d build/*/tests/c/*.d)

# as many files at a time as there are processors
ifneq ($(filter selftest tsan function pointers neon i386 targets,$(MAKECMDGOALS)),)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2> /dev/null || echo 1)
endif

build/selftest/%.o: %.c Makefile
	@mkdir -p $(@D) && $(CC) $(SELFTEST_FLAGS) -MMD -MP -c $< -o $@

build/tsan/%.o: %.c Makefile
	@mkdir -p $(@D) && $(CC) $(SELFTEST_FLAGS) -O1 -g -fsanitize=thread -MMD -MP -c $< -o $@

build/neon/%.o: %.c Makefile
	@mkdir -p $(@D) && $(NEON_CC) $(SELFTEST_FLAGS) -MMD -MP -c $< -o $@

build/i386/%.o: %.c Makefile
	@mkdir -p $(@D) && $(I386_CC) $(SELFTEST_FLAGS) -MMD -MP -c $< -o $@

build/function/%.o: %.c $(SELFTEST_HEADERS)
	@mkdir -p $(@D) && $(PY) -m ziglang cc $(SELFTEST_FLAGS) -O1 -Wno-pass-failed -g -fsanitize=function \
	  -fsanitize-trap=function -c $< -o $@

# not memory.c, whose pointers are of all arrays
build/pointers/csrc/%.o: csrc/%.c $(SELFTEST_HEADERS) tests/c/pointers.py
	@mkdir -p $(@D) && if test $* = core/memory; then $(PY) -m ziglang cc $(SELFTEST_FLAGS) -O1 -c $< -o $@; else \
	  $(PY) -m ziglang cc $(SELFTEST_FLAGS) -O1 -g -Xclang -disable-llvm-passes -S -emit-llvm -w $< -o $@.1.ll && \
	  $(PY) tests/c/pointers.py $@.1.ll $@.2.ll && rm $@.1.ll && \
	  $(PY) -m ziglang cc -O0 -w -c $@.2.ll -o $@ && rm $@.2.ll; fi

build/pointers/tests/c/%.o: tests/c/%.c $(SELFTEST_HEADERS)
	@mkdir -p $(@D) && $(PY) -m ziglang cc $(SELFTEST_FLAGS) -DFNN_CHECK_POINTERS=1 -O1 -c $< -o $@

# every kernel at every level of this machine against plain C
selftest: build/selftest/test_kernels           ## the kernels without Python
	$< && $< --sabotage

build/selftest/test_kernels: $(call selftest_objects,selftest)
	$(CC) -pthread $^ -lm -o $@

# what the same compiler makes for 32 bits is compared with this
build/selftest/plain: build/selftest/test_kernels
	$< --save $@

tsan: $(call selftest_objects,tsan)     ## the same under ThreadSanitizer
	$(CC) -fsanitize=thread -pthread $^ -lm -o build/tsan/test_kernels
	TSAN_OPTIONS=halt_on_error=1 build/tsan/test_kernels

# Zig's Clang (the package ziglang), which is new enough; a call through a pointer of another type
# ends the program
function: $(call selftest_objects,function)     ## the same, calls by the functions' own types
	$(PY) -m ziglang cc -fsanitize=function -pthread $^ -lm -o build/function/test_kernels
	build/function/test_kernels

# every pointer stays in its array, or just behind it: tests/c/pointers.py; Zig's Clang
pointers: $(call selftest_objects,pointers) build/pointers/tests/c/pointers.o
	$(PY) -m ziglang cc -pthread $^ -lm -o build/pointers/test_kernels
	build/pointers/test_kernels

# cross-compiled: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
neon: $(call selftest_objects,neon)             ## the same for arm64
	$(NEON_CC) -static -pthread $^ -lm -o build/neon/test_kernels
	$(NEON_RUN) build/neon/test_kernels && $(NEON_RUN) build/neon/test_kernels --sabotage

# without SSE: gcc-i686-linux-gnu libc6-dev-i386-cross
i386: build/selftest/plain $(call selftest_objects,i386)        ## the same in 32 bits
	$(I386_CC) -static -pthread $(filter %.o,$^) -lm -latomic -o build/i386/test_kernels
	build/i386/test_kernels && build/i386/test_kernels --sabotage
	build/i386/test_kernels --against $<

# The C core without a warning for systems that are not here, by Zig's Clang (the package ziglang),
# and for Windows by MinGW's GCC (gcc-mingw-w64-x86-64). Nothing is run, and little is optimised:
# that Clang then leaves a loop as it is, which a `simd` pragma names, is no fault. In 32 bits no
# fnn_work may become a fnn_size unseen.
TARGETS = x86_64-linux-gnu.2.17 x86_64-linux-musl aarch64-linux-gnu x86_64-windows-gnu aarch64-macos
TARGETS_CORE = $(filter csrc/%,$(SELFTEST_SOURCES:.c=.o))
MINGW_CC ?= x86_64-w64-mingw32-gcc
define target_rules
build/targets/$(1)/%.o: %.c $$(SELFTEST_HEADERS)
	@mkdir -p $$(@D) && $(2) $$(filter-out -DFNN_BUILD_PLAIN=1,$$(SELFTEST_FLAGS)) -O1 -Wno-pass-failed -c $$< -o $$@
targets: $$(TARGETS_CORE:%=build/targets/$(1)/%)
endef
$(foreach target,$(TARGETS),$(eval $(call target_rules,$(target),$(PY) -m ziglang cc -target $(target))))
$(eval $(call target_rules,arm,$(PY) -m ziglang cc -target arm-linux-gnueabihf -Wshorten-64-to-32))
$(eval $(call target_rules,mingw,$(MINGW_CC)))

targets:                ## csrc compiles without a warning for other systems
	@echo "compiled for $(TARGETS), arm in 32 bits and MinGW's GCC"

lint:
	$(PY) -m ruff check .

types: build            ## mypy, pyright, and the module against its stubs
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)
	$(PY) -m mypy.stubtest fastnn._kernels --mypy-config-file pyproject.toml --allowlist .ci/stubtest-allow.txt

docs:                   ## the examples in docstrings and pages
	$(PY) -m pytest -q --doctest-modules fastnn --ignore=fastnn/__main__.py

site:                   ## the documentation, build/site/index.html; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

ci:
	bash .ci/run

clean:
	rm -rf build dist *.egg-info fastnn/_kernels*.so fastnn/kernels/_kernels.c fastnn/kernels/rows.pxi

.PHONY: build test laws levels selftest neon i386 tsan function targets bench guard results readme asan fuzz clang
.PHONY: lint types docs site ci clean
