//! A heap of deadlines that are moved far more often than they come.
//!
//! ```text
//!   entries   a: due 900, in the heap as 300      nodes   300 a   700 b   800 a (nobody's: a was
//!             b: due 700, in the heap as 700                                     there before)
//! ```
//!
//! To start an entry later, or to stop it, only writes to the entry: its node stays where it is, as a lower
//! bound. The truth is found when the node comes to the top ([`first`](Heap::first)). Only a start that is
//! earlier than the node adds another one, and the former is nobody's then. So a node needs no way back
//! from its entry, and a sift touches nothing but nodes.

use super::{Arena, Key};

/// Children of a node. Four a node halves the depth of a binary heap, and the four ranks that a
/// sift compares lie in one or two cache lines.
const ARITY: usize = 4;

/// Fewer dead nodes than this are not worth a sweep.
const DEAD_BEFORE_SWEEP: usize = 64;

/// What the heap orders by: the deadline, then the order of the starts.
pub(crate) type Rank = (u64, u64);

/// No start has this serial.
const NO_SERIAL: u64 = 0;

/// A min-heap of entries that have a deadline, or none.
#[derive(Debug)]
pub(crate) struct Heap<T> {
    nodes: Vec<Node>,
    entries: Arena<Entry<T>>,
    /// Nodes of entries that are stopped, and nobody's. They are swept when they are more than half.
    dead: usize,
    last_serial: u64,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    rank: Rank,
    key: Key,
}

impl Node {
    /// One number compares without a branch.
    #[inline]
    fn order(&self) -> u128 {
        u128::from(self.rank.0) << 64 | u128::from(self.rank.1)
    }
}

/// The node comes last: most who look at an entry, as at one of Node's lists, need not fetch it.
#[derive(Debug)]
#[repr(C)]
struct Entry<T> {
    value: T,
    /// Its serial is `NO_SERIAL` while the entry is stopped.
    rank: Rank,
    /// The rank of its node, never later than `rank`; with `NO_SERIAL` it has no node.
    node: Rank,
}

impl<T> Entry<T> {
    fn is_started(&self) -> bool {
        self.rank.1 != NO_SERIAL
    }

    fn has_node(&self) -> bool {
        self.node.1 != NO_SERIAL
    }
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), entries: Arena::default(), dead: 0, last_serial: NO_SERIAL }
    }
}

impl<T> Heap<T> {
    /// Adds an entry that is stopped.
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.entries.insert(Entry { rank: (0, NO_SERIAL), node: (0, NO_SERIAL), value })
    }

    /// Gives an entry a deadline, behind those that are equal; false if the key is stale.
    #[inline]
    pub(crate) fn start(&mut self, key: Key, deadline: u64) -> bool {
        let is_there = self.entries.get(key).is_some();
        if is_there {
            self.start_at(key.index(), deadline);
        }
        is_there
    }

    /// [`start`](Self::start) at a place that is known to be taken, as [`Arena::at`].
    #[inline]
    pub(crate) fn start_at(&mut self, index: u32, deadline: u64) {
        let entry = self.entries.at_mut(index);
        self.last_serial += 1;
        let was_started = entry.is_started();
        entry.rank = (deadline, self.last_serial);
        if entry.has_node() && deadline >= entry.node.0 {
            self.dead -= usize::from(!was_started);
        } else {
            // The former node, if there is one, is nobody's from now on.
            self.dead += usize::from(was_started);
            self.add_node(index);
        }
    }

    /// Takes the deadline from an entry; false if it had none.
    #[inline]
    pub(crate) fn stop(&mut self, key: Key) -> bool {
        self.entries.get(key).is_some() && self.stop_at(key.index())
    }

    /// [`stop`](Self::stop) at a place that is known to be taken.
    #[inline]
    pub(crate) fn stop_at(&mut self, index: u32) -> bool {
        let entry = self.entries.at_mut(index);
        let was_started = entry.is_started();
        self.dead += usize::from(was_started);
        entry.rank.1 = NO_SERIAL;
        was_started
    }

    /// Removes an entry; the caller drops it.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.remove(key)?;
        self.dead += usize::from(entry.is_started());
        Some(entry.value)
    }

    /// Removes the entry that is due first, which is what [`first`](Self::first) has just found.
    pub(crate) fn remove_first(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.remove(key)?;
        debug_assert_eq!(entry.rank.1, self.nodes[0].rank.1, "the first");
        self.pop();
        Some(entry.value)
    }

    /// The entry that is due first. Nodes that lie are put right on the way.
    #[inline]
    pub(crate) fn first(&mut self) -> Option<(Rank, Key)> {
        loop {
            let node = *self.nodes.first()?;
            if self.entries.get(node.key).is_some_and(|entry| entry.rank.1 == node.rank.1) {
                return Some((node.rank, node.key));
            }
            self.correct_first();
        }
    }

    /// No entry is due before this.
    #[inline]
    pub(crate) fn bound(&self) -> Option<u64> {
        self.nodes.first().map(|node| node.rank.0)
    }

    /// When the entry at a place that is known to be taken is due; `None` if it is stopped.
    #[inline]
    pub(crate) fn rank_at(&self, index: u32) -> Option<Rank> {
        let entry = self.entries.at(index);
        entry.is_started().then_some(entry.rank)
    }

    /// The value at a place that is known to be taken, as [`Arena::at`].
    #[inline]
    pub(crate) fn at(&self, index: u32) -> &T {
        &self.entries.at(index).value
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        &mut self.entries.at_mut(index).value
    }

    /// The serial of the last start.
    #[inline]
    pub(crate) fn last_serial(&self) -> u64 {
        self.last_serial
    }

    /// A serial for something that is ordered among the entries.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    /// Calls `found` with each entry whose deadline is `deadline` or earlier, in no order.
    pub(crate) fn each_due(&self, deadline: u64, mut found: impl FnMut(&T)) {
        let mut open = vec![0];
        while let Some(position) = open.pop() {
            // A child is never due before its parent: what is not due hides nothing.
            let Some(node) = self.nodes.get(position).filter(|node| node.rank.0 <= deadline) else {
                continue;
            };
            open.extend(position * ARITY + 1..position * ARITY + 1 + ARITY);
            if let Some(entry) = self.entries.get(node.key)
                && entry.node.1 == node.rank.1
                && entry.is_started()
                && entry.rank.0 <= deadline
            {
                found(&entry.value);
            }
        }
    }

    /// The first node does not say when an entry is due: takes it out, or to where it does.
    #[cold]
    fn correct_first(&mut self) {
        if self.sweep_if_worth() {
            return;
        }
        let node = &mut self.nodes[0];
        let entry = self.entries.get_mut(node.key).filter(|entry| entry.node.1 == node.rank.1);
        match entry {
            Some(entry) if entry.is_started() => {
                (entry.node, node.rank) = (entry.rank, entry.rank);
                self.sift_down(0);
            }
            stopped => {
                if let Some(entry) = stopped {
                    entry.node.1 = NO_SERIAL;
                }
                self.dead -= 1;
                self.pop();
            }
        }
    }

    /// Puts an entry where its deadline is. Rare where deadlines are moved, so not a part of `start`.
    #[inline(never)]
    fn add_node(&mut self, index: u32) {
        let key = self.entries.key_at(index);
        let entry = self.entries.at_mut(index);
        entry.node = entry.rank;
        let node = Node { rank: entry.rank, key };
        self.sweep_if_worth();
        let mut position = self.nodes.len();
        self.nodes.push(node);
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.nodes[parent].order() <= node.order() {
                break;
            }
            self.nodes[position] = self.nodes[parent];
            position = parent;
        }
        self.nodes[position] = node;
    }

    /// Drops the first node.
    fn pop(&mut self) {
        self.nodes.swap_remove(0);
        if !self.nodes.is_empty() {
            self.sift_down(0);
        }
    }

    #[inline]
    fn sweep_if_worth(&mut self) -> bool {
        let is_worth = self.dead >= DEAD_BEFORE_SWEEP && self.dead > self.nodes.len() / 2;
        if is_worth {
            self.sweep();
        }
        is_worth
    }

    /// Drops the dead nodes.
    #[cold]
    fn sweep(&mut self) {
        let entries = &mut self.entries;
        self.nodes.retain(|node| {
            let entry = entries.get_mut(node.key).filter(|entry| entry.node.1 == node.rank.1);
            entry.is_some_and(|entry| {
                if !entry.is_started() {
                    entry.node.1 = NO_SERIAL;
                }
                entry.has_node()
            })
        });
        self.dead = 0;
        for position in (0..self.nodes.len().div_ceil(ARITY)).rev() {
            self.sift_down(position);
        }
    }

    fn sift_down(&mut self, mut position: usize) {
        let node = self.nodes[position];
        while let Some(least) = self.least_child(position) {
            if node.order() <= self.nodes[least].order() {
                break;
            }
            self.nodes[position] = self.nodes[least];
            position = least;
        }
        self.nodes[position] = node;
    }

    /// Where the least child of a node is.
    #[inline]
    fn least_child(&self, position: usize) -> Option<usize> {
        let first = position * ARITY + 1;
        let Some([a, b, c, d]) = self.nodes.get(first..first + ARITY) else {
            return (first..self.nodes.len()).min_by_key(|&child| self.nodes[child].order());
        };
        // Two by two: nobody can foretell a branch here.
        let (left, left_order) = less(0, a, 1, b);
        let (right, right_order) = less(2, c, 3, d);
        Some(first + if right_order < left_order { right } else { left })
    }
}

/// The lesser of two nodes with what names them.
#[inline]
fn less(a: usize, a_node: &Node, b: usize, b_node: &Node) -> (usize, u128) {
    let (a_order, b_order) = (a_node.order(), b_node.order());
    if b_order < a_order { (b, b_order) } else { (a, a_order) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn drain(heap: &mut Heap<u32>) -> Vec<u32> {
        std::iter::from_fn(|| heap.first().and_then(|(_, key)| heap.remove_first(key))).collect()
    }

    #[test]
    fn equal_deadlines_keep_their_order() {
        let mut heap = Heap::default();
        for (name, deadline) in [5, 3, 5, 3, 5].into_iter().enumerate() {
            let key = heap.insert(name as u32);
            heap.start(key, deadline);
        }
        assert_eq!(drain(&mut heap), [1, 3, 0, 2, 4]);
    }

    #[test]
    fn a_later_start_goes_behind_those_that_are_equal() {
        let mut heap = Heap::default();
        let keys = [0, 1].map(|name| heap.insert(name));
        heap.start(keys[0], 5);
        heap.start(keys[1], 9);
        heap.start(keys[0], 9);
        assert_eq!(drain(&mut heap), [1, 0]);
    }

    /// What a heap is to give, by looking at everything each time.
    #[derive(Default)]
    struct Model {
        entries: Vec<(Key, Option<Rank>)>,
    }

    impl Model {
        fn first(&self) -> Option<(Rank, Key)> {
            self.entries.iter().filter_map(|(key, rank)| Some(((*rank)?, *key))).min()
        }

        fn due(&self, deadline: u64) -> Vec<Key> {
            let is_due = |rank: &Option<Rank>| rank.is_some_and(|rank| rank.0 <= deadline);
            self.entries.iter().filter(|(_, rank)| is_due(rank)).map(|(key, _)| *key).collect()
        }
    }

    fn change(heap: &mut Heap<Key>, model: &mut Model, random: &mut Random, now: u64) {
        let count = model.entries.len() as u64;
        let at = (count > 0).then(|| random.below(count) as usize);
        match (random.below(8), at) {
            (0, Some(at)) => {
                let (key, _) = model.entries.swap_remove(at);
                assert_eq!(heap.remove(key), Some(key));
                assert!(!heap.start(key, 0) && !heap.stop(key), "a stale key");
            }
            (1 | 2, Some(at)) => {
                let (key, rank) = &mut model.entries[at];
                assert_eq!(heap.stop(*key), rank.take().is_some());
            }
            (3..=5, Some(at)) => {
                let (key, rank) = &mut model.entries[at];
                let deadline = now + random.below(300);
                assert!(heap.start(*key, deadline));
                *rank = Some((deadline, heap.last_serial()));
            }
            (6, Some(_)) => {
                let Some((_, key)) = heap.first() else { return };
                assert_eq!(heap.remove_first(key), Some(key));
                model.entries.retain(|(known, _)| *known != key);
            }
            _ => {
                let key = heap.insert(Key::DEAD);
                *heap.at_mut(key.index()) = key;
                model.entries.push((key, None));
            }
        }
    }

    #[test]
    fn agrees_with_a_list_under_random_change() {
        let mut random = Random::new(1);
        for round in 0..40 {
            let (mut heap, mut model) = (Heap::default(), Model::default());
            // A heap that is looked at rarely keeps more nodes that are out of date.
            let rarely = 1 + random.below(60);
            for step in 0..1_500 {
                change(&mut heap, &mut model, &mut random, step / 8);
                if random.below(rarely) > 0 {
                    continue;
                }
                let deadline = random.below(400);
                let mut due = Vec::new();
                heap.each_due(deadline, |key| due.push(*key));
                due.sort_unstable();
                let mut expected = model.due(deadline);
                expected.sort_unstable();
                assert_eq!(due, expected, "round {round}, step {step}");
                assert!(
                    heap.bound() <= model.first().map(|(rank, _)| rank.0)
                        || model.first().is_none()
                );
                assert_eq!(heap.first(), model.first(), "round {round}, step {step}");
                for (key, rank) in &model.entries {
                    assert_eq!(heap.rank_at(key.index()), *rank);
                }
            }
        }
    }

    #[test]
    fn nodes_do_not_pile_up() {
        let mut heap = Heap::default();
        let key = heap.insert(0);
        for deadline in (0..10_000).rev() {
            heap.start(key, deadline);
        }
        assert!(heap.nodes.len() <= 2 * DEAD_BEFORE_SWEEP, "{}", heap.nodes.len());
        for name in 1..10_000 {
            let key = heap.insert(name);
            heap.start(key, 1);
            heap.remove(key);
        }
        assert!(heap.nodes.len() <= 2 * DEAD_BEFORE_SWEEP, "{}", heap.nodes.len());
        assert_eq!(drain(&mut heap), [0]);
        assert_eq!((heap.nodes.len(), heap.dead), (0, 0));
    }
}
