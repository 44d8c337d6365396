# camring.  `make demo`, `make run` and `make test` do everything on a fresh machine; plain `make`
# only builds.
SANITIZE ?=
CAMERA ?= test:
PYTHON ?= /usr/bin/python3
OBJCOPY ?= objcopy
VARIANT ?=
ORDINARY := build$(if $(SANITIZE),-$(SANITIZE))
BUILD := $(ORDINARY)$(if $(VARIANT),-$(VARIANT))
VERSION := $(shell cat VERSION)

CFLAGS ?= -O2 -g
override CFLAGS += -std=c11 -D_GNU_SOURCE -DCAMRING_VERSION='"$(VERSION)"' -I. -fPIC -pthread \
	-MMD -MP -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wno-missing-field-initializers -Werror=implicit-function-declaration
ifneq ($(SANITIZE),)
comma := ,
sanitize := -fsanitize=$(SANITIZE)$(if $(filter address,$(SANITIZE)),$(comma)undefined)
override CFLAGS += -O1 -fno-omit-frame-pointer $(sanitize) -Wno-tsan
override LDFLAGS += $(sanitize)
endif

# `make V=1` shows the commands whole.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1) $(2:$(BUILD)/%=%)')
# Builds for tests/chaos: one that can die after every store to shared memory, and two that break
# the ring's protocol on purpose.
variant_kill := -DRING_KILL_POINTS
variant_break-pin := -DRING_BREAK_PIN
variant_break-seq := -DRING_BREAK_SEQ
# And one for tests/fuzz/, by clang, which does not say that it sanitizes as gcc does.
variant_fuzz := -O1 -fno-omit-frame-pointer -D__SANITIZE_ADDRESS__ -Wno-unknown-pragmas \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
override CFLAGS += $(variant_$(VARIANT))
# Where only some files differ, all others come from the ordinary build, which is made first.
ifneq ($(filter kill break-%,$(VARIANT)),)
changed_break-pin := $(shell grep -lE 'RING_(IGNORES_PINS|HIDES_WRITING)' common/*.c)
changed_break-seq := $(changed_break-pin)
changed_kill := $(wildcard tests/chaos/*.c) \
	$(shell grep -lE '"(common/)?ring_store\.h"' common/*.c common/*/*.c encoder/*.c)
ifneq ($(shell grep -lE '"(common/)?ring_store\.h"' common/*.h common/*/*.h encoder/*.h),)
$(error ring_store.h is for .c files alone: the kill tests' build compiles those that include it)
endif
endif

pkg_common := jansson yaml-0.1 libjpeg
pkg_encoder := libswscale libavutil
pkg_loaded := libavfilter freetype2# by the encoder, while it runs: only their headers
pkg_capture := libavformat libavcodec libavutil libswscale gnutls
pkg_server := libevent libevent_openssl openssl libxcrypt
pkg_supervisor := libevent libxcrypt openssl
pkg_shmtool := libpng libswscale libavutil
pkg_parts := common encoder loaded capture server supervisor shmtool
PKGS := $(sort $(foreach part,$(pkg_parts),$(pkg_$(part))))
# Asked for once, when first needed: packages may be installed by then.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null))$(PKG_CFLAGS)
libs = $(shell pkg-config --libs $(pkg_$(1)) $(pkg_common) 2>/dev/null) -lm

supervisor_folders := children commands listening memory
# The GStreamer plugin is built where GStreamer's headers are; programs with a sanitizer in them
# can't load it.
pkg_gstreamer := gstreamer-base-1.0 gstreamer-video-1.0
src_gstreamer := $(wildcard common/gstreamer/*.c)
has_gstreamer := $(shell pkg-config --exists $(pkg_gstreamer) 2>/dev/null && echo yes)
plugin_file := $(BUILD)/lib/gstreamer-1.0/libgstcamring.so
PLUGIN := $(if $(SANITIZE)$(VARIANT),,$(if $(has_gstreamer),$(plugin_file)))

server_folders := http frames push handlers metrics
src_common := $(wildcard common/*.c)
src_supervisor := $(wildcard common/supervisor/*.c $(supervisor_folders:%=common/supervisor/%/*.c))
src_shmtool := $(wildcard common/shmtool/*.c)
src_capture := $(wildcard capture/*.c)
src_encoder := $(wildcard encoder/*.c)
src_server := $(wildcard server/*.c $(server_folders:%=server/%/*.c))
of_variant = $(if $(changed_$(VARIANT)),$(filter $(changed_$(VARIANT)),$(1)),$(1))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(call of_variant,$(1))) \
	$(patsubst %.c,$(ORDINARY)/obj/%.o,$(filter-out $(call of_variant,$(1)),$(1)))

PROGRAMS := camring camring-capture camring-encoder camring-server camring-shm
BINARIES := $(PROGRAMS:%=$(BUILD)/bin/%)
LIBRARY := $(BUILD)/lib/libcommon.a# the flat files of common/; what is installed is libcamring
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))

.PHONY: all install uninstall clean deps deps-test deps-browser deps-container deps-check
.PHONY: run demo deps-demo
.PHONY: test test-unit test-integration test-browser test-container
.PHONY: check check-includes check-format check-cppcheck check-tidy format
all: $(BINARIES) $(BUILD)/lib/libcamring.a $(BUILD)/lib/libcamring.so $(BUILD)/man/camring.yaml.5 \
	$(BUILD)/completion/camring
all: $(or $(PLUGIN),no-plugin)

$(BUILD)/obj/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) $(PKG_CFLAGS) -c -o $@ $<

$(LIBRARY): $(call obj,$(src_common))
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The public library is camring.h's functions and whatever they pull out of the archive: no more
# than libc behind it. Either kind of it shows the names in libcamring.map and no other.
SOVERSION := 1
public := $(patsubst %,$(BUILD)/obj/common/%.o,camring camring_reader camring_writer)
$(BUILD)/lib/libcamring.so.$(SOVERSION): $(public) $(LIBRARY) common/libcamring.map
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -shared -pthread -Wl,-soname,libcamring.so.$(SOVERSION) \
		-Wl,--version-script=common/libcamring.map -Wl,--no-undefined \
		-o $@ $(public) $(LIBRARY)
$(BUILD)/lib/libcamring.a: $(public) $(LIBRARY) common/libcamring.map
	$(LD) -r -o $(BUILD)/obj/libcamring.o $(public) $(LIBRARY)
	sed -n 's/^ *\(camring_.*\);/\1/p' common/libcamring.map >$(BUILD)/obj/libcamring.names
	$(OBJCOPY) --keep-global-symbols=$(BUILD)/obj/libcamring.names $(BUILD)/obj/libcamring.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/obj/libcamring.o
$(BUILD)/lib/libcamring.so: $(BUILD)/lib/libcamring.so.$(SOVERSION)
	ln -sf $(<F) $@
# A client of the library's like any other: it knows camring.h alone.
plugin_objects := $(src_gstreamer:%.c=$(BUILD)/obj/%.o)
gstreamer_cflags = $(shell pkg-config --cflags $(pkg_gstreamer))
$(plugin_objects): override CFLAGS += -fvisibility=hidden $(gstreamer_cflags)
$(plugin_file): $(plugin_objects) $(BUILD)/lib/libcamring.so
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,--no-undefined '-Wl,-rpath,$$ORIGIN/..' -o $@ \
		$(plugin_objects) -L$(BUILD)/lib -lcamring \
		$(shell pkg-config --libs $(pkg_gstreamer))
.PHONY: no-plugin
no-plugin:
	$(if $(SANITIZE)$(VARIANT),,@echo '  no GStreamer plugin: $(pkg_gstreamer) are not there')
$(BUILD)/completion/camring: $(BUILD)/bin/camring
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$< completion bash >$@.new && mv $@.new $@
$(BUILD)/man/camring.yaml.5: common/camring.yaml.5 $(BUILD)/bin/camring
	@mkdir -p $(@D)
	$(BUILD)/bin/camring help config | sed -e 's/^\([^ :]*\): \(.*\)/.TP\n.B \1\n\2./' \
		-e 's/^  */.br\n/' -e 's/-/\\-/g' >$@.keys
	sed '/^\.\\" KEYS$$/r $@.keys' $< >$@

$(BUILD)/bin/camring: $(call obj,$(src_supervisor)) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $^ $(call libs,supervisor)
$(BUILD)/bin/camring-shm: $(call obj,$(src_shmtool)) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $^ $(call libs,shmtool)
$(BUILD)/bin/camring-%: $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $(filter %.o,$^) $(LIBRARY) $(call libs,$*)
$(BUILD)/bin/camring-capture: $(call obj,$(src_capture))
$(BUILD)/bin/camring-encoder: $(call obj,$(src_encoder))
$(BUILD)/bin/camring-server: $(call obj,$(src_server))
$(call obj,server/handlers/page.c server/handlers/openapi.c): $(wildcard server/web/*)

# A unit test is one file; what it tests beyond libcamring stands in its own variable:
# parts_test_NAME.
parts_test_reconnect := capture/reconnect.c
parts_test_held := common/supervisor/memory/held.c
parts_test_child := common/supervisor/children/child.c
parts_test_camera_states := $(addprefix common/supervisor/children/,camera_states.c outbox.c)
parts_test_space := common/supervisor/memory/space.c
parts_test_log := $(addprefix common/supervisor/commands/,log_fold.c log_line.c log_reader.c) \
	common/supervisor/commands/logwriter.c
parts_test_snapshot_pool := common/supervisor/commands/snapshot_pool.c
parts_test_process_counts := common/supervisor/children/process_counts.c
chain_parts := $(filter encoder/chain%,$(src_encoder)) $(addprefix encoder/,lavfi.c trial.c)
motion_parts := $(addprefix encoder/motion,.c _blobs.c _grid.c _light.c)
encoder_parts := $(addprefix encoder/,job.c motion_watch.c output.c pool.c processing.c scale.c) \
	$(addprefix encoder/,stage.c stage_state.c variants.c) $(chain_parts) $(motion_parts)
parts_test_encoder := $(encoder_parts)
parts_test_processing := $(encoder_parts)
parts_test_processing_workers := $(encoder_parts)
parts_test_processing_programs := $(encoder_parts)
parts_test_stage_state := encoder/stage_state.c
parts_test_processing_stages := $(encoder_parts)
parts_test_variants := $(encoder_parts)
parts_test_variants_turns := $(encoder_parts)
chain_tests := chain chain_filters chain_own chain_steps trial trial_limits
$(foreach test,$(chain_tests),$(eval parts_test_$(test) := $(chain_parts)))
parts_test_motion_watch := $(encoder_parts)
parts_test_motion := $(motion_parts)
parts_test_motion_clip := $(motion_parts)
parts_test_motion_quiet := $(motion_parts)
parts_test_pace := capture/pace.c capture/damage.c
parts_test_testcam := capture/test_source.c capture/publish.c capture/capture.c
parts_test_trim := capture/trim.c
parts_test_source := $(filter-out capture/main.c,$(src_capture))
parts_test_multipart := server/push/multipart.c
parts_test_query := server/http/query.c
parts_test_route := $(addprefix server/http/,route.c query.c)
parts_test_http_parser := server/http/http_parser.c
parts_test_http_head := server/http/http_head.c
parts_test_conn_limits := server/http/conn_limits.c
parts_test_exposition := server/metrics/exposition.c
parts_test_freshness := server/frames/freshness.c
parts_test_stream_params := server/handlers/stream_params.c server/http/query.c
parts_test_snapshot_policy := server/handlers/snapshot_policy.c
parts_test_ring_source := $(addprefix server/frames/,ring_source.c picture.c)
parts_test_picture := server/frames/picture.c
parts_test_sender := $(addprefix server/push/,sender.c message.c congestion.c) \
	server/frames/picture.c server/http/transport.c server/loop.c
parts_test_message := server/push/message.c server/frames/picture.c
parts_test_congestion := server/push/congestion.c
parts_test_forwarded := server/http/forwarded.c
parts_test_login := $(addprefix server/,http/login.c http/forwarded.c worker.c loop.c)
parts_test_worker := server/worker.c server/loop.c
parts_test_accept_share := server/http/accept_share.c
parts_test_round_robin := server/push/round_robin.c
parts_test_push_parser := tests/bench/push_parser.c tests/bench/clip.c
parts_test_y4m := common/shmtool/y4m.c
parts_test_shmtool := common/shmtool/image.c common/shmtool/print.c
shmwatch_parts := describe find objects print reader spark watched
parts_test_shmwatch := $(shmwatch_parts:%=common/shmtool/%.c)
.SECONDARY: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/unit/test_*.c))
.SECONDEXPANSION:
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $$(call obj,$$(parts_$$*)) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $^ $(call libs,server) $(call libs,capture) -lcmocka

# The kill tests, in their own build (VARIANT=kill).
chaos_obj = $(call obj,$(1:%=tests/chaos/%.c))
kill_parts := $(encoder_parts) \
	$(addprefix common/supervisor/,children/camera_places.c instance.c) \
	$(addprefix common/supervisor/memory/,recover.c space.c)
$(BUILD)/chaos/test_kill: $(call chaos_obj,test_kill kill_writer kill_reader kill_encoder) \
		$(call chaos_obj,kill_variants kill_places kill_supervisor stage world picture) \
		$(call chaos_obj,kill_program kill_points jpeg_gray) \
		$(call obj,$(kill_parts)) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $^ $(call libs,encoder) -lcmocka

# The watchers of the chaos test.
$(BUILD)/chaos/watch: $(call chaos_obj,watch watch_ring watch_http testcam jpeg_gray) \
		$(BUILD)/obj/common/draw.o $(BUILD)/lib/libcamring.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $^ -ljpeg
$(BUILD)/chaos/accounts: $(call chaos_obj,accounts) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $^ $(call libs,common)

.PHONY: chaos chaos-reload chaos-short chaos-build kill-tests chaos-programs chaos-tools
.PHONY: chaos-kill chaos-break-pin chaos-break-seq
kill-tests: $(BUILD)/chaos/test_kill
chaos-programs: $(filter-out %-shm,$(BINARIES))
chaos-tools: $(BUILD)/chaos/watch $(BUILD)/chaos/accounts

# What needs packages is built by a make of its own, so that it comes after their installation with
# -j, too.
PARALLEL = +@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
RUN_TESTS = @PYTHON=$(PYTHON) scripts/run-tests.sh $(BUILD)

deps:
	@scripts/deps.sh build
deps-test:
	@scripts/deps.sh build test
deps-browser:
	@scripts/deps.sh build test browser
deps-container:
	@scripts/deps.sh test container
deps-check:
	@scripts/deps.sh build test check

run: deps
	$(PARALLEL) all
	@exec $(BUILD)/bin/camring run -c scripts/run.yaml
run: export CAMERA := $(CAMERA)

# A film as camera, and a program in the middle of its chain that marks what moves.
deps-demo:
	@scripts/deps.sh build demo
demo: deps-demo
	$(PARALLEL) all
	@exec $(PYTHON) -B scripts/demo.py $(BUILD)

# ThreadSanitizer can judge threads of one process only, so there just the unit tests run.
test: deps-test
	$(PARALLEL) $(if $(filter thread,$(SANITIZE)),,all chaos-build) $(UNIT_TESTS)
	$(RUN_TESTS) unit $(if $(filter thread,$(SANITIZE)),,integration kill chaos)
test-unit: deps-test
	$(PARALLEL) $(if $(UNIT),$(UNIT:%=$(BUILD)/tests/%),$(UNIT_TESTS))
	$(RUN_TESTS) unit
test-integration: deps-test
	$(PARALLEL) all
	$(RUN_TESTS) integration
test-browser: deps-browser
	$(PARALLEL) all
	$(RUN_TESTS) browser
# The images are built by an engine of the test's own; root alone can start one.
test-container: deps-container
	$(RUN_TESTS) container

# Reloads of random configurations, and the same while processes die:
# `make chaos-reload [RELOADS=200 SEED=N]`.
chaos-reload: export RELOADS := $(or $(RELOADS),200)
chaos-reload: export CHAOS_SEED = $(SEED)
chaos-reload: deps-test
	$(PARALLEL) all
	$(RUN_TESTS) reload

# Processes that die: the kill tests, then real instances whose processes are killed and stopped at
# random, and two that break the ring's protocol on purpose, which must be noticed. A short run is
# part of `make test`; the long one is `make chaos [SECONDS=600 KILLS=1000 SEED=N]`.
chaos: export CHAOS_SECONDS = $(if $(filter command,$(word 1,$(origin SECONDS))),$(SECONDS),600)
chaos: export CHAOS_KILLS = $(or $(KILLS),1000)
chaos chaos-short test: export CHAOS_SEED = $(SEED)
chaos chaos-short: deps-test
	$(PARALLEL) chaos-build
	$(RUN_TESTS) kill chaos
chaos-build: chaos-tools chaos-programs chaos-kill chaos-break-pin chaos-break-seq
chaos-kill: $(LIBRARY) $(call obj,$(kill_parts))
	+@$(MAKE) --no-print-directory VARIANT=kill kill-tests
chaos-break-pin chaos-break-seq: chaos-break-%: chaos-programs
	+@$(MAKE) --no-print-directory VARIANT=break-$* chaos-programs

C_FOLDERS := common common/supervisor $(supervisor_folders:%=common/supervisor/%) common/shmtool \
	$(if $(has_gstreamer),common/gstreamer) capture encoder server \
	$(server_folders:%=server/%) scripts/examples tests/unit tests/chaos
C_FILES = $(wildcard $(C_FOLDERS:%=%/*.[ch])) \
	$(filter-out tests/bench/bench%,$(wildcard tests/bench/*.[ch]))
CPPCHECK = cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	--inline-suppr --suppress=missingIncludeSystem -D_GNU_SOURCE -DCAMRING_VERSION='""' -I. \
	'-Dnoreturn=__attribute__((noreturn))' --library=gtk
PYTHON_FOLDERS := tests common/python scripts
check: deps-check
	$(PARALLEL) --keep-going check-includes check-format check-cppcheck check-tidy
format: deps-check
	clang-format -i $(C_FILES)
	black --quiet $(PYTHON_FOLDERS)
check-includes:
	scripts/check-includes.sh --self-test
	scripts/check-includes.sh
check-format:
	@! git ls-files '*.[ch]' | grep -vE '^tests/(bench/bench|fuzz/|integration/)' | \
		grep -vxF $(C_FILES:%=-e %) || { echo 'not among C_FILES' >&2; exit 1; }
	@scripts/check-columns.sh --self-test
	@scripts/check-columns.sh
	@clang-format --dry-run -Werror $(C_FILES)
	@black --quiet --check $(PYTHON_FOLDERS) || { echo 'black: run make format' >&2; exit 1; }
check-cppcheck:
	@$(CPPCHECK) -j$(shell nproc) $(filter %.c,$(C_FILES))
check-tidy: $(patsubst %,tidy/%,$(filter %.c,$(C_FILES)))
tidy/%:
	@clang-tidy --quiet $* -- $(CFLAGS) $(PKG_CFLAGS) $(tidy_cflags) 2>/dev/null
tidy/common/gstreamer/%: tidy_cflags = $(gstreamer_cflags)
tidy/scripts/examples/%: tidy_cflags = -Icommon

# The fuzz targets, in a build by clang. SECONDS is per target; `make fuzz-short` takes less than a
# minute altogether, and one for HTTP.
FUZZ_CC ?= clang-14
SECONDS ?= 60
fuzz_targets := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_parts_http := $(call obj,tests/fuzz/http_answers.c \
	$(filter-out server/main.c server/supervisor_link.c,$(src_server)))
fuzz_libs_http := server
fuzz_parts_chain := $(call obj,$(addprefix encoder/,chain_mask.c chain_steps.c))
# It looks at each byte by itself, which the fuzzer need not hear of: a fifth of the time.
build-fuzz/obj/server/http/http_parser.o: override CFLAGS += -fno-sanitize-coverage=trace-cmp
# Those that read shared memory are given it by hostile.c and guard.c, the board's by guard.c alone.
fuzz_parts_board := $(call obj,tests/fuzz/guard.c)
fuzz_wrap_board := mmap munmap
fuzz_rings := ring_reader ring_writer camring ring_verify
$(foreach target,$(fuzz_rings),$(eval fuzz_parts_$(target) := \
	$(call obj,tests/fuzz/hostile.c) $(fuzz_parts_board)))
$(foreach target,$(fuzz_rings),$(eval fuzz_wrap_$(target) := $(fuzz_wrap_board)))
fuzz_wrap_ring_verify += nanosleep
fuzz_wrap_ring_list := scandir
$(fuzz_targets): $(BUILD)/fuzz/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o \
		$$(fuzz_parts_$$*) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ $^ \
		$(fuzz_wrap_$*:%=-Wl,--wrap=%) $(call libs,$(or $(fuzz_libs_$*),shmtool))
$(BUILD)/fuzz/seeds: $(call obj,tests/fuzz/seeds.c) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -fsanitize=address,undefined -pthread -o $@ $^ $(call libs,common)
.PHONY: fuzz fuzz-short fuzz-build deps-fuzz
deps-fuzz:
	@scripts/deps.sh build fuzz
fuzz-build: $(fuzz_targets) $(BUILD)/fuzz/seeds
fuzz-short: export FUZZ_HTTP_SECONDS = 60
fuzz fuzz-short: deps-fuzz
	$(PARALLEL) VARIANT=fuzz CC=$(FUZZ_CC) fuzz-build
	@tests/fuzz/run.sh build-fuzz $(if $(filter fuzz-short,$@),3,$(SECONDS)) $(FUZZ)

# Models of the protocols in shared memory, checked by spin: about a minute on two cores.
.PHONY: model deps-model
deps-model:
	@scripts/deps.sh model
model: deps-model
	@tests/model/run.sh $(MODEL)

# The bench of rings against other ways to hand frames on.
bench_systems := camring futex iceoryx gstreamer zeromq
bench_programs := $(bench_systems:%=$(BUILD)/bench/bench_%)
bench_libs_camring = $(LIBRARY)
bench_libs_iceoryx := -liceoryx_binding_c
bench_libs_gstreamer = $(shell pkg-config --libs gstreamer-app-1.0)
bench_libs_zeromq := -lzmq
$(BUILD)/obj/tests/bench/bench_iceoryx.o: override CFLAGS += \
	-isystem $(firstword $(wildcard /usr/include/iceoryx/*))
$(BUILD)/obj/tests/bench/bench_gstreamer.o: override CFLAGS += \
	$(shell pkg-config --cflags gstreamer-app-1.0)
$(bench_programs): $(BUILD)/bench/bench_%: \
		$(BUILD)/obj/tests/bench/bench.o $(BUILD)/obj/tests/bench/bench_%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -pthread -o $@ $(filter %.o,$^) $(bench_libs_$*)

# The bench of the server against other MJPEG servers.
bench_http_programs := $(addprefix $(BUILD)/bench/,http_load bare_http fake_camera.so)
$(BUILD)/bench/http_load: $(call obj,tests/bench/push_parser.c)
$(BUILD)/bench/fake_camera.so: LDFLAGS += -shared
$(bench_http_programs): $(BUILD)/bench/%: \
		$$(call obj,tests/bench/$$(basename $$*).c tests/bench/clip.c) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) $(call libs,common)

# The bench of chains, of the pool that runs them, and of programs in them.
bench_chain_programs := $(addprefix $(BUILD)/bench/chain_,bare identity pool watch)
$(bench_chain_programs): $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -pthread -o $@ $(filter %.o,$^) $(LIBRARY) \
		$(if $(filter %/chain_bare,$@),$(call libs,capture) -lavfilter) $(call libs,common)

.PHONY: bench bench-ring bench-http bench-chain bench-build deps-bench
deps-bench:
	@scripts/deps.sh build bench
bench-build: $(bench_programs) $(bench_http_programs) $(bench_chain_programs)
bench:
	+@failed=; for bench in bench-ring bench-http bench-chain; do \
		$(MAKE) --no-print-directory $$bench || failed=1; \
	done; [ ! "$$failed" ]
bench-ring: deps-bench
	$(PARALLEL) bench-build
	@$(PYTHON) -B tests/bench/bench.py $(BUILD)/bench $(BENCH)
bench-http: deps-bench
	$(PARALLEL) all bench-build
	@CAMRING_BUILD=$(BUILD) $(PYTHON) -B tests/bench/bench_http.py $(BUILD)/bench $(BENCH)
bench-chain: deps-bench
	$(PARALLEL) all bench-build
	@CAMRING_BUILD=$(BUILD) $(PYTHON) -B tests/bench/bench_chain.py $(BUILD)/bench $(BENCH)

# What is installed, as MODE,FILE,PLACE below PREFIX; for a link its target instead of a file.
# Debian's Python looks for modules below /usr and /usr/local in different folders.
PREFIX ?= /usr/local
DESTDIR ?=
python_version = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' \
	2>/dev/null || echo 3)
dist_packages = lib/python$(if $(filter-out /usr,$(PREFIX)),$(python_version),3)/dist-packages
# Below /usr where GStreamer looks for plugins, elsewhere where GST_PLUGIN_PATH has to point.
plugins = $(if $(filter-out /usr,$(PREFIX)),lib/gstreamer-1.0,$(patsubst \
	/usr/%,%,$(shell pkg-config --variable=pluginsdir gstreamer-1.0)))
plugin_installed = 644,$(PLUGIN),$(plugins)/libgstcamring.so
public_names = $(shell sed -n 's/^ *\(camring_.*\);/\1/p' common/libcamring.map)
library := libcamring.so.$(SOVERSION)
installed = $(foreach name,$(PROGRAMS),755,$(BUILD)/bin/$(name),bin/$(name)) \
	644,common/camring.h,include/camring.h \
	644,$(BUILD)/lib/libcamring.a,lib/libcamring.a \
	644,$(BUILD)/lib/$(library),lib/$(library) \
	link,$(library),lib/libcamring.so \
	644,$(BUILD)/camring.pc,lib/pkgconfig/camring.pc \
	$(if $(PLUGIN),$(plugin_installed)) \
	644,common/python/camring.py,$(dist_packages)/camring.py \
	644,$(BUILD)/camring.service,lib/systemd/system/camring.service \
	644,scripts/camring.socket,lib/systemd/system/camring.socket \
	644,scripts/camring.sysusers,lib/sysusers.d/camring.conf \
	644,common/camring.3,share/man/man3/camring.3 \
	$(foreach name,$(public_names),link,camring.3,share/man/man3/$(name).3) \
	644,common/supervisor/camring.1,share/man/man1/camring.1 \
	644,common/shmtool/camring-shm.1,share/man/man1/camring-shm.1 \
	644,$(BUILD)/man/camring.yaml.5,share/man/man5/camring.yaml.5 \
	644,$(BUILD)/completion/camring,share/bash-completion/completions/camring \
	$(foreach name,$(documents),644,$(name),share/doc/camring/$(notdir $(name))) \
	$(foreach name,$(linked_documents),644,$(name),share/doc/camring/$(name))
documents := camring.yaml README.md LICENSE
# What README.md shows and links to, at the same paths below it.
linked_documents := CONTRIBUTING.md SECURITY.md common/ring_layout.h \
	$(wildcard scripts/examples/*.py scripts/examples/*.c scripts/readme/*.png)
target := $(DESTDIR)$(PREFIX)

install: all
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
		common/camring.pc.in >$(BUILD)/camring.pc
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' scripts/camring.service >$(BUILD)/camring.service
	@set -e; for entry in $(installed); do \
		IFS=,; set -- $$entry; unset IFS; \
		if [ $$1 = link ]; then ln -sf "$$2" "$(target)/$$3"; \
		else install -D -m $$1 "$$2" "$(target)/$$3"; fi; \
	done
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || PATH=$$PATH:/sbin:/usr/sbin ldconfig
	@echo "installed in $(target)"
uninstall:
	@for entry in $(installed); do rm -f "$(target)/$${entry##*,}"; done
	@rm -f $(target)/$(dist_packages)/__pycache__/camring.*.pyc
	@[ ! -d $(target)/share/doc/camring ] || \
		find $(target)/share/doc/camring -depth -type d -empty -delete
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || PATH=$$PATH:/sbin:/usr/sbin ldconfig

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
