//! Forgetting what only revisions need that are kept no longer.

use super::{
    Digest, StoreError,
    digest::history_row,
    history,
    sled_store::{Meta, Rows, SledStore, TRANSACTION_RECORDS, engine},
    user_index::UserIndex,
};
use crate::model::Revision;

impl SledStore {
    /// Forgets the before-images that only revisions before `oldest` need, a bounded batch at a time. Gives their
    /// number. Cost: linear in the history.
    pub(super) fn prune(&self, oldest: Revision) -> Result<usize, StoreError> {
        {
            let mut writer = self.writer()?;
            // First nobody may ask for it any more; then it goes.
            let meta = Meta { oldest: writer.meta.oldest.max(oldest), ..writer.meta };
            self.put_meta(&mut writer, meta)?;
        }
        let mut count = 0;
        let mut from = Vec::new();
        loop {
            let mut rows = Rows::default();
            let mut sum = Digest::default();
            let mut seen = 0;
            for item in self.history.range(std::mem::take(&mut from)..).take(TRANSACTION_RECORDS) {
                let (stored, value) = item.map_err(engine)?;
                seen += 1;
                // The next batch begins right behind it.
                from = [&stored, &[0][..]].concat();
                let (key, replaced_at) = history::split(&stored)?;
                if replaced_at <= oldest {
                    let row = self.row(key, &value)?;
                    sum = sum.plus(history_row(key, row.revision, replaced_at, &row.record));
                    rows.remove_parts(&row);
                    rows.remove_history(&stored);
                }
            }
            if rows.count > 0 {
                let mut writer = self.writer()?;
                let meta = Meta { history_digest: writer.meta.history_digest.minus(sum), ..writer.meta };
                count += rows.count;
                self.finish(&mut writer, rows, meta)?;
            }
            if seen < TRANSACTION_RECORDS {
                break;
            }
        }
        let mut from = Some(UserIndex::first_ended());
        while from.is_some() {
            let mut writer = self.writer()?;
            let mut rows = Rows::default();
            self.users.prune(&mut rows.users, &mut from, oldest, TRANSACTION_RECORDS)?;
            let meta = writer.meta;
            self.finish(&mut writer, rows, meta)?;
        }
        Ok(count)
    }
}
