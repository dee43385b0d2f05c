//! Lists of permissions as they were last written down, kept beside what they were made of.
//!
//! Writing a list down takes a hundred times as long as sending it. What was written is given again as long as the entry
//! that it was made of is the one that lists are made of, and whether that still holds is decided as ever.

use std::sync::{Arc, Weak};

use super::{
    answerable::Answerable,
    core::{ReadAt, Service},
    error::ServiceError,
    listings::{ListedPermissions, listed},
    subjects::{LoadedName, SubjectName},
};
use crate::{
    cache::{Entry, EntryMap as _, Weighed},
    model::{Number, Revision, Timestamp},
};

/// A list that was written down.
pub(super) struct KeptPage {
    /// What it was made of. Nothing else can stand at that address as long as this is here.
    of: Weak<Entry<Answerable>>,
    account: Option<Number>,
    is_negative: bool,
    bytes: Arc<[u8]>,
}

impl Weighed for KeptPage {
    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<Entry<Answerable>>() + self.bytes.len()
    }

    fn is_negative(&self) -> bool {
        self.is_negative
    }

    fn account(&self) -> Option<Number> {
        self.account
    }
}

impl Service {
    /// All that a subject may do, and why, as `write` writes it down, which must make nothing of anything but the list.
    /// None: there are more than `size` permissions, or very many paths; then [`Self::list_permissions`] gives it by pages.
    /// Cost: two look-ups if it was asked for before and still holds, else that of [`Self::list_permissions`].
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn written_permissions(
        &self,
        name: SubjectName<'_>,
        size: usize,
        at: ReadAt,
        now: Timestamp,
        write: impl FnOnce(ListedPermissions) -> Vec<u8> + Send + 'static,
    ) -> Result<(Option<Arc<[u8]>>, Revision), ServiceError> {
        let (entry, revision) = self.entry_at(name, at, now).await?;
        let key = name.key();
        let is_of = |kept: &KeptPage| std::ptr::eq(kept.of.as_ptr(), Arc::as_ptr(&entry));
        if let Some(kept) = self.core.pages.get(key.as_bytes()).filter(|kept| is_of(&kept.value)) {
            return Ok((Some(Arc::clone(&kept.value.bytes)), revision));
        }
        let LoadedName { account, .. } = name.to_owned()?;
        let core = Arc::clone(&self.core);
        let written = self.blocking(move || {
            let page = listed(&entry.value, &account, size, None)?;
            if page.next.is_some() {
                return Ok(None);
            }
            let bytes: Arc<[u8]> = write(page).into();
            if !entry.is_unkept() {
                let kept = KeptPage {
                    of: Arc::downgrade(&entry),
                    account: entry.value.account(),
                    is_negative: entry.value.is_negative(),
                    bytes: Arc::clone(&bytes),
                };
                core.pages.insert(key.as_bytes(), &Arc::new(Entry::unkept(kept, entry.revision)));
            }
            Ok(Some(bytes))
        });
        Ok((written.await?, revision))
    }
}
