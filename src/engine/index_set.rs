//! Sets of things of one catalog, as bits.

use std::marker::PhantomData;

use crate::model::{ApiScopeIndex, Index, PermissionIndex};

/// A set of things of one catalog: a bit each, so that union and membership cost next to nothing.
/// Size: one bit for each thing of its kind in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexSet<I> {
    words: Vec<u64>,
    of: PhantomData<I>,
}

/// A set of permissions of one catalog.
pub type PermissionSet = IndexSet<PermissionIndex>;

/// A set of API scopes of one catalog.
pub type ApiScopeSet = IndexSet<ApiScopeIndex>;

impl<I> Default for IndexSet<I> {
    fn default() -> Self {
        Self { words: Vec::new(), of: PhantomData }
    }
}

impl<I: Index> IndexSet<I> {
    /// The empty set over a catalog with so many things of its kind.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(64)], of: PhantomData }
    }

    /// Adds one. One beyond the catalog is passed over.
    pub fn insert(&mut self, index: I) {
        if let Some(word) = self.words.get_mut(index.position() / 64) {
            *word |= 1 << (index.position() % 64);
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, index: I) {
        if let Some(word) = self.words.get_mut(index.position() / 64) {
            *word &= !(1 << (index.position() % 64));
        }
    }

    /// Whether one is in the set. Cost: one look-up.
    #[must_use]
    pub fn contains(&self, index: I) -> bool {
        self.words.get(index.position() / 64).is_some_and(|word| word & (1 << (index.position() % 64)) != 0)
    }

    /// All that are in the set, in ascending order. Cost: linear in them, and one step for each 64 of the catalog.
    pub fn iter(&self) -> impl Iterator<Item = I> + '_ {
        self.words.iter().enumerate().flat_map(|(word_position, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                (left != 0).then(|| {
                    left &= left - 1;
                    I::at(word_position * 64 + bit)
                })
            })
        })
    }

    /// Takes out all that another set of the same catalog has.
    pub fn subtract(&mut self, other: &Self) {
        for (word, others) in self.words.iter_mut().zip(&other.words) {
            *word &= !others;
        }
    }

    /// Whether another set of the same catalog has one of these.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(word, others)| word & others != 0)
    }

    /// Adds all of another set of the same catalog.
    pub fn union_with(&mut self, other: &Self) {
        // One that was made without a catalog takes no room until there is something in it.
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, others) in self.words.iter_mut().zip(&other.words) {
            *word |= others;
        }
    }

    /// Keeps only what another set of the same catalog has too.
    pub fn intersect_with(&mut self, other: &Self) {
        for (position, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(position).copied().unwrap_or(0);
        }
    }

    /// How many are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// What the set takes in memory, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.words.len() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_inserted_and_nothing_beyond_its_catalog() {
        let mut set = PermissionSet::with_capacity(70);
        for position in [0, 63, 64, 69, 128, 4_000_000_000] {
            set.insert(PermissionIndex(position));
        }
        let held: Vec<u32> = (0..200).filter(|position| set.contains(PermissionIndex(*position))).collect();
        assert_eq!(held, [0, 63, 64, 69]);
        assert_eq!(set.len(), 4);
        assert_eq!(set.iter().map(|index| index.0).collect::<Vec<_>>(), [0, 63, 64, 69]);
        assert!(!set.contains(PermissionIndex(4_000_000_000)));
    }

    #[test]
    fn intersection_with_a_shorter_set_drops_the_rest() {
        let mut long = PermissionSet::with_capacity(200);
        long.insert(PermissionIndex(3));
        long.insert(PermissionIndex(150));
        let mut short = PermissionSet::with_capacity(10);
        short.insert(PermissionIndex(3));
        long.intersect_with(&short);
        assert_eq!(long.len(), 1);
        assert!(long.contains(PermissionIndex(3)) && long.intersects(&short));
        long.subtract(&short);
        assert!(long.is_empty() && !long.intersects(&short));
    }
}
