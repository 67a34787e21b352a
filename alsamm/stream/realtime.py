"""What the system grants a thread that must never be late: a real-time scheduler, locked memory, short collections."""

from __future__ import annotations

import gc
import operator
import os
import resource
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from alsamm import errors
from alsamm._c import check, ffi, lib

__all__ = ["Realtime", "realtime"]

# Above the 50 that Linux gives its interrupt threads, below the 80s and 90s where systems tuned for sound have the
# sound card's own interrupt and PipeWire (88): neither the card nor the sound server must wait for us.
_PRIORITY = 70

# With less than this left below RLIMIT_MEMLOCK later pages are not locked: each new thread takes up to 136 MiB of it (a
# stack of 8 and, for a moment, 128 of malloc), and what does not fit raises MemoryError, worse than a page fault.
_FUTURE_ROOM = 1 << 30

_REALTIME = {os.SCHED_FIFO: "FIFO", os.SCHED_RR: "RR"}
_ORDINARY = {os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE}
_PROCESSORS = Path("/sys/devices/system/cpu")

_ALLOW_FIFO = (
    "Let root put '@audio - rtprio 95' and '@audio - nice -19' into /etc/security/limits.d/audio.conf and the user "
    "into the group audio (usermod -aG audio USER), then log in anew; for a systemd service set LimitRTPRIO=95; for a "
    "container give --cap-add=sys_nice --ulimit rtprio=95."
)
_ALLOW_LOCKING = (
    "Let root put '@audio - memlock unlimited' into /etc/security/limits.d/audio.conf and the user into the group "
    "audio (usermod -aG audio USER), then log in anew; for a systemd service set LimitMEMLOCK=infinity; for a "
    "container give --cap-add=ipc_lock --ulimit memlock=-1."
)


@dataclass(frozen=True)
class Realtime:
    """What :func:`realtime` got; ``str()`` tells it in lines to be read.

    - ``scheduler``: "FIFO" or "RR" (real-time), "nice" (the ordinary one, at a nice value below 0) or "other".
    - ``priority``: 1 to 99 of a real-time thread, else 0.
    - ``nice``: -20, the best, to 19; a real-time thread has one too, which does nothing.
    - ``memory_locked``: all memory that the process has; ``future_locked``: also what it will allocate.
    - ``gc_frozen``: the collector leaves alone what was there at the beginning.
    - ``rttime_us``: how long, in microseconds, a real-time thread may run without sleeping before SIGXCPU, which kills
      the process (RLIMIT_RTTIME; rtkit sets it); None: as long as it likes.
    - ``advice``: for each thing that was not granted, what to change in the system.

    Synchronization: immutable.
    """

    scheduler: str
    priority: int
    nice: int
    memory_locked: bool
    future_locked: bool
    gc_frozen: bool
    rttime_us: int | None
    advice: tuple[str, ...]

    def __str__(self) -> str:
        scheduler = f"{self.scheduler} at priority {self.priority}" if self.priority else f"no, nice {self.nice}"
        locked = "all, later allocations too" if self.future_locked else "present" if self.memory_locked else "no"
        told = f"real-time: {scheduler}; memory locked: {locked}; collector frozen: {'yes' if self.gc_frozen else 'no'}"
        return "\n".join([told, *(f"- {advice}" for advice in self.advice)])


@contextmanager
def realtime(
    priority: int | None = None, *, lock_memory: bool = True, freeze_gc: bool = True
) -> Generator[Realtime, None, None]:
    """Make the calling thread as punctual as the system allows, while the ``with`` lasts; gives a :class:`Realtime`.

    Nothing is raised because a privilege is missing: the best that is allowed is taken, and ``advice`` says what to
    change. On leaving, all is as it was. It may be nested, and several threads may each have one.

    - The thread gets SCHED_FIFO at ``priority`` (1 to 99; 70 by default), else at the highest that RLIMIT_RTPRIO
      allows, else the best nice value that RLIMIT_NICE allows (sched(7), setpriority(2); both are the thread's own in
      Linux). A thread that is real-time already, at this priority or higher, stays as it is, for without the privilege
      it could not be put back. No scheduler spares it waiting for the GIL while another thread has it.
    - ``lock_memory``: all of the process's memory is made present and kept from being paged out (mlockall(2)), unused
      stacks too: some 150 MiB with numpy, and 8 or more for each further thread. Below a finite RLIMIT_MEMLOCK later
      allocations are locked only if 1 GiB is left, for those that exceed the limit would fail. If anything was locked
      before by somebody else, nothing is unlocked on leaving, for munlockall(2) knows no difference.
    - ``freeze_gc``: garbage is collected and whatever is left is not looked at any more (gc.freeze), so that a
      collection takes the time of what was made since. The collector stays enabled: without it a long run would leak
      its cycles. Leaving also unfreezes what others froze, for gc.unfreeze knows no difference.

    Threads that are started in the ``with``, by Python or by C, inherit the scheduler, and keep it when it ends. So do
    processes: start them before, or with ``chrt --other 0``. SCHED_RESET_ON_FORK would spare them this but is not set,
    because it resets new threads too, and without privilege cannot be taken back. Where the thread has it already it
    stays, and ``advice`` says so.

    Raises ArgumentError (a priority that there is not), ArgumentTypeError (no integer), AlsaOSError on leaving if the
    kernel refuses to put the scheduler back (privileges were dropped in between); the rest is put back even then.

    Synchronization: entered and left by the same thread; memory and collector are the whole process's, kept until the
    last thread leaves.
    """
    wanted = _checked(priority)
    with ExitStack() as stack:
        # The scheduler last, so that the others' milliseconds are not spent in real time.
        if freeze_gc:
            _collector.hold()
            stack.callback(_collector.let_go)
        memory_locked = lock_memory and _memory.hold()
        if memory_locked:
            stack.callback(_memory.let_go)
        future_locked = memory_locked and _memory.future
        _schedule(wanted, stack)

        policy, got = _scheduler()
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        ordinary = "nice" if policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER and nice < 0 else "other"
        rttime_us = _limit(resource.RLIMIT_RTTIME)
        yield Realtime(
            scheduler=_REALTIME.get(policy & ~os.SCHED_RESET_ON_FORK, ordinary),
            priority=got,
            nice=nice,
            memory_locked=memory_locked,
            future_locked=future_locked,
            gc_frozen=freeze_gc,
            rttime_us=rttime_us,
            advice=(
                *_scheduler_advice(wanted, policy, got, rttime_us),
                *(_memory_advice(memory_locked) if lock_memory and not future_locked else ()),
                *_governor_advice(),
            ),
        )


class _Collector:
    """The frozen garbage collector, which is one for all threads. Synchronization: any thread."""

    def __init__(self) -> None:
        self._holders = 0
        self._lock = threading.Lock()

    def hold(self) -> None:
        gc.collect()  # what is garbage now would be frozen with the rest; not under the lock, for it runs finalizers
        with self._lock:
            gc.freeze()
            self._holders += 1

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                gc.unfreeze()

    def after_fork(self) -> None:
        self._lock = threading.Lock()  # another thread of the parent may have held it


class _Memory:
    """The process's locked memory, which is one for all threads. Synchronization: any thread."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Of a child nothing is locked."""
        self.future = False
        self._holders = 0
        self._others = False
        self._lock = threading.Lock()

    def hold(self) -> bool:
        with self._lock:
            if not self._holders:
                self._others = _proc_bytes("VmLck") > 0
            # Once later pages are locked there is nothing to add, and a second call could only take that away.
            if not self.future:
                future = _may_lock_future()
                if lib.alsamm_lock_memory(future) < 0:
                    return False
                self.future = future
            self._holders += 1
            return True

    def let_go(self) -> None:
        with self._lock:
            if not self._holders:
                return  # forked in the with: the locks stayed with the parent
            self._holders -= 1
            if not self._holders:
                self.future = False
                if not self._others:
                    check(lib.alsamm_unlock_memory(), "munlockall", meanings={})


_collector = _Collector()
_memory = _Memory()
os.register_at_fork(after_in_child=_collector.after_fork)
os.register_at_fork(after_in_child=_memory.after_fork)


def _checked(priority: int | None) -> int:
    low, high = os.sched_get_priority_min(os.SCHED_FIFO), os.sched_get_priority_max(os.SCHED_FIFO)
    try:
        number = _PRIORITY if priority is None else operator.index(priority)
    except TypeError:
        raise errors.ArgumentTypeError(f"priority {priority!r}: an integer or None") from None
    if not low <= number <= high:
        raise errors.ArgumentError(f"priority {number}: {low} to {high}")
    return number


def _limit(which: int) -> int | None:
    """The soft limit; None: there is none."""
    soft = resource.getrlimit(which)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _proc_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise errors.UnsupportedError(f"/proc/self/status has no {field}")


def _may_lock_future() -> bool:
    limit = _limit(resource.RLIMIT_MEMLOCK)
    size = _proc_bytes("VmSize")
    # More memory than the limit can only be locked by a process that no limit holds for (CAP_IPC_LOCK), and if this is
    # none, the kernel refuses the call. Capabilities in /proc would not tell: those of a user namespace do not count.
    return limit is None or size > limit or limit - size >= _FUTURE_ROOM


def _scheduler() -> tuple[int, int]:
    """Policy, with SCHED_RESET_ON_FORK, and priority."""
    priority = ffi.new("int *")
    policy = check(lib.alsamm_get_scheduler(priority), "sched_getscheduler", meanings={})
    return policy, int(priority[0])


def _schedule(wanted: int, stack: ExitStack) -> None:
    """Take the best for this thread; ``stack`` puts it back."""
    policy, priority = _scheduler()
    reset = policy & os.SCHED_RESET_ON_FORK  # cannot be taken away without privilege
    kind = policy & ~reset
    if kind not in _ORDINARY and kind not in _REALTIME:
        return  # of those that we do not know (DEADLINE, EXT) we could not put back the parameters
    limit = _limit(resource.RLIMIT_RTPRIO)
    allowed = wanted if limit is None else min(wanted, limit)
    for attempt in (wanted, allowed):
        # Never lower: without the privilege it could not go back up.
        if attempt > priority and lib.alsamm_set_scheduler(os.SCHED_FIFO | reset, attempt) == 0:
            stack.callback(_put_back, policy, priority)
            return
    if kind in _ORDINARY:
        _renice(stack)


def _put_back(policy: int, priority: int) -> None:
    check(lib.alsamm_set_scheduler(policy, priority), "sched_setscheduler", meanings={})


def _renice(stack: ExitStack) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    limit = _limit(resource.RLIMIT_NICE)
    allowed = -20 if limit is None else 20 - limit
    for attempt in (-20, allowed):
        if attempt < before:
            with suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, 0, attempt)
                stack.callback(os.setpriority, os.PRIO_PROCESS, 0, before)
                return


def _scheduler_advice(wanted: int, policy: int, got: int, rttime_us: int | None) -> Generator[str, None, None]:
    kind = policy & ~os.SCHED_RESET_ON_FORK
    limit = _limit(resource.RLIMIT_RTPRIO)
    at_limit = limit is not None and limit <= got
    if kind not in _ORDINARY and kind not in _REALTIME:
        yield f"The thread's scheduling policy, number {kind}, is one that could not be put back, so it was left alone."
    elif got < wanted:
        had = f"Real-time priority {got} instead of {wanted}" if got else "No real-time scheduling"
        if at_limit:
            yield f"{had}: RLIMIT_RTPRIO is {limit}. {_ALLOW_FIFO}"
        else:
            yield (
                f"{had}, although RLIMIT_RTPRIO allows it: look for a control group without real-time budget "
                "(cpu.rt_runtime_us) or a seccomp filter of the container or service (systemd: RestrictRealtime=no)."
            )
    if got and policy & os.SCHED_RESET_ON_FORK:
        yield (
            "The thread had SCHED_RESET_ON_FORK, so threads that it starts will not be real-time: start them from a "
            "thread without it, or let each of them enter realtime() itself."
        )
    if got and rttime_us is not None:
        yield (
            f"RLIMIT_RTTIME is {rttime_us} microseconds: should the thread run that long without sleeping, SIGXCPU "
            "kills the process. For a systemd service set LimitRTTIME=infinity; rtkit-daemon sets its own limit "
            "(--rttime-usec-max)."
        )


def _memory_advice(memory_locked: bool) -> Generator[str, None, None]:
    limit = _limit(resource.RLIMIT_MEMLOCK)
    told = "no limit" if limit is None else f"{limit >> 10} KiB"
    if memory_locked:
        yield (
            f"Only the present memory is locked, what will be allocated is not: RLIMIT_MEMLOCK, {told}, is too near. "
            f"{_ALLOW_LOCKING}"
        )
    else:
        size = _proc_bytes("VmSize") >> 10
        yield f"Memory is not locked: RLIMIT_MEMLOCK is {told}, the process has {size} KiB. {_ALLOW_LOCKING}"


def _governor_advice() -> Generator[str, None, None]:
    governors = set[str]()
    for path in _PROCESSORS.glob("cpu*/cpufreq/scaling_governor"):
        with suppress(OSError):  # a processor that was just taken offline
            governors.add(path.read_text().strip())
    if "powersave" in governors:
        yield (
            "The processor's governor is powersave, which may keep it slow when a period is due: write performance to "
            f"{_PROCESSORS}/cpu*/cpufreq/scaling_governor (cpupower frequency-set -g performance)."
        )
