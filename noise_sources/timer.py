"""The start-up test of the CPU's counter, once per process: a counter that cannot time anything cannot time noise.

It looks for four faults and refuses each with the measured figure. A counter that passes gets no credit by that: credit
takes evidence that fits this counter, or what this machine itself shows (:mod:`esoteric_drbg.seeding.credit`).
"""

from __future__ import annotations

import functools

from esoteric_drbg.kernels.timing import CounterFacts, counter_facts

__all__ = ["COARSEST_NS", "CPU_COUNTER", "TRAPPED_NS", "fault_of", "timer_fault"]

#: Independence group of all sources that the CPU's counter times: their noise may have the same cause.
CPU_COUNTER = "cpu_counter"
#: Coarsest step in ns. The highest assessment of any source of ours is 6.64 bits in steps of 10 ns: most of its
#: durations lie within 1 us of each other. A step of half of that leaves the best source about one bit, and the others
#: nothing. Real counters are well below: 0.3 to 52 ns (TSC, CNTVCT), 100 ns (Windows), 279 ns (ACPI).
COARSEST_NS = 500.0
#: Longest read in ns. An instruction takes some 10, a call of the operating system some 100; a read of two
#: microseconds is answered by a hypervisor, an emulator, a signal handler or an I/O port.
TRAPPED_NS = 2000.0
#: One read in this many may be below the one before, after a move to a CPU whose counter is a little behind.
BACKWARDS_EVERY = 1000


def fault_of(facts: CounterFacts) -> str:
    """Return what is wrong with a counter, or an empty string.

    Examples
    --------
    >>> good = CounterFacts("tsc", 26.0, 2.6, 20.0, 18_432, 0, True)
    >>> fault_of(good)
    ''
    >>> fault_of(good._replace(read_ns=12_300.0))
    'the counter is trapped: one read takes 12.3 us'
    """
    if not facts.moved:
        return f"the counter is stuck: it did not move in {facts.reads:,} reads and 5 ms more"
    faults = []
    if facts.backwards * BACKWARDS_EVERY > facts.reads:
        faults.append(
            f"the counter runs backwards: {facts.backwards:,} of {facts.reads:,} reads are below the last one"
        )
    if facts.read_ns > TRAPPED_NS:
        faults.append(f"the counter is trapped: one read takes {facts.read_ns / 1000:.1f} us")
    if facts.step_ns > COARSEST_NS:
        faults.append(f"the counter is coarse: it moves by {facts.step_ns / 1000:.4g} us at a time")
    return "; ".join(faults)


@functools.cache
def timer_fault() -> str:
    """Return why this process's counter cannot time anything, or an empty string; measured once, in some 0.5 ms."""
    return fault_of(counter_facts())
