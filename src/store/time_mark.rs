//! How far the time of decisions has come, so that a restart never goes back behind it.
//!
//! A grant that was told to have expired must not come back because the machine's clock was set back while the server was
//! down. Changes carry their time, but questions are asked when nothing is written too: so a mark ahead of the clock is
//! kept beside the journal. It is written ahead, and a server that was killed begins at the mark: what expires in the few
//! seconds between may end early, never late.

use std::path::Path;

use super::{StoreError, files, open::Opened};
use crate::model::Timestamp;

/// The file's name in the data directory: milliseconds since 1970, in digits.
const NAME: &str = "TIME";

/// The mark of a data directory; the beginning of time if there is none.
pub(super) fn read(directory: &Path) -> Result<Timestamp, StoreError> {
    let Some(bytes) = files::read_if_there(&directory.join(NAME))? else { return Ok(Timestamp(0)) };
    let text = String::from_utf8(bytes).unwrap_or_default();
    match text.trim_end().parse() {
        Ok(time) => Ok(Timestamp(time)),
        Err(_) => {
            tracing::warn!(file = NAME, "the mark of time cannot be read; the time of the last change is taken");
            Ok(Timestamp(0))
        }
    }
}

impl Opened {
    /// The time before which no decision may be made any more.
    #[must_use]
    pub fn time_mark(&self) -> Timestamp {
        self.time_mark
    }

    /// Says that decisions may be made up to a time: the next start begins there at the earliest.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn mark_time(&self, time: Timestamp) -> Result<(), StoreError> {
        files::write_whole(&self.paths.directory.join(NAME), format!("{}\n", time.0).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::{OpenOptions, open};

    #[test]
    fn a_mark_is_there_after_a_restart_and_one_that_cannot_be_read_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open(directory.path(), OpenOptions::default()).unwrap();
        assert_eq!(opened.time_mark(), Timestamp(0));
        opened.mark_time(Timestamp(1_234)).unwrap();
        opened.close().unwrap();
        drop(opened);
        let opened = open(directory.path(), OpenOptions::default()).unwrap();
        assert_eq!(opened.time_mark(), Timestamp(1_234));
        opened.close().unwrap();
        drop(opened);
        std::fs::write(directory.path().join(NAME), "yesterday").unwrap();
        assert_eq!(open(directory.path(), OpenOptions::default()).unwrap().time_mark(), Timestamp(0));
    }
}
