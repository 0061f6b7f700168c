//! The two continuous health tests, SP 800-90B sections 4.4.1 and 4.4.2, on a stream in chunks of any size.

/// State of the Repetition Count Test.
#[derive(Default)]
pub struct Repetition {
    pub cutoff: u64,
    pub samples: u64,
    pub failures: u64,
    pub first_failure: Option<u64>,
    pub run: u64,
    pub longest_run: u64,
    last: Option<u8>,
}

impl Repetition {
    pub fn new(cutoff: u64) -> Self {
        Self { cutoff, ..Self::default() }
    }

    /// Test the next samples; return how many of them failed.
    pub fn push(&mut self, symbols: &[u8]) -> u64 {
        let before = self.failures;
        let mut last = self.last;
        let mut run = self.run;
        let mut longest = self.longest_run;
        for (index, &symbol) in symbols.iter().enumerate() {
            run = if last == Some(symbol) { run + 1 } else { 1 };
            last = Some(symbol);
            longest = longest.max(run);
            if run >= self.cutoff {
                self.failures += 1;
                self.first_failure.get_or_insert(self.samples + index as u64);
            }
        }
        self.samples += symbols.len() as u64;
        self.last = last;
        self.run = run;
        self.longest_run = longest;
        self.failures - before
    }
}

/// State of the Adaptive Proportion Test.
#[derive(Default)]
pub struct Proportion {
    pub cutoff: u64,
    pub window: u64,
    pub samples: u64,
    pub failures: u64,
    pub first_failure: Option<u64>,
    pub windows: u64,
    pub max_count: u64,
    first: u8,
    count: u64,
    position: u64,
}

impl Proportion {
    pub fn new(cutoff: u64, window: u64) -> Self {
        Self { cutoff, window, ..Self::default() }
    }

    /// Test the next samples; return how many windows failed in them.
    pub fn push(&mut self, symbols: &[u8]) -> u64 {
        let before = self.failures;
        let mut rest = symbols;
        while let Some(&symbol) = rest.first() {
            if self.position == 0 {
                self.first = symbol;
                self.count = 0;
            }
            let room = (self.window - self.position).min(rest.len() as u64) as usize;
            let (part, tail) = rest.split_at(room);
            self.count_part(part);
            rest = tail;
            if self.position == self.window {
                self.position = 0;
                self.windows += 1;
            }
        }
        self.failures - before
    }

    /// Count within one window.
    fn count_part(&mut self, part: &[u8]) {
        let equal = part.iter().filter(|&&symbol| symbol == self.first).count() as u64;
        let reached = self.count + equal;
        if self.count < self.cutoff && reached >= self.cutoff {
            let nth = (self.cutoff - self.count - 1) as usize;
            let index = part.iter().enumerate().filter(|(_, &symbol)| symbol == self.first).nth(nth);
            let offset = index.map_or(0, |(index, _)| index as u64);
            self.failures += 1;
            self.first_failure.get_or_insert(self.samples + offset);
        }
        self.count = reached;
        self.max_count = self.max_count.max(reached);
        self.samples += part.len() as u64;
        self.position += part.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_cutoff_fails_and_one_less_passes() {
        let mut test = Repetition::new(5);
        assert_eq!(test.push(&[1, 7, 7, 7, 7, 1]), 0);
        assert_eq!(test.push(&[1, 1, 1]), 0);
        assert_eq!(test.push(&[1, 1]), 2);
        assert_eq!(test.first_failure, Some(9));
        assert_eq!(test.longest_run, 6);
    }

    #[test]
    fn a_window_fails_once_at_its_cutoff_wherever_it_is_cut() {
        let mut stream = vec![9u8; 16];
        stream.extend((0..16).map(|i| if i % 2 == 0 { 3 } else { i }));
        for cut in 0..=stream.len() {
            let mut test = Proportion::new(8, 16);
            let failed = test.push(&stream[..cut]) + test.push(&stream[cut..]);
            assert_eq!((failed, test.first_failure, test.windows), (2, Some(7), 2), "cut at {cut}");
            assert_eq!(test.max_count, 16);
        }
        let mut strict = Proportion::new(9, 16);
        assert_eq!(strict.push(&stream[16..]), 1, "eight even positions and the symbol 3 itself make nine");
        assert_eq!(Proportion::new(10, 16).push(&stream[16..]), 0);
    }
}
