# make demo          play a real sound file through the ring and compare what arrived
# make test          everything: style, types, documentation, wheels, unit, contract, and the lab's real kernels
# make docs          the documentation as a site: build/docs/index.html
# make wheel         what an index would be given, checked, in dist/: an sdist, and wheels for x86-64 and arm64
# make bench         what calls cost against other ways of doing the same: a table, and docs/benchmarks
# make bench-kernel  CPU time of a second of sound on real drivers, beside other players: docs/benchmarks/kernel.md
# make reliability   for a night: the long runs (model, soak, faults, sanitize, fuzz…), and docs/reliability.md from them
# CONTRIBUTING.md has the parts of each. They install what they need: Debian packages (asking for root only for that) and a
# virtualenv in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LAB := $(BIN)/python -m tests.kernel
SOUND ?= /usr/share/sounds/alsa/Front_Center.wav
WORKERS ?= 4 # more than cores: most cases wait
C_SOURCES := $(wildcard alsamm/_c/*.c alsamm/_c/*.h alsamm/_c/*.cdef) build_ffi.py setup.py pyproject.toml

.PHONY: demo test host check check-c docs peers unit memory wheel packages sanitize fuzz lifetimes parallel stalls model soak \
	soak-software soak-aloop faults faults-6.1 faults-suspend faults-6.12 faults-arm64 reliability reliability-page bench bench-kernel lab lab-timed lab-counted lab-6.1 lab-more lab-6.12 lab-arm64 lab-busy \
	lab-faults clean

demo: $(VENV)/.built
	$(BIN)/python -m alsamm demo $(SOUND)

# Guests whose time counts instructions are never late, whoever else wants the machine: they run behind the host's tests.
test: $(VENV)/.lab build/.wheels
	$(MAKE) --jobs=2 --output-sync=target host lab-counted
	$(MAKE) lab-timed

host:
	$(MAKE) check
	$(MAKE) docs
	$(MAKE) memory
	$(MAKE) packages
	$(MAKE) unit

check: check-c
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

check-c: $(VENV)/.checkers
	PYTHON=$(BIN)/python tools/check-c

# Every warning is an error, a dead link or an undocumented name too. The site is build/docs/index.html.
docs: $(VENV)/.checkers
	$(BIN)/python -m sphinx -b html -E -W -n --keep-going -q docs build/docs

# Where the package stands beside those that are installed, by trying them: README.md's table.
peers: $(VENV)/.checkers
	$(BIN)/python -m tests.docs.peers

# What failed while the machine itself stood still is tried again, and told (tests/witness.py). What hangs is ended.
UNIT := $(BIN)/python -m pytest -p tests.witness -o faulthandler_timeout=240 -o faulthandler_exit_on_timeout=true
unit: $(VENV)/.checkers
	$(UNIT) -n $(WORKERS) --dist worksteal -m "not alone"
	$(UNIT) -m alone

wheel: build/.wheels

build/.wheels: $(VENV)/.wheels $(C_SOURCES) $(shell find alsamm tools -name '*.py') $(wildcard _alsamm_*.py) README.md MANIFEST.in
	$(BIN)/python -m tools.wheels
	mkdir -p build
	touch $@

# Each on every CPython that is here and in a Debian that is not, without a compiler; the arm64 wheel runs in lab-arm64.
packages: wheel
	$(BIN)/python -m pytest tests/packaging

# 10,000 opens and closes with something going wrong: what they leave. Writes docs/reliability/lifetimes.json.
lifetimes: $(VENV)/.checkers
	$(BIN)/python -m tests.reliability.lifetimes

# Cases that may run beside themselves, each in four threads at a time.
parallel: $(VENV)/.checkers
	$(BIN)/python -m pytest --parallel-threads=4 --iterations=50 tests/unit/test_parallel.py

# The tests, stopped again and again for less than the witness sees, which may fail none.
stalls: $(VENV)/.checkers
	$(BIN)/python -m tests.stalls -n $(WORKERS) --dist worksteal -m "not alone"
	$(BIN)/python -m tests.stalls -m alone

# A taste of the next two: what moves samples and pointers, and seconds of fuzzing.
memory: $(VENV)/.checkers
	$(BIN)/python -m tests.sanitize --tools asan --smoke
	$(BIN)/python -m tests.fuzz --seconds 4

# Long: most tests under AddressSanitizer with UBSan, ThreadSanitizer and valgrind. SANITIZE="--tools tsan" takes one.
sanitize: $(VENV)/.checkers
	$(BIN)/python -m tests.sanitize --keep $(SANITIZE)

# Longer is better: FUZZ="--seconds 3600".
fuzz: $(VENV)/.checkers
	$(BIN)/python -m tests.fuzz --keep $(FUZZ)

# No card is needed. A missed target is told and fails nothing; BENCH="-k write" measures a part and writes no docs.
bench: $(VENV)/.checkers
	$(BIN)/python -m tests.bench $(BENCH)
	$(BIN)/python -m docs.pictures

# In the lab, in time that counts instructions. A missed target fails nothing.
bench-kernel: $(VENV)/.lab
	$(BIN)/python -m tests.bench.kernel

# Both write to docs/reliability. STEPS and SOAK (seconds of sound) for shorter runs.
STEPS ?= 100000
SOAK ?= 3600
SOAK_ALOOP ?= 1800

model: $(VENV)/.lab
	$(BIN)/python -m tests.model --steps $(STEPS)
	$(COUNTED) --devices aloop,dummy --timeout 3600 --shell-command 'ALSAMM_MODEL_STEPS=2000 "$$LAB_PYTHON" -m pytest tests/kernel/test_model.py --devices="$$LAB_DEVICES" -q -p no:cacheprovider'

soak: soak-software soak-aloop

soak-software: $(VENV)/.checkers
	$(BIN)/python -m tests.reliability.soak --seconds $(SOAK)

# Time that counts instructions leaps while the guest idles: half an hour of the kernel's own time, in minutes of ours.
soak-aloop: $(VENV)/.lab
	$(BIN)/python -m tests.reliability.soak_lab $(SOAK_ALOOP)

# Real kernels: snd-dummy, aloop, HDA, AC'97, ES1370, USB on amd64; aloop, HDA, USB on arm64, where both pages are refused.
lab: lab-timed lab-counted

# Two processors and this machine's time.
lab-timed: lab-6.1

# One processor, and time that counts its instructions (tests/kernel/README.md).
COUNTED := nice -n 5 $(LAB) --icount
lab-counted: lab-more lab-6.12 lab-arm64 lab-busy lab-faults

# What the kernel grants a thread is asked here, for root may raise limits there.
LIMITS := tests/unit/test_realtime.py,tests/unit/test_realtime_memory.py
LAB_TESTS := tests/contract,tests/kernel/test_end_to_end.py

lab-6.1: $(VENV)/.lab
	$(LAB) --devices aloop,hda,usb,hda-wav,usb-wav --tests $(LAB_TESTS),tests/kernel/test_threads.py,$(LIMITS)

lab-more: $(VENV)/.lab
	$(COUNTED) --devices dummy,dummy-nonint,ac97,es1370 --tests $(LAB_TESTS)
	$(COUNTED) --devices aloop,dummy --tests tests/kernel/test_model.py,tests/kernel/test_clock.py
	$(COUNTED) --devices aloop,hda,usb --tests tests/kernel/test_examples.py,tests/kernel/test_tools.py

lab-6.12: $(VENV)/.lab
	$(COUNTED) --kernel 6.12 -k "not test_streams or aloop or usb"

# Conversion has its own instructions there, so its tests run there too.
lab-arm64: $(VENV)/.lab wheel
	$(COUNTED) --arch arm64 --tests $(LAB_TESTS),tests/unit/test_convert.py,tests/kernel/test_wheel.py

lab-busy: $(VENV)/.lab
	$(COUNTED) --devices dummy,hda,usb --tests tests/kernel/test_busy_thread.py,tests/kernel/test_native.py
	$(COUNTED) --devices aloop --tests tests/kernel/test_synth.py

# Every seventh case of what may happen to a stream. All of them, on every device and kernel, take hours: make faults.
FAULTS := $(shell echo $(filter-out %_suspend.py,$(wildcard tests/kernel/test_faults_*.py)) | tr ' ' ,)
SUSPEND := tests/kernel/test_faults_suspend.py

lab-faults: $(VENV)/.lab
	$(COUNTED) --devices aloop,hda,usb,dummy --tests $(FAULTS) $(FIGURES)
	$(COUNTED) --devices aloop,hda --sleeps --tests $(SUSPEND),--table=faults-suspend $(FIGURES)

# The outcomes are written to docs/reliability, a table for each kernel.
ALL_FAULTS := --timeout 7200 --figures --tests $(FAULTS),--all-faults
TAKEN := aloop,hda,usb,dummy,ac97,es1370
faults: faults-6.1 faults-suspend faults-6.12 faults-arm64

faults-6.1: $(VENV)/.lab
	$(COUNTED) --devices $(TAKEN) $(ALL_FAULTS),--table=faults

faults-suspend: $(VENV)/.lab
	$(COUNTED) --devices aloop,hda --sleeps --figures --tests $(SUSPEND),--each-fault,--table=faults-suspend

faults-6.12: $(VENV)/.lab
	$(COUNTED) --kernel 6.12 --devices $(TAKEN) $(ALL_FAULTS),--table=faults-6.12

faults-arm64: $(VENV)/.lab
	$(COUNTED) --arch arm64 --devices aloop,hda,usb $(ALL_FAULTS),--table=faults-arm64

# One that fails does not cost the others the night.
LONG_RUNS := lifetimes parallel stalls fuzz model soak sanitize faults

reliability:
	$(MAKE) --keep-going --jobs=1 $(LONG_RUNS) reliability-page

reliability-page: $(VENV)/.checkers
	$(BIN)/python -m tests.reliability

$(VENV)/.created: debian-packages.txt tools/debian-packages
	tools/debian-packages debian-packages.txt
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.built: $(VENV)/.created $(C_SOURCES)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.checkers: $(VENV)/.built
	tools/debian-packages tests/packages.txt
	$(BIN)/pip install --quiet --editable '.[test,check,bench,docs,package]'
	touch $@

$(VENV)/.wheels: $(VENV)/.checkers tools/packages.txt
	tools/debian-packages tools/packages.txt
	touch $@

$(VENV)/.lab: $(VENV)/.checkers tests/kernel/packages.txt
	tools/debian-packages --lists tests/kernel/packages.txt
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info alsamm/_c/*.so alsamm/_c/_native.c
