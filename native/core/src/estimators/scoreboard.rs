//! The winning sub-predictor, its correct predictions, and the longest run of them; 64 steps at a time.
//!
//! In each step, in ascending index, each sub-predictor that was right scores, and becomes the winner if its score is
//! then at least the winner's. The prediction of a step is that of the winner before it. Most words of 64 steps cannot
//! change the winner, because no rival can close the gap within the word. Only in the other words are steps played one
//! by one, and only for the rivals that can win.

/// Scores of `M` sub-predictors and results of the winners.
pub struct Scoreboard<const M: usize> {
    scores: [u64; M],
    winner: usize,
    pub correct: u64,
    runs: Runs,
    /// Working memory, kept so that it is not made for each word.
    near: Chosen<M>,
    flags: [u64; M],
    rivals: Chosen<M>,
}

impl<const M: usize> Scoreboard<M> {
    pub fn new() -> Self {
        let [near, rivals] = [(); 2].map(|()| Chosen { sub_predictors: [0; M], scores: [0; M] });
        Self { scores: [0; M], winner: 0, correct: 0, runs: Runs::default(), near, flags: [0; M], rivals }
    }

    pub fn longest_run(&self) -> u64 {
        self.runs.longest
    }

    /// Take 64 steps in which every sub-predictor predicted: bit i of `right[d]` is 1 if d was right in step i. Steps
    /// beyond the data count as wrong for all sub-predictors, which changes nothing.
    #[inline(always)]
    pub fn play(&mut self, right: &[u64; M]) {
        let outcome = if self.score(right) { right[self.winner] } else { self.contested(right, |_, _| {}) };
        self.judge(outcome);
    }

    /// As [`play`](Self::play); bit i of `present[d]` is 1 if d predicted in step i. Without a prediction it was not
    /// right. A winner without a prediction neither extends nor ends the run.
    #[inline(always)]
    pub fn play_present(&mut self, right: &[u64; M], present: &[u64; M]) {
        let start = self.winner;
        let (outcome, judged) = if self.score(right) {
            (right[start], present[start])
        } else {
            let mut judged = present[start];
            let outcome = self.contested(right, |from, winner| judged = judged & !from | present[winner] & from);
            (outcome, judged)
        };
        self.correct += u64::from(outcome.count_ones());
        if judged == !0 {
            self.runs.take(outcome);
        } else {
            self.runs.take_judged(outcome, judged);
        }
    }

    /// Add the scores of a word; returns whether the winner is certain to stay.
    #[inline(always)]
    fn score(&mut self, right: &[u64; M]) -> bool {
        let before = std::mem::take(&mut self.scores[self.winner]);
        let mut highest_rival = 0;
        for (score, word) in self.scores.iter_mut().zip(right) {
            highest_rival = highest_rival.max(*score);
            *score += u64::from(word.count_ones());
        }
        self.scores[self.winner] += before;
        highest_rival + 65 < before
    }

    /// The outcome of a word in which the winner may change; `changed(steps from then on, new winner)` is called at
    /// each change. The scores already contain the word.
    #[inline(always)]
    fn contested(&mut self, right: &[u64; M], changed: impl FnMut(u64, usize)) -> u64 {
        contest(right, &self.scores, &mut self.winner, &mut self.rivals, changed)
    }

    /// Take a few words in which every sub-predictor predicted. Sub-predictor d was right `counts[d]` times in them, in
    /// the steps of `right(d, word)`, which is called only for those that may win in one of the words.
    #[inline(always)]
    pub fn play_block(&mut self, words: usize, counts: &[u64; M], right: impl Fn(usize, usize) -> u64) {
        let bar = self.scores[self.winner];
        let reach = 64 * words as u64 + 1;
        let near = self.scores.iter().filter(|&&score| score + reach >= bar).count();
        if near == 1 {
            for word in 0..words {
                self.judge(right(self.winner, word));
            }
        } else if near > M / 4 {
            for word in 0..words {
                self.play(&std::array::from_fn(|d| right(d, word)));
            }
            return;
        } else {
            self.play_near(words, bar - reach.min(bar), right);
        }
        for (score, count) in self.scores.iter_mut().zip(counts) {
            *score += count;
        }
    }

    /// Play the sub-predictors with scores of `least` or more; the scores are not changed.
    #[inline(always)]
    fn play_near(&mut self, words: usize, least: u64, right: impl Fn(usize, usize) -> u64) {
        let (mut count, mut winner) = (0, 0);
        for (d, &score) in self.scores.iter().enumerate() {
            if score >= least {
                (self.near.sub_predictors[count], self.near.scores[count]) = (d as u8, score);
                if d == self.winner {
                    winner = count;
                }
                count += 1;
            }
        }
        for word in 0..words {
            let near = self.near.sub_predictors[..count].iter().zip(&mut self.near.scores);
            for ((&d, score), flags) in near.zip(&mut self.flags) {
                *flags = right(usize::from(d), word);
                *score += u64::from(flags.count_ones());
            }
            let (flags, scores) = (&self.flags[..count], &self.near.scores[..count]);
            let outcome = contest(flags, scores, &mut winner, &mut self.rivals, |_, _| {});
            self.judge(outcome);
        }
        self.winner = usize::from(self.near.sub_predictors[winner]);
    }

    /// Count what the winners did in a word.
    #[inline(always)]
    fn judge(&mut self, outcome: u64) {
        self.correct += u64::from(outcome.count_ones());
        self.runs.take(outcome);
    }
}

/// Some of the sub-predictors, ascending, and their scores; a separate count says how many are valid.
struct Chosen<const M: usize> {
    sub_predictors: [u8; M],
    scores: [u64; M],
}

/// The outcome of a word, from the steps in which each was right and the scores after it; see
/// [`Scoreboard::contested`].
#[inline(always)]
fn contest<const M: usize>(
    right: &[u64],
    scores_after: &[u64],
    winner: &mut usize,
    chosen: &mut Chosen<M>,
    mut changed: impl FnMut(u64, usize),
) -> u64 {
    let first = *winner;
    let leading = right[first];
    let score_before = |d: usize| scores_after[d] - u64::from(right[d].count_ones());
    let bar = score_before(first);
    // Those that can reach the winner's score in the word; one point more for a rival that scores first in a step.
    let mut count = 0;
    let mut alike = true;
    for (d, &word) in right.iter().enumerate() {
        let gap = bar.saturating_sub(score_before(d) + 1);
        if d == first || (gap <= u64::from((word & !leading).count_ones()) && may_reach(word, leading, gap)) {
            chosen.sub_predictors[count] = d as u8;
            count += 1;
            alike &= word == leading;
        }
    }
    let rivals = &chosen.sub_predictors[..count];
    if alike {
        // All score in the same steps: among equal scores the highest index becomes the winner; the outcome is the
        // same.
        if leading != 0 {
            for &d in rivals {
                if score_before(usize::from(d)) == bar {
                    *winner = usize::from(d);
                }
            }
            if *winner != first {
                // `present` of the others may differ only in steps in which none is right.
                changed(!0 << leading.trailing_zeros() << 1, *winner);
            }
        }
        return leading;
    }
    let scores = &mut chosen.scores[..count];
    let (mut steps, mut best) = (0, 0);
    for (place, &d) in rivals.iter().enumerate() {
        scores[place] = score_before(usize::from(d));
        steps |= right[usize::from(d)];
        if usize::from(d) == first {
            best = place;
        }
    }
    let mut outcome = leading;
    while steps != 0 {
        let step = steps.trailing_zeros();
        steps &= steps - 1;
        let before = best;
        for (place, &d) in rivals.iter().enumerate() {
            scores[place] += right[usize::from(d)] >> step & 1;
            if right[usize::from(d)] >> step & 1 == 1 && scores[place] >= scores[best] {
                best = place;
            }
        }
        if best != before {
            let from = !0u64 << step << 1;
            let d = usize::from(rivals[best]);
            outcome = outcome & !from | right[d] & from;
            changed(from, d);
        }
    }
    *winner = usize::from(rivals[best]);
    outcome
}

/// Whether a rival may gain `gap`, at most 64, on the winner within a word: false only if it gains less in every step.
#[inline(always)]
fn may_reach(rival: u64, leading: u64, gap: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Multiplied by `EACH`: the gain up to the end of each byte, and the loss up to its start. No step of the byte has
    // more.
    let gained = ones_by_byte(rival & !leading).wrapping_mul(EACH);
    let lost = ones_by_byte(leading & !rival).wrapping_mul(EACH) << 8;
    // The difference may be negative, so 64 is added, and then as much as brings `gap` to 128.
    (gained + 64 * EACH - lost + (64 - gap) * EACH) & (0x80 * EACH) != 0
}

/// Number of ones of each byte.
#[inline(always)]
fn ones_by_byte(word: u64) -> u64 {
    let pairs = word - (word >> 1 & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333) + (pairs >> 2 & 0x3333_3333_3333_3333);
    (fours + (fours >> 4)) & 0x0f0f_0f0f_0f0f_0f0f
}

/// The longest run of ones in a stream of words.
#[derive(Default)]
pub struct Runs {
    open: u64,
    pub longest: u64,
}

impl Runs {
    /// Take 64 steps.
    #[inline(always)]
    pub fn take(&mut self, outcome: u64) {
        self.take_some(outcome, 64);
    }

    /// Take those of 64 steps that are judged.
    #[inline(never)]
    pub fn take_judged(&mut self, outcome: u64, judged: u64) {
        let (mut kept, mut steps, mut absent) = (outcome, 64, !judged);
        while absent != 0 {
            // Close the gap at the latest absent step.
            let latest = 1u64 << (63 - absent.leading_zeros());
            absent ^= latest;
            kept = kept & (latest - 1) | kept >> 1 & !(latest - 1);
            steps -= 1;
        }
        self.take_some(kept, steps);
    }

    /// Take the first `steps` of 64; the others are 0.
    #[inline(always)]
    fn take_some(&mut self, outcome: u64, steps: u32) {
        let ones = outcome.trailing_ones();
        self.longest = self.longest.max(self.open + u64::from(ones));
        if ones == steps {
            self.open += u64::from(steps);
            return;
        }
        if self.longest < 64 && has_run(outcome, self.longest as u32 + 1) {
            self.longest = u64::from(longest_in(outcome));
        }
        self.open = u64::from((outcome << (64 - steps)).leading_ones());
    }

    /// Take one step.
    #[inline(always)]
    pub fn step(&mut self, right: bool) {
        self.open = if right { self.open + 1 } else { 0 };
        self.longest = self.longest.max(self.open);
    }
}

/// Whether a word has `length` ones in a row, 1 to 64.
#[inline(always)]
fn has_run(word: u64, length: u32) -> bool {
    let (mut runs, mut reached) = (word, 1);
    while reached < length && runs != 0 {
        let more = reached.min(length - reached);
        runs &= runs >> more;
        reached += more;
    }
    runs != 0
}

#[inline(never)]
fn longest_in(mut word: u64) -> u32 {
    let mut length = 0;
    while word != 0 {
        word &= word >> 1;
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::noise;
    use super::*;

    /// The rule of the standard, step by step.
    fn plain<const M: usize>(right: &[[u64; M]], present: &[[u64; M]]) -> (u64, u64) {
        let (mut scores, mut winner, mut correct, mut run, mut longest) = ([0u64; M], 0usize, 0, 0, 0);
        for (right, present) in right.iter().zip(present) {
            for step in 0..64 {
                let is = |words: &[u64; M], d: usize| words[d] >> step & 1 == 1;
                if is(present, winner) {
                    run = if is(right, winner) { run + 1 } else { 0 };
                    correct += u64::from(is(right, winner));
                    longest = longest.max(run);
                }
                for d in 0..M {
                    if is(right, d) {
                        scores[d] += 1;
                        if scores[d] >= scores[winner] {
                            winner = d;
                        }
                    }
                }
            }
        }
        (correct, longest)
    }

    fn check<const M: usize>(right: &[[u64; M]], present: Option<&[[u64; M]]>) {
        let all = vec![[!0u64; M]; right.len()];
        let mut board = Scoreboard::<M>::new();
        for (index, word) in right.iter().enumerate() {
            match present {
                Some(present) => board.play_present(word, &present[index]),
                None => board.play(word),
            }
        }
        assert_eq!((board.correct, board.runs.longest), plain(right, present.unwrap_or(&all)));
    }

    #[test]
    fn words_give_what_single_steps_give() {
        for seed in 1..60u64 {
            let source = noise(64 * 40 * 2, seed);
            let mut at = source.iter();
            let mut right = vec![[0u64; 5]; 200];
            let mut present = vec![[!0u64; 5]; 200];
            for (words, there) in right.iter_mut().zip(&mut present) {
                let kind = at.next().unwrap() % 8;
                let common = at.next().unwrap() | at.next().unwrap();
                for (d, word) in words.iter_mut().enumerate() {
                    *word = match kind {
                        0 => common,
                        1 => !0,
                        2 => 0,
                        3 => common & at.next().unwrap(),
                        _ => *at.next().unwrap(),
                    };
                    if seed % 3 == 0 {
                        there[d] = if kind == 1 { !0 } else { at.next().unwrap() | at.next().unwrap() };
                    }
                    *word &= there[d];
                }
            }
            check(&right, None);
            check(&right, Some(&present));
            for words in [1, 3, 4] {
                let mut board = Scoreboard::<5>::new();
                for block in right.chunks(words) {
                    let counts =
                        std::array::from_fn(|d| block.iter().map(|right| u64::from(right[d].count_ones())).sum());
                    board.play_block(block.len(), &counts, |d, word| block[word][d]);
                }
                assert_eq!((board.correct, board.runs.longest), plain(&right, &vec![[!0; 5]; 200]));
            }
        }
    }

    #[test]
    fn a_lower_index_one_behind_takes_over_within_a_step() {
        // 1 leads by one; in step 1 both are right: 0 takes the lead before 1 has scored, and 1 takes it back.
        check(&[[0b10, 0b11]], None);
        check(&[[0b110, 0b001]], None);
    }
}
