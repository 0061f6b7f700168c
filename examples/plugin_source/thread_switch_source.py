"""A noise source of another package: how long it takes to hand over from one thread to another and back."""

import threading
import time

from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource, SourceInfo


class ThreadSwitchSource(NoiseSource):
    """Nanoseconds from waking a partner thread to its answer; the low 8 bits are the sample."""

    info = SourceInfo(
        name="thread_switch",
        description="Hand-over time between two threads",
        category="timing",
        physics="Wake-up latency of the scheduler and the cache traffic between two cores.",
        independence_group="cpu_counter",  # timed by the CPU's own counter, like the timing sources of esoteric_drbg
        estimated_rate=2.0e4,
        # No recording was assessed: no evidence, no credit. The health tests still need an H for their cutoffs.
        claim=Claim(min_entropy=0.0, health_min_entropy=1.0),
    )

    def availability(self) -> Availability:
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        go, done = threading.Semaphore(0), threading.Semaphore(0)

        def partner() -> None:
            for _ in range(n_samples):
                go.acquire()
                done.release()

        threading.Thread(target=partner, daemon=True).start()
        samples = bytearray()
        for _ in range(n_samples):
            before = time.perf_counter_ns()
            go.release()
            done.acquire()
            samples.append(time.perf_counter_ns() - before & 0xFF)
        return bytes(samples)
