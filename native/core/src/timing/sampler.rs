//! Sources of timing deltas, named after the work that is timed.

use std::time::Instant;

use zeroize::Zeroize;

use super::beat::BeatWork;
use super::clock::ClockWork;
use super::counter::symbol_of;
use super::facts::step;
use super::flush::FlushWork;
use super::memory::{CpuWork, MemoryWork};
use super::pages::PageWork;
use super::sleep::SleepWork;
use super::threads::ThreadWork;
use super::work::{Between, Work, DEADLINE_STRIDE};
use crate::error::Error;
use crate::memory::{with_room, OutOfMemory};

/// Samples from which on a read of short work counts as long: it takes some 50 us.
const DETACH_SYMBOLS: usize = 1536;

/// Raw data that are overwritten when they are dropped. The vector never grows past its first allocation, so that no
/// copy stays behind; its unused rest never becomes memory.
pub struct Raw(Vec<u8>);

impl Raw {
    /// Room for `n` values of `width` bytes.
    fn with_room(n: usize, width: usize) -> Result<Self, OutOfMemory> {
        Ok(Self(with_room(n.checked_mul(width).ok_or(OutOfMemory)?)?))
    }
}

impl std::ops::Deref for Raw {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

enum Kind {
    Clock(ClockWork),
    Sleep(SleepWork),
    Memory(MemoryWork),
    Cpu(Box<CpuWork>),
    Flush(FlushWork),
    Pages(PageWork),
    Thread(ThreadWork),
    Beat(BeatWork),
}

/// Give one delta after another to `sink`, until there are `n` or the deadline has passed. Reading the clock is not
/// part of a delta: the noise is the same with and without a deadline.
#[inline(always)]
fn measure<W: Work>(work: &mut W, n: usize, until: Option<Instant>, stride: usize, mut sink: impl FnMut(u64)) {
    let mut before = W::counter();
    for index in 0..n {
        if index % stride == stride - 1 {
            if let Some(until) = until {
                if Instant::now() >= until {
                    return;
                }
                before = W::counter();
            }
        }
        match work.between() {
            Between::Nothing => {}
            Between::Paused => before = W::counter(),
            Between::Failed => return,
        }
        work.run();
        let now = W::counter();
        sink(now.wrapping_sub(before));
        before = now;
    }
}

impl Kind {
    fn measure(&mut self, n: usize, until: Option<Instant>, sink: impl FnMut(u64)) {
        match self {
            Kind::Clock(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Sleep(work) => {
                work.try_out();
                measure(work, n, until, 1, sink);
            }
            Kind::Memory(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Cpu(work) => measure(work.as_mut(), n, until, DEADLINE_STRIDE, sink),
            Kind::Flush(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Pages(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Thread(work) => measure(work, n, until, 1, sink),
            Kind::Beat(work) => work.measure(n, until, sink),
        }
    }

    /// The divisor of a raw value: ticks advance in steps of the counter, increments one by one.
    fn unit(&self) -> f64 {
        match self {
            Kind::Beat(_) => 1.0,
            _ => step(),
        }
    }

    fn failure(&mut self) -> Option<String> {
        match self {
            Kind::Clock(work) => work.failure.take(),
            Kind::Sleep(work) => work.failure.take(),
            Kind::Pages(work) => work.failure.take(),
            Kind::Thread(work) => work.failure.take(),
            Kind::Beat(work) => work.failure.take(),
            _ => None,
        }
    }

    fn symbols(&mut self, n: usize, until: Option<Instant>) -> Result<Raw, OutOfMemory> {
        let step = self.unit();
        let mut symbols = Raw::with_room(n, 1)?;
        self.measure(n, until, |delta| symbols.0.push(symbol_of(delta, step)));
        Ok(symbols)
    }

    fn wide(&mut self, n: usize, until: Option<Instant>) -> Result<Raw, OutOfMemory> {
        let mut deltas = Raw::with_room(n, 8)?;
        self.measure(n, until, |delta| deltas.0.extend_from_slice(&delta.to_le_bytes()));
        Ok(deltas)
    }

    /// True if reading `n` samples takes so long that other threads should run meanwhile.
    fn is_long(&self, n: usize) -> bool {
        let per_symbol = match self {
            Kind::Clock(work) => work.reads() * 8,
            Kind::Sleep(_) | Kind::Thread(_) | Kind::Beat(_) => return true,
            Kind::Flush(work) => work.touches * 5,
            Kind::Pages(work) => work.touches * 50,
            Kind::Memory(work) => work.touches.div_ceil(3),
            Kind::Cpu(work) => 2 + work.memory.touches.div_ceil(3),
        };
        n.saturating_mul(per_symbol) > DETACH_SYMBOLS
    }
}

/// A source of timing deltas. `kind` is `clock`, `sleep`, `memory`, `cpu`, `flush`, `pages`, `thread` or `beat`.
/// `touches` is how many times the work is repeated for one sample; for `beat`, how many ticks a sample lasts.
pub struct Sampler(Kind);

impl Sampler {
    pub fn new(kind: &str, buffer_bytes: usize, touches: usize) -> Result<Self, Error> {
        if !buffer_bytes.is_power_of_two() || !(256..=1 << 30).contains(&buffer_bytes) || !(1..=1024).contains(&touches)
        {
            let message = format!(
                "buffer_bytes={buffer_bytes}, touches={touches}: expected a power of two from 256 to 2^30, and 1 to 1024"
            );
            return Err(Error::InvalidInput(message));
        }
        let no_memory = |OutOfMemory| Error::OutOfMemory(format!("a buffer of {buffer_bytes} bytes"));
        Ok(Self(match kind {
            "clock" => Kind::Clock(ClockWork::new(touches)),
            "sleep" => Kind::Sleep(SleepWork::default()),
            "memory" => Kind::Memory(MemoryWork::new(buffer_bytes, touches).map_err(no_memory)?),
            "cpu" => Kind::Cpu(Box::new(CpuWork::new(buffer_bytes, touches).map_err(no_memory)?)),
            "flush" => Kind::Flush(FlushWork::new(buffer_bytes, touches).map_err(no_memory)?),
            "pages" => Kind::Pages(PageWork::new(buffer_bytes, touches)?),
            "thread" => Kind::Thread(ThreadWork { failure: None }),
            "beat" => Kind::Beat(BeatWork { ticks: touches as u64, failure: None }),
            _ => {
                let kinds = "clock, sleep, memory, cpu, flush, pages, thread or beat";
                return Err(Error::InvalidInput(format!("kind='{kind}': expected {kinds}")));
            }
        }))
    }

    /// `n` samples, one a byte; fewer if the deadline passes first.
    pub fn symbols(&mut self, n: usize, until: Option<Instant>) -> Result<Raw, OutOfMemory> {
        self.0.symbols(n, until)
    }

    /// `n` deltas at full width, little-endian u64; fewer if the deadline passes first.
    pub fn wide(&mut self, n: usize, until: Option<Instant>) -> Result<Raw, OutOfMemory> {
        self.0.wide(n, until)
    }

    /// Why the last read could not go on; returned once.
    pub fn failure(&mut self) -> Option<String> {
        self.0.failure()
    }

    /// True if reading `n` samples takes so long that other threads should run meanwhile.
    pub fn is_long(&self, n: usize) -> bool {
        self.0.is_long(n)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn gcd_of_the_deltas_divides_them() {
        let step = step();
        let mut kind = Kind::Clock(ClockWork::new(1));
        let mut broken = 0;
        kind.measure(1000, None, |delta| {
            let delta = delta as f64;
            broken += u32::from((delta - (delta / step).round() * step).abs() > 1.5);
        });
        assert!(broken <= 50, "{broken} of 1000 deltas are no multiple of {step}");
        // moves to another CPU
    }

    #[test]
    fn a_passed_deadline_returns_what_there_is() {
        let mut kind = Kind::Sleep(SleepWork::default());
        let got = kind.symbols(1_000_000, Some(Instant::now() + Duration::from_millis(500))).unwrap();
        assert!(!got.0.is_empty() && got.0.len() < 1_000_000);
    }

    #[test]
    fn room_that_cannot_be_had_is_no_abort() {
        assert!(Raw::with_room(usize::MAX, 1).is_err());
        assert!(Raw::with_room(usize::MAX / 4, 8).is_err());
        assert!(Kind::Clock(ClockWork::new(1)).wide(usize::MAX, None).is_err());
    }

    #[test]
    fn short_reads_and_long_ones() {
        let memory = |touches| Kind::Memory(MemoryWork::new(256, touches).unwrap());
        assert!(!memory(3).is_long(1536) && memory(3).is_long(1537));
        assert!(!memory(1024).is_long(4) && memory(1024).is_long(5));
        assert!(Kind::Sleep(SleepWork::default()).is_long(1));
        let cpu = Kind::Cpu(Box::new(CpuWork::new(256, 4).unwrap()));
        assert!(!cpu.is_long(384) && cpu.is_long(385));
        assert!(Kind::Clock(ClockWork::new(1)).is_long(usize::MAX));
    }
}
