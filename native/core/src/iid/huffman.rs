//! Huffman code lengths, as bzip2 finds them.

/// Room for the symbols of a block: two for zero runs, the ranks, the end.
pub const SYMBOLS: usize = 16;
const LONGEST_CODE: u32 = 17;

pub type Lengths = [u8; SYMBOLS];

/// Huffman code lengths as bzip2 finds them: ties go to the flatter tree, then to the order within its heap.
pub fn code_lengths(totals: &[u32]) -> Lengths {
    // A weight is a count, with the depth of the tree in its low 8 bits.
    let mut leaves: Vec<u32> = totals.iter().map(|&total| total.max(1) << 8).collect();
    loop {
        let depths = tree_depths(&leaves);
        if depths.iter().all(|&depth| depth <= LONGEST_CODE) {
            let mut lengths = [0; SYMBOLS];
            lengths.iter_mut().zip(depths).for_each(|(length, depth)| *length = depth as u8);
            return lengths;
        }
        leaves.iter_mut().for_each(|leaf| *leaf = (1 + (*leaf >> 8) / 2) << 8);
    }
}

/// The depth of each leaf in the Huffman tree.
fn tree_depths(leaves: &[u32]) -> Vec<u32> {
    let mut weights = leaves.to_vec();
    let mut parents = vec![usize::MAX; leaves.len()];
    let mut heap = Heap::default();
    for node in 0..leaves.len() {
        heap.insert(node, &weights);
    }
    while heap.nodes.len() > 1 {
        let pair = [heap.take_lightest(&weights), heap.take_lightest(&weights)];
        let [a, b] = pair.map(|node| weights[node]);
        let joined = weights.len();
        pair.iter().for_each(|&node| parents[node] = joined);
        weights.push(((a & !255) + (b & !255)) | (1 + (a & 255).max(b & 255)));
        parents.push(usize::MAX);
        heap.insert(joined, &weights);
    }
    (0..leaves.len())
        .map(|leaf| std::iter::successors(Some(leaf), |&node| Some(parents[node]).filter(|&up| up != usize::MAX)))
        .map(|path| path.count() as u32 - 1)
        .collect()
}

/// A binary heap of tree nodes, the lightest first. Hand-written, because its order among equals decides code lengths.
#[derive(Default)]
struct Heap {
    nodes: Vec<usize>,
}

impl Heap {
    fn insert(&mut self, node: usize, weights: &[u32]) {
        let mut at = self.nodes.len();
        self.nodes.push(node);
        while at > 0 && weights[node] < weights[self.nodes[(at - 1) / 2]] {
            self.nodes[at] = self.nodes[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        self.nodes[at] = node;
    }

    /// Take the lightest node; the last one takes its place and sinks.
    fn take_lightest(&mut self, weights: &[u32]) -> usize {
        let lightest = self.nodes[0];
        let sinking = self.nodes[self.nodes.len() - 1];
        self.nodes.truncate(self.nodes.len() - 1);
        let length = self.nodes.len();
        if length == 0 {
            return lightest;
        }
        let mut at = 0;
        loop {
            let mut child = 2 * at + 1;
            if child >= length {
                break;
            }
            if child + 1 < length && weights[self.nodes[child + 1]] < weights[self.nodes[child]] {
                child += 1;
            }
            if weights[sinking] < weights[self.nodes[child]] {
                break;
            }
            self.nodes[at] = self.nodes[child];
            at = child;
        }
        self.nodes[at] = sinking;
        lightest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_lengths_fill_the_code_space() {
        for totals in [vec![1, 1], vec![5, 0, 0, 9, 100, 3], (0..13).map(|i| 1 << (2 * i)).collect()] {
            let lengths = code_lengths(&totals);
            let space: u32 =
                lengths[..totals.len()].iter().map(|&length| 1 << (LONGEST_CODE - u32::from(length))).sum();
            assert_eq!(space, 1 << LONGEST_CODE, "{totals:?}");
        }
    }
}
