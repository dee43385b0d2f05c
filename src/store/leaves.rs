//! The order in which sorted rows fill the leaves of sled.
//!
//! sled 0.34 keeps up to 16 rows in a leaf, and splits one of 17 into nine and eight (`Node::should_split` and
//! `Node::split` in its `node.rs`). Of rows that come in the order of their keys, each split leaves nine behind that no
//! other row ever joins. So of every 16 neighbours nine are written first, spread evenly; then the other seven find their
//! places in leaves of nine, and these are full without another split. There are half as many splits, and the leaves, which
//! sled keeps in memory and on the disk one by one, are fewer.

use sled::{Batch, IVec, Tree};

use super::{StoreError, sled_store::engine};

/// How many rows a leaf has at most.
const LEAF_ROWS: usize = 16;
/// So many rows are dealt with before the next: few enough that the leaves of the first turn are still at hand in the second.
const BLOCK_ROWS: usize = 16 * LEAF_ROWS;

/// Rows of one tree that are to be written; none: it goes.
pub(super) type TreeRows = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Sorted rows in the order in which they are to be written. Rows that replace others, or whose places lie far apart, lose
/// nothing by it. Cost: linear in them.
pub(super) fn filling<T>(rows: Vec<T>) -> impl Iterator<Item = T> {
    let mut rows = rows.into_iter();
    let blocks = std::iter::from_fn(move || {
        let block = rows.by_ref().take(BLOCK_ROWS).enumerate();
        let (first, then): (Vec<_>, Vec<_>) = block.partition(|(place, _)| is_first(*place));
        (!first.is_empty()).then(|| first.into_iter().chain(then).map(|(_, row)| row))
    });
    blocks.flatten()
}

/// Writes rows one by one, as they come.
pub(super) fn write_rows(
    tree: &Tree,
    rows: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
) -> Result<(), StoreError> {
    for (key, value) in rows {
        match value {
            Some(value) => tree.insert(key, value).map_err(engine)?,
            None => tree.remove(key).map_err(engine)?,
        };
    }
    Ok(())
}

/// Rows for a transaction, which writes them in an order of its own.
pub(super) fn batch<K: Into<IVec>, V: Into<IVec>>(rows: impl IntoIterator<Item = (K, Option<V>)>) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in rows {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    batch
}

/// Nine of sixteen: every second one, and the last.
fn is_first(place: usize) -> bool {
    let place = place % LEAF_ROWS;
    place.is_multiple_of(2) || place == LEAF_ROWS - 1
}

#[cfg(test)]
mod tests {
    use super::filling;

    #[test]
    fn every_row_has_its_turn_once() {
        for count in 0..600 {
            let mut places: Vec<usize> = filling((0..count).collect()).collect();
            places.sort_unstable();
            assert!(places.into_iter().eq(0..count), "of {count} rows");
        }
    }

    /// How many bytes sled takes for rows that come a thousand at a time in an order.
    fn stored_bytes(order: fn(Vec<u64>) -> Vec<u64>) -> u64 {
        let directory = tempfile::tempdir().unwrap();
        let db = sled::Config::new().path(directory.path()).open().unwrap();
        for first in (0..40_000).step_by(1000) {
            for place in order((first..first + 1000).collect()) {
                db.insert(place.to_be_bytes(), vec![7; 60]).unwrap();
            }
        }
        db.flush().unwrap();
        db.size_on_disk().unwrap()
    }

    #[test]
    fn leaves_that_are_filled_take_less_room() {
        let (filled, plain) = (stored_bytes(|rows| filling(rows).collect()), stored_bytes(|rows| rows));
        assert!(filled * 10 < plain * 9, "{filled} bytes, and {plain} in the order of the keys");
    }
}
