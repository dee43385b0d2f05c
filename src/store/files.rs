//! The few things that are done to files, each in the way that survives a power cut.
//!
//! A new file is written beside its name, synced, renamed, and its directory synced: it is there whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::StoreError;

/// The suffix of a file that is being written, and may be deleted at any start.
pub(super) const UNFINISHED: &str = ".unfinished";

/// Says which file an error belongs to.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

/// Options for files that only the owner can read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Creates a directory that only the owner can enter, with its parents, and makes its name durable.
pub(super) fn create_directory(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(at(path))
}

/// Makes all files directly in a directory, and in the directories in it, durable.
pub(super) fn sync_tree(path: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(path).map_err(at(path))? {
        let entry = entry.map_err(at(path))?;
        let inner = entry.path();
        if entry.file_type().map_err(at(&inner))?.is_dir() {
            sync_tree(&inner)?;
        } else {
            match File::open(&inner).and_then(|file| file.sync_all()) {
                Ok(()) => {}
                // sled deletes files of its own when it likes.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(at(&inner)(error)),
            }
        }
    }
    sync_directory(path)
}

/// The name that a file has while it is being written.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

/// Gives a finished file its name for good.
pub(super) fn publish(path: &Path) -> Result<(), StoreError> {
    fs::rename(unfinished(path), path).map_err(at(path))?;
    match path.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// Writes a small file, whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = unfinished(path);
    let mut file = private().write(true).create(true).truncate(true).open(&temporary).map_err(at(&temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&temporary))?;
    publish(path)
}

/// Deletes a file or a directory with all that is in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<bool, StoreError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(path)(error)),
    }
}

/// Deletes what an interrupted [`write_whole`] or an unpublished file left in a directory.
pub(super) fn remove_unfinished(directory: &Path) -> Result<(), StoreError> {
    for name in names(directory)? {
        if name.ends_with(UNFINISHED) {
            remove(&directory.join(name))?;
        }
    }
    Ok(())
}

/// The names in a directory, sorted. Names that are not UTF-8 are none of ours.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        if let Ok(name) = entry.map_err(at(directory))?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The content of a file, if it is there.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Io { path: "getrandom".into(), source: io::Error::other(error.to_string()) })?;
    Ok(bytes)
}
