//! An indexed heap of deadlines.

use super::{Arena, Key};

/// Children of a node. Four a node halves the depth of a binary heap, and the four keys that a
/// sift compares lie in one or two cache lines.
const ARITY: usize = 4;

/// What the heap orders by: the deadline, then the order of insertion.
pub(crate) type Rank = (u64, u64);

/// A min-heap whose entries can be removed and re-ranked by key, as timers are stopped far more
/// often than they fire.
#[derive(Debug)]
pub(crate) struct Heap<T> {
    nodes: Vec<Node>,
    entries: Arena<Entry<T>>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    rank: Rank,
    key: Key,
}

#[derive(Debug)]
struct Entry<T> {
    position: usize,
    value: T,
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), entries: Arena::default() }
    }
}

impl<T> Heap<T> {
    pub(crate) fn insert(&mut self, rank: Rank, value: T) -> Key {
        let position = self.nodes.len();
        let key = self.entries.insert(Entry { position, value });
        self.nodes.push(Node { rank, key });
        self.sift_up(position);
        key
    }

    /// The entry that is due first.
    pub(crate) fn first(&self) -> Option<(Rank, Key)> {
        self.nodes.first().map(|node| (node.rank, node.key))
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Calls `found` with each entry whose deadline is `deadline` or earlier, in no order.
    pub(crate) fn each_due(&self, deadline: u64, mut found: impl FnMut(&T)) {
        let mut open = vec![0];
        while let Some(position) = open.pop() {
            // A child is never due before its parent: what is not due hides nothing.
            if let Some(node) = self.nodes.get(position).filter(|node| node.rank.0 <= deadline) {
                found(&self.entries.get(node.key).expect("one entry a node").value);
                open.extend(position * ARITY + 1..position * ARITY + 1 + ARITY);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.remove(key)?;
        let position = entry.position;
        let last = self.nodes.pop().expect("one node an entry");
        if position < self.nodes.len() {
            self.place(position, last);
            self.settle(position);
        }
        Some(entry.value)
    }

    /// Gives an entry another rank; false if the key is stale.
    pub(crate) fn set_rank(&mut self, key: Key, rank: Rank) -> bool {
        let Some(position) = self.entries.get(key).map(|entry| entry.position) else {
            return false;
        };
        self.nodes[position].rank = rank;
        self.settle(position);
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn place(&mut self, position: usize, node: Node) {
        self.nodes[position] = node;
        self.entries.get_mut(node.key).expect("one entry a node").position = position;
    }

    fn settle(&mut self, position: usize) {
        let settled = self.sift_up(position);
        if settled == position {
            self.sift_down(position);
        }
    }

    fn sift_up(&mut self, mut position: usize) -> usize {
        let node = self.nodes[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.nodes[parent].rank <= node.rank {
                break;
            }
            self.place(position, self.nodes[parent]);
            position = parent;
        }
        self.place(position, node);
        position
    }

    fn sift_down(&mut self, mut position: usize) {
        let node = self.nodes[position];
        loop {
            let children =
                position * ARITY + 1..(position * ARITY + 1 + ARITY).min(self.nodes.len());
            let Some(least) = children.min_by_key(|&child| self.nodes[child].rank) else { break };
            if node.rank <= self.nodes[least].rank {
                break;
            }
            self.place(position, self.nodes[least]);
            position = least;
        }
        self.place(position, node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(heap: &mut Heap<u32>) -> Vec<u32> {
        std::iter::from_fn(|| heap.first().and_then(|(_, key)| heap.remove(key))).collect()
    }

    #[test]
    fn equal_deadlines_keep_their_order() {
        let mut heap = Heap::default();
        for (serial, deadline) in [5, 3, 5, 3, 5].into_iter().enumerate() {
            heap.insert((deadline, serial as u64), serial as u32);
        }
        assert_eq!(drain(&mut heap), [1, 3, 0, 2, 4]);
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_change() {
        let (mut heap, mut model) = (Heap::default(), Vec::<(Rank, Key)>::new());
        // xorshift: the order of operations need not be good, only varied and repeatable.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for serial in 0..20_000 {
            let (choice, deadline) = (random() % 4, random() % 500);
            let victim = (random() as usize).checked_rem(model.len());
            match (choice, victim) {
                (0, Some(at)) => {
                    let (_, key) = model.swap_remove(at);
                    assert!(heap.remove(key).is_some());
                }
                (1, Some(at)) => {
                    model[at].0 = (deadline, serial);
                    assert!(heap.set_rank(model[at].1, (deadline, serial)));
                }
                _ => model.push(((deadline, serial), heap.insert((deadline, serial), 0))),
            }
            assert_eq!(heap.first(), model.iter().min_by_key(|(rank, _)| rank).copied());
        }
    }
}
