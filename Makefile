# make demo    play a real sound file through the ring and compare what arrived
# make test    everything: style, types, unit, contract, and the lab's real kernels
# make bench   what calls cost against other ways of doing the same: a table, and docs/benchmarks
# make bench-kernel   CPU time of a second of sound on real drivers, beside other players: docs/benchmarks/kernel.md
# They install what they need: Debian packages (asking for root only for that) and a virtualenv in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LAB := $(BIN)/python -m tests.kernel
SOUND ?= /usr/share/sounds/alsa/Front_Center.wav
C_SOURCES := $(wildcard alsamm/_c/*.c alsamm/_c/*.h alsamm/_c/*.cdef) build_ffi.py setup.py pyproject.toml

.PHONY: demo test check unit lifetimes parallel bench bench-kernel lab lab-6.1 lab-6.12 lab-arm64 lab-busy lab-faults faults clean

demo: $(VENV)/.built
	$(BIN)/python -m alsamm demo $(SOUND)

test: check unit lab

check: $(VENV)/.checkers
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

unit: $(VENV)/.checkers
	$(BIN)/python -m pytest

# 10,000 opens and closes with something going wrong: what they leave. Writes docs/reliability/lifetimes.json.
lifetimes: $(VENV)/.checkers
	$(BIN)/python -m tests.reliability.lifetimes

# Cases that may run beside themselves, each in four threads at a time.
parallel: $(VENV)/.checkers
	$(BIN)/python -m pytest --parallel-threads=4 --iterations=50 tests/unit/test_parallel.py

# No card is needed. A missed target is told and fails nothing; BENCH="-k write" measures a part and writes no docs.
bench: $(VENV)/.benches
	$(BIN)/python -m tests.bench $(BENCH)

# In the lab, in time that counts instructions. A missed target fails nothing.
bench-kernel: $(VENV)/.benches $(VENV)/.lab
	$(BIN)/python -m tests.bench.kernel

# Real kernels: snd-dummy, aloop, HDA, AC'97, ES1370, USB on amd64; aloop, HDA, USB on arm64, where both pages are refused.
lab: lab-6.1 lab-6.12 lab-arm64 lab-busy lab-faults

# What the kernel grants a thread is asked in the first, for root may raise limits there.
LIMITS := tests/unit/test_realtime.py,tests/unit/test_realtime_memory.py
LAB_TESTS := tests/contract,tests/kernel/test_end_to_end.py

lab-6.1: $(VENV)/.lab
	$(LAB) --arch amd64 --kernel 6.1 --tests $(LAB_TESTS),tests/kernel/test_clock.py,$(LIMITS)
	$(LAB) --arch amd64 --kernel 6.1 --devices aloop,hda --tests tests/kernel/test_examples.py

lab-6.12: $(VENV)/.lab
	$(LAB) --arch amd64 --kernel 6.12 -k "not test_streams or aloop or usb"

# Conversion has its own instructions there, so its tests run there too.
lab-arm64: $(VENV)/.lab
	$(LAB) --arch arm64 --kernel 6.1 --tests $(LAB_TESTS),tests/unit/test_convert.py

# Beside a busy thread, where guest time counts instructions: with the host's time every guest is late now and then.
lab-busy: $(VENV)/.lab
	$(LAB) --arch amd64 --kernel 6.1 --icount --devices dummy,hda,usb --tests tests/kernel/test_busy_thread.py,tests/kernel/test_native.py
	$(LAB) --arch amd64 --kernel 6.1 --icount --devices aloop --tests tests/kernel/test_synth.py

# Every seventh case of what may happen to a stream. All of them, on every device and kernel, take a night: make faults.
FAULTS := $(shell echo $(filter-out %_suspend.py,$(wildcard tests/kernel/test_faults_*.py)) | tr ' ' ,)
SUSPEND := tests/kernel/test_faults_suspend.py

lab-faults: $(VENV)/.lab
	$(LAB) --arch amd64 --kernel 6.1 --devices aloop,hda,usb,dummy --tests $(FAULTS) $(FIGURES)
	$(LAB) --arch amd64 --kernel 6.1 --devices aloop,hda --sleeps --tests $(SUSPEND),--table=faults-suspend $(FIGURES)

# The outcomes are written to docs/reliability, a table for each kernel.
faults: $(VENV)/.lab
	$(LAB) --kernel 6.1 --timeout 7200 --figures --tests $(FAULTS),--all-faults,--table=faults
	$(LAB) --kernel 6.1 --devices aloop,hda --sleeps --figures --tests $(SUSPEND),--each-fault,--table=faults-suspend
	$(LAB) --kernel 6.12 --timeout 7200 --figures --tests $(FAULTS),--all-faults,--table=faults-6.12
	$(LAB) --arch arm64 --timeout 7200 --figures --tests $(FAULTS),--all-faults,--table=faults-arm64

$(VENV)/.created: debian-packages.txt tools/debian-packages
	tools/debian-packages debian-packages.txt
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.built: $(VENV)/.created $(C_SOURCES)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.checkers: $(VENV)/.built
	tools/debian-packages tests/packages.txt
	$(BIN)/pip install --quiet --editable '.[test,check,bench]'
	touch $@

$(VENV)/.benches: $(VENV)/.checkers tests/bench/packages.txt
	tools/debian-packages tests/bench/packages.txt
	touch $@

$(VENV)/.lab: $(VENV)/.checkers tests/kernel/packages.txt
	tools/debian-packages --lists tests/kernel/packages.txt
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info alsamm/_c/*.so alsamm/_c/_native.c
