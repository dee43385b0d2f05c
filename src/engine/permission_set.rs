//! A set of permissions of one catalog, as bits.

use crate::model::PermissionIndex;

/// A set of permissions of one catalog: a bit each, so that union and membership cost next to nothing.
/// Size: one bit for each permission of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PermissionSet {
    words: Vec<u64>,
}

impl PermissionSet {
    /// The empty set over a catalog of `permissions` permissions.
    #[must_use]
    pub fn with_capacity(permissions: usize) -> Self {
        Self { words: vec![0; permissions.div_ceil(64)] }
    }

    /// Adds one permission. One beyond the catalog is passed over.
    pub fn insert(&mut self, permission: PermissionIndex) {
        if let Some(word) = self.words.get_mut(permission.position() / 64) {
            *word |= 1 << (permission.position() % 64);
        }
    }

    /// Whether a permission is in the set. Cost: one look-up.
    #[must_use]
    pub fn contains(&self, permission: PermissionIndex) -> bool {
        self.words.get(permission.position() / 64).is_some_and(|word| word & (1 << (permission.position() % 64)) != 0)
    }

    /// Adds all of another set of the same catalog.
    pub fn union_with(&mut self, other: &Self) {
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

    /// How many permissions are in the set.
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
        assert!(long.contains(PermissionIndex(3)));
    }
}
