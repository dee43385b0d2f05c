//! `export`: writes a catalog or an account as a file, or the users of an account as lines.
//!
//! A file is written beside its place and renamed once it is whole, so that a failure leaves the old one as it was.
//! What is no regular file (a pipe, `/dev/stdout`) is written to directly. Start with [`run`].

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use tonic::Request;

use super::{
    Exit, Failure, Output,
    client::{Client, ClientSettings},
};
use crate::proto::{ExportAccountRequest, ExportCatalogRequest, ExportUsersRequest};

/// What can be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `catalogs/ID`
    Catalog(String),
    /// `accounts/ID`
    Account(String),
    /// The users of `accounts/ID`
    Users(String),
}

impl Name {
    /// Tells the two apart; the server checks the id.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some(("catalogs", id)) if !id.is_empty() => Ok(Self::Catalog(text.to_owned())),
            Some(("accounts", id)) if !id.is_empty() => Ok(Self::Account(text.to_owned())),
            _ => Err("expected catalogs/ID or accounts/ID".to_owned()),
        }
    }

    /// The same, or only the users of the account.
    ///
    /// # Errors
    /// What was expected, if it is no account.
    pub fn with_users(self, only_users: bool) -> Result<Self, String> {
        match (only_users, self) {
            (false, name) => Ok(name),
            (true, Self::Account(name) | Self::Users(name)) => Ok(Self::Users(name)),
            (true, Self::Catalog(name)) => Err(format!("{name} has no users; accounts/ID is expected")),
        }
    }
}

/// Asks for the file and writes it as it comes.
///
/// # Errors
/// What the server says, or that the file cannot be written.
pub async fn run(
    settings: &ClientSettings,
    name: &Name,
    output_file: Option<&Path>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let mut place = match output_file {
        Some(path) => Place::open(path)?,
        None => Place::Standard(output),
    };
    let client = Client::connect(settings).await?;
    client.stream(receive(&client, name, &mut place)).await?;
    place.finish().map(|()| Exit::Ok)
}

async fn receive(client: &Client, name: &Name, place: &mut Place<'_>) -> Result<(), Failure> {
    let mut is_empty = true;
    match name {
        Name::Catalog(name) => {
            let request = ExportCatalogRequest { name: name.clone(), consistency: None };
            let mut answers = client.catalogs().export_catalog(Request::new(request)).await?.into_inner();
            while let Some(answer) = answers.message().await? {
                is_empty &= answer.chunk.is_empty();
                if !place.write(&answer.chunk)? {
                    return Ok(());
                }
            }
        }
        Name::Account(name) => {
            let request = ExportAccountRequest { name: name.clone(), consistency: None };
            let mut answers = client.accounts().export_account(Request::new(request)).await?.into_inner();
            while let Some(answer) = answers.message().await? {
                is_empty &= answer.chunk.is_empty();
                if !place.write(&answer.chunk)? {
                    return Ok(());
                }
            }
        }
        Name::Users(parent) => {
            let request = ExportUsersRequest { parent: parent.clone(), consistency: None };
            let mut answers = client.users().export_users(Request::new(request)).await?.into_inner();
            while let Some(answer) = answers.message().await? {
                if !place.write(&answer.chunk)? {
                    return Ok(());
                }
            }
        }
    }
    // An account always has a head, but may have no users.
    is_empty &= !matches!(name, Name::Users(_));
    if is_empty { Err(Failure::new(Exit::Internal, "the server sent an empty file")) } else { Ok(()) }
}

/// Where the file goes.
enum Place<'a> {
    Standard(&'a mut Output),
    Direct(File, PathBuf),
    Beside(NamedTempFile, PathBuf),
}

impl<'a> Place<'a> {
    fn open(path: &Path) -> Result<Self, Failure> {
        let opened = match fs::metadata(path) {
            // Renaming onto a device would replace it.
            Ok(metadata) if !metadata.is_file() => {
                File::options().write(true).open(path).map(|file| Self::Direct(file, path.to_owned()))
            }
            // A symbolic link stays, and what it points to is replaced.
            Ok(_) => fs::canonicalize(path).and_then(Self::beside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::beside(path.to_owned()),
            Err(error) => Err(error),
        };
        opened.map_err(|error| Failure::output(&path.display().to_string(), &error))
    }

    fn beside(path: PathBuf) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self::Beside(NamedTempFile::new_in(folder)?, path))
    }

    /// Whether it makes sense to go on.
    fn write(&mut self, chunk: &[u8]) -> Result<bool, Failure> {
        let (written, path) = match self {
            Self::Standard(output) => return output.write(chunk).map(|()| !output.is_closed()),
            Self::Direct(file, path) => (file.write_all(chunk), path),
            Self::Beside(file, path) => (file.write_all(chunk), path),
        };
        written.map(|()| true).map_err(|error| Failure::output(&path.display().to_string(), &error))
    }

    fn finish(self) -> Result<(), Failure> {
        let (finished, path) = match self {
            Self::Standard(_) | Self::Direct(..) => return Ok(()),
            Self::Beside(file, path) => {
                let synced = file.as_file().sync_all();
                (synced.and_then(|()| file.persist(&path).map(drop).map_err(|error| error.error)), path)
            }
        };
        finished.map_err(|error| Failure::output(&path.display().to_string(), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_to_export() {
        assert_eq!(Name::parse("accounts/demo"), Ok(Name::Account("accounts/demo".to_owned())));
        assert_eq!(Name::parse("catalogs/c"), Ok(Name::Catalog("catalogs/c".to_owned())));
        for wrong in ["demo", "accounts/", "users/ana", ""] {
            assert!(Name::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_is_replaced_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.yaml");
        fs::write(&path, "old").unwrap();
        let mut place = Place::open(&path).unwrap();
        place.write(b"half").unwrap();
        drop(place);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");

        let mut place = Place::open(&path).unwrap();
        place.write(b"whole").unwrap();
        place.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("demo.yaml"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut place = Place::open(&link).unwrap();
        place.write(b"new").unwrap();
        place.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(matches!(Place::open(Path::new("/dev/null")).unwrap(), Place::Direct(..)));
        assert_eq!(Place::open(&folder.path().join("no/such")).err().unwrap().exit, Exit::Output);
    }
}
