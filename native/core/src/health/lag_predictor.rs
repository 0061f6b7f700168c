//! The Lag Predictor Test, developer-defined (SP 800-90B 4.5), on a stream in chunks of any size.
//!
//! A block is counted for all lags at once, one lane for each. If anything fails in a block, the block is judged again
//! sample by sample, as in the reference.

use zeroize::Zeroize;

use super::lag_block::{count_block, judge_sample, Near, Numbers, BLOCK, LAGS, PREDICTORS, VOTING_LAGS};

/// Most samples in a span.
pub const MOST: i64 = 1 << 20;

/// Failures of one kind: runs, windows or spans.
#[derive(Clone, Copy, Default)]
pub struct Failures {
    pub number: u64,
    /// The first sample that failed, and its predictor, counted from 1.
    pub first: Option<(u64, usize)>,
    pub highest: u64,
}

impl Failures {
    fn fail(&mut self, sample: u64, predictor: usize) {
        self.number += 1;
        self.first.get_or_insert((sample, predictor));
    }
}

/// The state that a reset clears.
#[derive(Clone)]
struct Stream {
    samples: u64,
    windows: u64,
    run: Failures,
    window: Failures,
    span: Failures,
    /// The last samples, newest first.
    past: [u8; LAGS],
    best: usize,
    runs: Numbers,
    in_window: Numbers,
    in_span: Numbers,
    position: u64,
    window_failed: bool,
    span_failed: bool,
}

impl Stream {
    fn new() -> Self {
        Self {
            samples: 0,
            windows: 0,
            run: Failures::default(),
            window: Failures::default(),
            span: Failures::default(),
            past: [0; LAGS],
            best: 1,
            runs: [0; PREDICTORS],
            in_window: [0; PREDICTORS],
            in_span: [0; PREDICTORS],
            position: 0,
            window_failed: false,
            span_failed: false,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.past.zeroize();
    }
}

/// State of the Lag Predictor Test.
pub struct LagPredictor {
    pub run_cutoff: u64,
    pub window_cutoff: u64,
    pub span_cutoff: u64,
    pub window: u64,
    pub span: u64,
    pub symbol_bits: u32,
    stream: Stream,
}

impl LagPredictor {
    pub fn new(cutoffs: [u64; 3], window: u64, span: u64, symbol_bits: u32) -> Self {
        let [run_cutoff, window_cutoff, span_cutoff] = cutoffs;
        Self { run_cutoff, window_cutoff, span_cutoff, window, span, symbol_bits, stream: Stream::new() }
    }

    pub fn reset(&mut self) {
        self.stream = Stream::new();
    }

    /// Samples and windows that were judged.
    pub fn judged(&self) -> (u64, u64) {
        (self.stream.samples, self.stream.windows)
    }

    /// The failures of runs, windows and spans.
    pub fn failures(&self) -> [&Failures; 3] {
        [&self.stream.run, &self.stream.window, &self.stream.span]
    }

    /// Test the next samples; return how many samples, windows and spans failed in them.
    pub fn push(&mut self, symbols: &[u8]) -> u64 {
        let total = |test: &Self| test.failures().iter().map(|what| what.number).sum::<u64>();
        let before = total(self);
        let mut near: Near = [0; BLOCK + LAGS];
        let mut rest = symbols;
        while !rest.is_empty() {
            let room = (self.window - self.stream.position).min(BLOCK as u64) as usize;
            let (block, tail) = rest.split_at(room.min(rest.len()));
            for (place, symbol) in near.iter_mut().zip(block.iter().rev()) {
                *place = *symbol;
            }
            near[block.len()..block.len() + LAGS].copy_from_slice(&self.stream.past);
            if self.stream.samples < LAGS as u64 || !self.judge_block(&near, block.len()) {
                self.judge_samples(&near, block.len());
            }
            self.stream.past.copy_from_slice(&near[..LAGS]);
            rest = tail;
            if self.stream.position == self.window {
                self.end_window();
            }
        }
        near.zeroize();
        total(self) - before
    }

    /// Count a block of `n` samples; if a run or the window fails in it, change nothing and return false.
    fn judge_block(&mut self, near: &Near, n: usize) -> bool {
        let stream = &mut self.stream;
        let found = count_block(near, n, &stream.runs, &stream.in_window, mask_of(self.symbol_bits), stream.best);
        let (longest, most) = (u64::from(found.longest), u64::from(found.most));
        if longest >= self.run_cutoff || (most >= self.window_cutoff && !stream.window_failed) {
            return false;
        }
        stream.run.highest = stream.run.highest.max(longest);
        stream.window.highest = stream.window.highest.max(most);
        stream.runs = found.runs;
        stream.in_window = found.in_window;
        stream.samples += n as u64;
        stream.position += n as u64;
        true
    }

    /// Judge a block of `n` samples one by one.
    fn judge_samples(&mut self, near: &Near, n: usize) {
        let stream = &mut self.stream;
        for at in (0..n).rev() {
            let known = stream.samples.min(LAGS as u64) as usize;
            let right = judge_sample(near, at, known, mask_of(self.symbol_bits), stream.best);
            let (mut longest, mut most) = ((0, 0), (0, 0));
            for (index, right) in right.into_iter().enumerate() {
                if !right {
                    stream.runs[index] = 0;
                    continue;
                }
                stream.runs[index] = stream.runs[index].saturating_add(1);
                stream.in_window[index] += 1;
                if stream.runs[index] > longest.0 {
                    longest = (stream.runs[index], index + 1);
                }
                if stream.in_window[index] > most.0 {
                    most = (stream.in_window[index], index + 1);
                }
            }
            let ((longest, at_run), (most, at_count)) = (longest, most);
            stream.run.highest = stream.run.highest.max(u64::from(longest));
            stream.window.highest = stream.window.highest.max(u64::from(most));
            if u64::from(longest) >= self.run_cutoff {
                stream.run.fail(stream.samples, at_run);
            }
            if u64::from(most) >= self.window_cutoff && !stream.window_failed {
                stream.window_failed = true;
                stream.window.fail(stream.samples, at_count);
            }
            stream.samples += 1;
            stream.position += 1;
        }
    }

    fn end_window(&mut self) {
        let stream = &mut self.stream;
        stream.best = 1 + first_of_the_highest(&stream.in_window[..VOTING_LAGS]);
        for (total, count) in stream.in_span.iter_mut().zip(&mut stream.in_window) {
            *total += std::mem::take(count);
        }
        stream.position = 0;
        stream.window_failed = false;
        stream.windows += 1;
        let first = first_of_the_highest(&stream.in_span);
        let most = u64::from(stream.in_span[first]);
        stream.span.highest = stream.span.highest.max(most);
        if most >= self.span_cutoff && !stream.span_failed {
            stream.span_failed = true;
            stream.span.fail(stream.samples - 1, first + 1);
        }
        if stream.windows.is_multiple_of(self.span) {
            stream.in_span = [0; PREDICTORS];
            stream.span_failed = false;
        }
    }
}

fn mask_of(symbol_bits: u32) -> u8 {
    u8::MAX >> (8 - symbol_bits)
}

fn first_of_the_highest(counts: &[u32]) -> usize {
    let most = counts.iter().copied().max().unwrap_or(0);
    counts.iter().position(|&count| count == most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(test: &LagPredictor) -> String {
        format!("{:?}", test.failures().map(|what| (what.number, what.first, what.highest)))
    }

    #[test]
    fn a_period_fails_at_its_length_and_the_cutoff() {
        let stream: Vec<u8> =
            (0..64u8).map(|i| if i < 20 { i.wrapping_mul(i) } else { [7, 200][usize::from(i % 2)] }).collect();
        let mut test = LagPredictor::new([10, 65, 65 * 4], 64, 4, 8);
        assert_eq!(test.push(&stream[..31]), 0);
        assert_eq!(test.push(&stream[31..32]), 1);
        assert_eq!(test.stream.run.first, Some((31, 2)));
    }

    #[test]
    fn blocks_and_single_samples_give_the_same() {
        let mut x = 1u64;
        let mut stream: Vec<u8> = Vec::new();
        for i in 0..6000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            stream.push(if i % 1500 > 1100 { (i % 7) as u8 } else { (x >> 40) as u8 & 3 });
        }
        for cutoffs in [[9999, 600, 60_000], [20, 600, 60_000], [300, 250, 700], [400, 200, 500]] {
            let mut whole = LagPredictor::new(cutoffs, 512, 4, 8);
            let mut single = LagPredictor::new(cutoffs, 512, 4, 8);
            let total = whole.push(&stream);
            let parts: u64 = stream.iter().map(|symbol| single.push(std::slice::from_ref(symbol))).sum();
            assert_eq!(total, parts);
            assert_eq!(figures(&whole), figures(&single));
        }
    }
}
