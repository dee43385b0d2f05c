//! Stops writing while there is still room, because a full disk breaks the restart and not only the write.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::super::{
    StoreError,
    files::{self, at},
};

/// The operating system is asked at most once in this time.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How much of the disk must stay free: the larger of the two, and a file that can be deleted in need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskGuard {
    /// In bytes.
    pub floor_bytes: u64,
    /// In hundredths of the disk.
    pub floor_percent: u64,
    /// The size of the file that is kept to be deleted when the disk is full; 0: none.
    pub ballast_bytes: u64,
}

impl Default for DiskGuard {
    fn default() -> Self {
        Self { floor_bytes: 256 << 20, floor_percent: 5, ballast_bytes: 64 << 20 }
    }
}

/// What is free, asked now and then.
pub(super) struct FreeSpace {
    directory: PathBuf,
    guard: DiskGuard,
    asked: Mutex<Option<(Instant, Space)>>,
}

#[derive(Clone, Copy)]
struct Space {
    free: u64,
    needed: u64,
}

fn ask(directory: &Path, guard: DiskGuard) -> Result<Space, StoreError> {
    let disk = rustix::fs::statvfs(directory).map_err(|error| at(directory)(error.into()))?;
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let share = u128::from(total) * u128::from(guard.floor_percent) / 100;
    Ok(Space {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        needed: guard.floor_bytes.max(u64::try_from(share).unwrap_or(u64::MAX)),
    })
}

impl FreeSpace {
    pub(super) fn new(directory: &Path, guard: DiskGuard) -> Self {
        Self { directory: directory.to_owned(), guard, asked: Mutex::new(None) }
    }

    /// Takes bytes from what is free.
    ///
    /// # Errors
    /// [`StoreError::DiskNearlyFull`] if too little would be left.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), StoreError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, mut space) = match *asked {
            Some(known) if known.0.elapsed() < ASK_EVERY => known,
            _ => (Instant::now(), ask(&self.directory, self.guard)?),
        };
        let left = space.free.saturating_sub(bytes);
        let refused = left < space.needed;
        if !refused {
            space.free = left;
        }
        *asked = Some((when, space));
        drop(asked);
        if refused { Err(StoreError::DiskNearlyFull { free: space.free, needed: space.needed }) } else { Ok(()) }
    }
}

/// Keeps a file that can be deleted in need; deletes it if the need is there already, because opening takes room.
/// Failing to create it is no error.
pub(in crate::store) fn keep_ballast(directory: &Path, guard: DiskGuard) -> Result<(), StoreError> {
    let path = directory.join("ballast");
    let space = ask(directory, guard)?;
    if guard.ballast_bytes == 0 || space.free < guard.ballast_bytes {
        files::remove(&path)?;
        return Ok(());
    }
    let there = path.metadata().is_ok_and(|metadata| metadata.len() == guard.ballast_bytes);
    let room = space.free.saturating_sub(guard.ballast_bytes) > space.needed;
    if !there && room && fill(&path, guard.ballast_bytes).is_err() {
        files::remove(&path)?;
    }
    Ok(())
}

fn fill(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file: File = files::private().write(true).create(true).truncate(true).open(path)?;
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).is_err() {
        let zeros = vec![0; 1 << 20];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(zeros.len() as u64);
            file.write_all(zeros.get(..usize::try_from(now).unwrap_or(zeros.len())).unwrap_or_default())?;
            left -= now;
        }
    }
    Ok(())
}
