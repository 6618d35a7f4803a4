# Builds Hone: `make help` lists the targets. Needs GNU make 4.3; tools/deps installs the rest.
# SPDX-License-Identifier: Apache-2.0
#
# Everything goes to build/CONFIG (build/CONFIG-clang with CC=clang, build/CONFIG-aarch64 with
# CC=aarch64-linux-gnu-gcc), so that builds never mix:
#   make config=debug          release (default), debug, san, tsan, double, cov, fuzz
#   make test SUITES='rng st*' some suites only; HONE_CPU=ref|avx2|avx512 forces a kernel level
# The programs `hone` and `train` in this folder are links to the last one built by `make`.

config  ?= release
WERROR  ?=
SUITES  ?=
CONFIG  ?= configs/mobilenet_qat.yaml
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
ifeq ($(origin CC),default)
CC := gcc
endif

compiler := $(if $(findstring clang,$(notdir $(CC))),clang,gcc)
target   := $(shell $(CC) -dumpmachine)
cross    := $(if $(findstring aarch64-linux-gnu-,$(notdir $(CC))),aarch64)
build    := build/$(config)$(if $(filter clang,$(compiler)),-clang)$(cross:%=-%)

# ---- what is compiled ---------------------------------------------------------------------------

folders   := core layers models optim qat prune distill datasets store report trainer export \
             runtime api
library   := $(filter-out cli/main.c,$(wildcard $(folders:%=%/*.c) cli/*.c))
program   := $(wildcard cli/main.c)
tests     := $(wildcard tests/*.c)
benches   := bench/nodes.c bench/roofline.c
bench_all := $(wildcard bench/*.c)
bench_kit := $(filter-out $(benches),$(bench_all))
fuzz_all  := $(wildcard fuzz/*.c)
fuzz_kit  := fuzz/target.c
sources   := $(library) $(program) $(tests) $(bench_all) $(fuzz_all)
headers   := $(wildcard $(folders:%=%/*.h) cli/*.h tests/*.h bench/*.h fuzz/*.h)
portable  := $(filter-out runtime/host%.c %_avx2.c %_avx512.c,$(wildcard runtime/*.c))
objects    = $(patsubst %.c,$(build)/%.o,$(1))

# ---- how ----------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            $(if $(filter-out 0,$(WERROR)),-Werror)

release_flags := -O3
debug_flags   := -O0 -g3
san_flags     := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
tsan_flags    := -O1 -fsanitize=thread
double_flags  := -O2 -DHONE_DOUBLE
cov_flags     := -O0 --coverage -fprofile-update=prefer-atomic -DHONE_FEWER
fuzz_flags    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($($(config)_flags),)
$(error unknown config '$(config)': release, debug, san, tsan, double, cov or fuzz)
endif
link_flags := $(filter -fsanitize% --coverage,$($(config)_flags))

hdf5_cflags := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I hdf5 2>/dev/null))
ifdef cross
# Debian has HDF5's headers for one machine at a time: this machine's, and the other's library.
hdf5_libs   := $(firstword $(wildcard /usr/lib/$(cross)-linux-gnu/libhdf5_serial.so*))
else
hdf5_libs   := $(shell pkg-config --libs hdf5 2>/dev/null || echo -lhdf5)
endif
libs        := $(hdf5_libs) -lyaml -ljpeg -lpng -lz -lm -lpthread -ldl
test_libs   := $(shell pkg-config --libs check 2>/dev/null || echo -lcheck)
# tests/mark.c says what for.
ifneq ($(findstring linux,$(target)),)
test_libs   += -Wl,--wrap=_mark_point
endif

# Files named after a CPU level get its instructions; the rest of the program runs anywhere, and
# a table picks the kernels at run time. On other machines those files compile to nothing.
ifneq ($(findstring x86_64,$(target)),)
avx2_flags   := -mavx2 -mfma -mf16c
avx512_flags := $(avx2_flags) -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512bf16
endif
# GCC 12 for aarch64 breaks off at the vectorizer over the tests' fmax loops.
ifneq ($(findstring aarch64,$(target)),)
tests_flags := -fno-tree-vectorize
endif

# No contraction, no -ffast-math: the same bits from every compiler at every level.
common   := -D_POSIX_C_SOURCE=200809L -I. -g -fno-math-errno -ffp-contract=off $(warnings) \
            $(hdf5_cflags) $(CFLAGS)
# Instrumented for fuzzing, the kernels of training would take clang ten minutes; no file's bytes
# reach them unchecked. Where branches are counted, a kernel's functions are compiled once each, not
# into every place with its constants, and optimized: else each instruction would be a call.
kernels_fuzz := core/kernels%
kernels_cov  := core/kernels% runtime/kernels%
fuzz_kernels := -O1
cov_kernels  := $(cov_flags) -O1 -fno-inline -Dalways_inline=noinline -Wno-attributes
config_flags = $($(config)_$(if $(filter $(kernels_$(config)),$(1)),kernels,flags))
flags_of  = $(if $(filter runtime/%,$(1)),-std=c99,-std=c11) $(common) $(config_flags) \
            $(if $(filter %_avx2.c,$(1)),$(avx2_flags)) $(if $(filter %_avx512.c,$(1)),$(avx512_flags)) \
            $(if $(filter tests/%,$(1)),$(tests_flags))

SHELL := /bin/bash
quiet := $(if $(filter-out 0,$(V)),,@)
say    = $(if $(quiet),@printf '  %-5s %s\n' $(1) $(2))

# ---- building -----------------------------------------------------------------------------------

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all
all: $(if $(program),hone train) $(build)/libhone.a ## build ./hone and ./train (default)

# A record of the flags and one of the file list: a change of either rebuilds what depends on it.
# They are phony exactly when they are out of date, so that a second `make` has nothing to do.
flags_now   := $(strip $(shell command -v $(CC)) $(call flags_of,_avx2.c _avx512.c) $($(config)_kernels) $(LDFLAGS) $(libs))
library_now := $(strip $(library))
stale        = $(if $(findstring x$(2)x,x$(strip $(file <$(build)/$(1)))x),,$(build)/$(1))
.PHONY: $(call stale,flags,$(flags_now)) $(call stale,library,$(library_now))
$(build)/flags:
	@mkdir -p $(@D); printf '%s\n' '$(flags_now)' >$@
$(build)/library:
	@mkdir -p $(@D); printf '%s\n' '$(library_now)' >$@

$(build)/%.o: %.c $(build)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(call flags_of,$<) -MMD -MP -c $< -o $@

$(build)/libhone.a: $(call objects,$(library)) $(build)/library
	$(call say,AR,$@)
	$(quiet)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(build)/hone: $(call objects,$(program)) $(build)/libhone.a
	$(call say,LD,$@)
	$(quiet)$(CC) $(link_flags) $(LDFLAGS) $^ $(libs) -o $@

$(build)/tests/run: $(call objects,$(tests)) $(build)/libhone.a
	$(call say,LD,$@)
	$(quiet)$(CC) $(link_flags) $(LDFLAGS) $^ $(test_libs) $(libs) -o $@

$(benches:%.c=$(build)/%): $(build)/%: $(build)/%.o $(call objects,$(bench_kit)) $(build)/libhone.a
	$(call say,LD,$@)
	$(quiet)$(CC) $(link_flags) $(LDFLAGS) $^ $(libs) -o $@

fuzzers := $(patsubst fuzz/%.c,$(build)/fuzz/%,$(filter-out $(fuzz_kit),$(fuzz_all)))
$(fuzzers): $(build)/fuzz/%: $(build)/fuzz/%.o $(call objects,$(fuzz_kit)) $(build)/libhone.a
	$(call say,LD,$@)
	$(quiet)$(CC) -fsanitize=fuzzer,address,undefined $(LDFLAGS) $^ $(libs) -o $@

ifneq ($(shell readlink hone 2>/dev/null),$(build)/hone)
.PHONY: hone
endif
hone: $(build)/hone
	$(quiet)ln -sf $< $@
train: | hone
	$(quiet)ln -sf hone $@

-include $(patsubst %.c,$(build)/%.d,$(sources))

# ---- running ------------------------------------------------------------------------------------

# Sub-makes, because the packages must be there before the flags above are worked out; on all
# processors unless this make was told how many.
MAKEFLAGS += --no-print-directory
jobs = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: help demo check test
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: ## train, prune, quantize, export and verify a small network, from nothing
	@tools/deps build
	@$(MAKE) -s $(jobs) all
	@tools/demo.sh $(CONFIG)

check: ## install what tests need, build, run all tests
	@tools/deps build test
	@$(MAKE) includes
	@$(MAKE) -s $(jobs) all $(build)/tests/run
	@$(MAKE) test

# Sanitizers slow the tests down; a test that hangs still ends.
test_env := CK_DEFAULT_TIMEOUT=60 CK_TIMEOUT_MULTIPLIER=$(if $(filter san tsan cov,$(config)),8,1) \
            HONE_PROGRAM=$(build)/hone HONE_ORACLE_PYTHON=$(wildcard build/oracle/bin/python) \
            LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0
emulator := $(if $(cross),CK_TIMEOUT_MULTIPLIER=20 qemu-$(cross))
test: $(build)/tests/run $(if $(program),$(build)/hone) ## build and run the tests, installing nothing
	@$(test_env) $(emulator) $< -j $(JOBS) $(SUITES)

# BENCH holds more arguments: make roofline BENCH=--json, make bench-peers BENCH='--rounds 7'.
BENCH        ?=
BENCH_MODELS ?= configs/bench/resnet8.yaml configs/bench/mobilenet_v2_cifar.yaml
.PHONY: bench bench-start bench-peers bench-infer bench-publish roofline
bench: $(build)/bench/nodes ## speed of the kernels, layer by layer, and their share of the ceiling
	@$< $(BENCH) $(BENCH_MODELS)
bench-start: $(build)/hone ## time from starting `hone train` to its first finished step
	@bench/start.py --hone $< $(BENCH)
bench-peers: $(build)/hone ## training speed and memory beside PyTorch (BENCH=--help: how)
	@bench/peers.py --hone $< $(BENCH)
bench-infer: $(build)/hone ## latency of the runtime beside ONNX Runtime (BENCH=--help: how)
	@bench/peers_infer.py --hone $< $(BENCH)
roofline: $(build)/bench/roofline ## ceilings of this machine: arithmetic, memory, OpenBLAS
	@$< $(BENCH)
# BENCH is of the peers here, BENCH_INFER of the runtime's.
BENCH_INFER ?= --threads 1,2
bench-publish: $(build)/hone $(benches:%.c=$(build)/%) ## all four, into docs/PERFORMANCE.md
	@$(build)/bench/roofline | bench/publish.py ceilings docs/PERFORMANCE.md
	@$(build)/bench/nodes $(BENCH_MODELS) | bench/publish.py kernels docs/PERFORMANCE.md
	@bench/peers.py --hone $(build)/hone $(BENCH) | bench/publish.py peers docs/PERFORMANCE.md
	@bench/peers_infer.py --hone $(build)/hone $(BENCH_INFER) | \
	  bench/publish.py inference docs/PERFORMANCE.md

# ---- checking -----------------------------------------------------------------------------------

.PHONY: gradcheck kerncheck kills san tsan clang aarch64 werror levels
gradcheck: ## gradients against central differences, in double
	@$(MAKE) config=double test SUITES='grad*'

# Levels that the machine lacks are refused by the program, so only those it has are listed.
cpu      := $(shell sed -n '/^flags/{p;q}' /proc/cpuinfo 2>/dev/null)
levels   := ref $(if $(filter avx2,$(cpu)),avx2) $(if $(filter avx512_vnni,$(cpu)),avx512)
kerncheck: $(build)/tests/run ## kernels against the reference, at every CPU level of this machine
	@for level in $(levels); do echo "HONE_CPU=$$level"; \
	  HONE_CPU=$$level $(MAKE) test SUITES='kern*' || exit 1; done
# The suites that compute with kernels; the others need to see one level only.
kernel_suites := kern* grad* conv layers batchnorm layer_nets torch_layers qat qat_layers qat_nodes \
                 fuse fuse_net pairs exec runtime runtime_layers d31 prove parallel export evaluate loss
# The best is the one that `make test` runs at.
levels: $(build)/tests/run ## the tests of kernels at the CPU levels below this machine's best
	@for level in $(filter-out $(lastword $(levels)),$(levels)); do echo "HONE_CPU=$$level"; \
	  HONE_CPU=$$level $(MAKE) test SUITES='$(kernel_suites)' || exit 1; done

kills: $(build)/tests/run $(build)/hone ## runs killed at 50 random moments and resumed: the same bits
	@HONE_KILLS=50 $(MAKE) test SUITES=crash

san: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) config=san test
# The suites that start threads; kernels and file formats do not.
threaded := core loader conv layers layer_nets torch_layers pairs fuse fuse_net qat qat_layers qat_nodes \
            gradtorch gradtorchconv optim prove parallel exec trainer evaluate resume distill ema loss \
            audio api
tsan: ## the tests that use threads under ThreadSanitizer
	@$(MAKE) config=tsan test SUITES='$(threaded)'
clang: ## all tests as clang compiles them, warnings being errors
	@$(MAKE) CC=clang WERROR=1 test
# Left out are suites that start this program or an oracle, which is of the other machine, and those
# that train in many processes.
suites   := $(shell sed -n 's/^SUITE(\(.*\))$$/\1/p' tests/suites.def)
portable_suites := $(filter-out cli% crash memory report resume,$(suites))
aarch64: ## build for aarch64 and run most tests in emulation (qemu-user)
	@tools/deps cross
	@$(MAKE) $(jobs) CC=aarch64-linux-gnu-gcc WERROR=1 test SUITES='$(portable_suites)'
werror: ## compile everything with warnings being errors
	@$(MAKE) WERROR=1 build=build/werror build/werror/libhone.a build/werror/tests/run \
	  $(benches:%.c=build/werror/%)

# Each target of fuzz/ for so long, from files that the program makes. What a run finds of interest is
# kept in build/corpus for the next; a finding is a file crash-... there. FUZZ_SEED=0: another each time.
FUZZ_SECONDS ?= 60
FUZZ_SEED    ?= 0
corpus       := build/corpus
fuzz_runs    := $(fuzzers:%=%.run)
# HDF5 asks for as much memory as a damaged file says, and takes a no; that is no finding.
fuzz_env     := LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0 \
                ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=2048
fuzz_limits   = -timeout=30 -max_len=65536 -rss_limit_mb=1024 \
                $(if $(filter checkpoint tensors,$(1)),-malloc_limit_mb=4096)
.PHONY: fuzz fuzz-run $(fuzz_runs)
fuzz: $(build)/hone ## fuzz every reader of files under the sanitizers (FUZZ_SECONDS=60 each)
	@tools/fuzz_seeds.sh $< $(corpus)
	@$(MAKE) $(jobs) CC=clang config=fuzz fuzz-run
fuzz-run: $(fuzz_runs)
$(fuzz_runs): %.run: %
	@log=$(corpus)/$(*F).log; $(fuzz_env) $< -seed=$(FUZZ_SEED) -max_total_time=$(FUZZ_SECONDS) \
	  $(call fuzz_limits,$(*F)) -print_final_stats=1 -artifact_prefix=$(corpus)/crash-$(*F)- \
	  $(corpus)/$(*F) >$$log 2>&1 || \
	  { grep -v '^#[0-9]' $$log | head -n 60; echo "fuzz: $(*F) failed, all of it in $$log"; exit 1; }; \
	  printf '  FUZZ  %s: %s executions\n' $(*F) "$$(sed -n 's/.*executed_units: *//p' $$log)"

.PHONY: includes schema runtime-alone tidy cppcheck fmt fmt-check cov cov-run mutants
includes: ## who includes whom; every header compiles alone
	@CC='$(CC)' tools/check_includes.sh

# The runtime must build for a bare microcontroller: no hosted libc, no float, no compiler runtime.
runtime-alone: $(patsubst %.c,$(build)/alone/%.o,$(portable)) ## the runtime as freestanding C99
$(build)/alone/%.o: %.c $(build)/flags
	$(call say,ALONE,$<)
	@mkdir -p $(@D)
	$(quiet)$(CC) -std=c99 -pedantic -ffreestanding -Os -I. $(warnings) -Werror -MMD -MP -c $< -o $@
-include $(patsubst %.c,$(build)/alone/%.d,$(portable))

# One stamp per file: a second run looks only at what changed.
tidy: $(patsubst %.c,$(build)/tidy/%.ok,$(sources)) ## clang-tidy (.clang-tidy says what)
$(build)/tidy/%.ok: %.c $(build)/%.o .clang-tidy tests/.clang-tidy
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$(quiet)clang-tidy --quiet --warnings-as-errors='*' $< -- $(call flags_of,$<) 2>$@.log \
	  || { grep -v 'warnings\? generated' $@.log; exit 1; }
	@touch $@

# Suppressed: it takes every loop for one that may not run (log of an empty sum), and our arenas,
# which serve doubles and then floats, for one type.
cppcheck: ## cppcheck over everything
	@mkdir -p $(build)/cppcheck
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --error-exitcode=1 --cppcheck-build-dir=$(build)/cppcheck -j $(JOBS) -I. \
	  --suppress=invalidFunctionArg --suppress=invalidPointerCast $(library) $(program)

schema: $(build)/hone ## write configs/SCHEMA.md from the option tables
	@$< config --markdown >configs/SCHEMA.md

fmt: ## format everything as .clang-format says
	@clang-format -i $(sources) $(headers)
fmt-check: ## fail when `make fmt` would change something
	@printf '%s\n' $(sources) $(headers) | xargs -P $(JOBS) -n 40 clang-format --dry-run --Werror

# At every CPU level, since what has no kernel at one goes another way there. COV='--suites store --'
# counts these suites anew and leaves the others as they were.
COV ?=
cov: ## line and branch coverage of the tests, per folder
	@$(MAKE) -s $(jobs) config=cov build/cov/tests/run build/cov/hone
	@$(if $(COV),,rm -rf build/cov/coverage)
	@$(MAKE) config=cov cov-run
cov-run:
	@$(test_env) tools/coverage.py --measure --jobs $(JOBS) $(COV) $(build) $(folders) cli >/dev/null
	@$(if $(COV),,for level in $(filter-out $(lastword $(levels)),$(levels)); do HONE_CPU=$$level \
	  $(test_env) tools/coverage.py --measure --jobs $(JOBS) --suites $(kernel_suites:%='%') -- \
	  $(build) $(folders) cli >/dev/null || exit 1; done)
	@tools/coverage.py $(build) $(folders) cli

# COUNT changes of operators and constants, one after the other; SKIP=N goes on after the Nth,
# AT='FILE:LINE...' takes those lines alone.
COUNT ?= 60
SKIP  ?= 0
mutants: ## change the code at random, see whether the tests notice (COUNT=60, SKIP=0, AT=FILE:LINE)
	@tools/mutate.py --count $(COUNT) --skip $(SKIP) \
	  $(if $(AT),--at $(AT),core layers qat export runtime store)

# ---- installing ---------------------------------------------------------------------------------

# The library is one object that shows hone_... alone: linked programs see no other name of ours.
PREFIX ?= /usr/local
library_api  := $(filter-out cli/% trainer/% store/% report/% datasets/% models/%,$(library))
installed    := api/hone.h runtime/runtime.h runtime/kernels.h runtime/program.h runtime/fixed.h \
                runtime/frontend.h
install_into := $(DESTDIR)$(PREFIX)
$(build)/install/libhone.a: $(call objects,$(library_api)) $(build)/library
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(quiet)ld -r -o $(@D)/hone.o $(filter %.o,$^) && objcopy -w -G 'hone_*' $(@D)/hone.o && \
	  rm -f $@ && ar rcs $@ $(@D)/hone.o
$(build)/install/hone.1: $(build)/hone
	@mkdir -p $(@D) && $< manual >$@
$(build)/install/hone-config.5: $(build)/hone
	@mkdir -p $(@D) && $< manual --config >$@
version := $(shell sed -n 's/^.define HONE_VERSION "\([^"]*\)".*/\1/p' api/hone.h)
$(build)/install/hone.pc: Makefile api/hone.h
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'Name: hone' 'Version: $(version)' \
	  'Description: quantization-aware training and integer-only networks' \
	  'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lhone' \
	  'Libs.private: -lm -lpthread -ldl' >$@

.PHONY: install uninstall
to_install := $(addprefix $(build)/install/,libhone.a hone.1 hone-config.5 hone.pc)
install: $(build)/hone $(to_install) ## program, library, headers, manual (PREFIX, DESTDIR)
	@install -d $(addprefix $(install_into)/,bin include/hone lib/pkgconfig share/man/man1 \
	  share/man/man5 share/doc/hone/configs share/doc/hone/examples)
	@install $(build)/hone $(install_into)/bin/hone
	@install -m 644 $(installed) $(install_into)/include/hone
	@install -m 644 $(build)/install/libhone.a $(install_into)/lib
	@install -m 644 $(build)/install/hone.pc $(install_into)/lib/pkgconfig
	@install -m 644 $(build)/install/hone.1 $(install_into)/share/man/man1
	@install -m 644 $(build)/install/hone-config.5 $(install_into)/share/man/man5
	@install -m 644 configs/*.yaml $(install_into)/share/doc/hone/configs
	@install -m 644 examples/*.c $(install_into)/share/doc/hone/examples
uninstall: ## remove what `make install` put there
	@rm -rf $(addprefix $(install_into)/,bin/hone include/hone lib/libhone.a lib/pkgconfig/hone.pc \
	  share/man/man1/hone.1 share/man/man5/hone-config.5 share/doc/hone)

# Installs into the build folder and uses it as a stranger would.
.PHONY: examples
examples: ## install into build/, build the examples against that, run them
	@$(MAKE) -s PREFIX=$(abspath $(build))/prefix DESTDIR= install
	@export PKG_CONFIG_PATH=$(abspath $(build))/prefix/lib/pkgconfig; \
	  for name in train run; do $(CC) -std=c11 -Wall -Wextra -Werror examples/$$name.c \
	    $$(pkg-config --cflags --libs --static hone) $(link_flags) -o $(build)/example-$$name || exit 1; \
	  done
	@$(build)/example-train $(build)/stripes.hone
	@$(build)/example-run $(build)/stripes.hone </dev/null

.PHONY: check-all clean
# Every build warns into errors, so `werror` would find nothing more (tidy builds what is left, the
# benches and fuzzers); `levels` and `check` run what kerncheck does.
checks := check levels kills examples runtime-alone clang aarch64 san tsan gradcheck fuzz tidy cppcheck \
          fmt-check
check-all: ## everything above that can fail
	@tools/deps build test dev oracle
	@for check in $(checks); do echo "== $$check"; begin=$$SECONDS; \
	  $(MAKE) $(jobs) WERROR=1 $$check || exit 1; echo "== $$check: $$((SECONDS - begin)) s"; done
	@echo "check-all: all passed"

clean: ## remove what was built
	rm -rf build hone train
