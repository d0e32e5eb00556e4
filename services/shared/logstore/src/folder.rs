//! Compare-and-set in a folder: a lock beside the file, and a rename, so that a crash leaves the old content or the new.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest as _, Sha256};

use crate::StoreError;

pub(crate) fn digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// The digest of what was written; `None`: the file is not what was seen.
pub(crate) async fn compare_and_set(
    file: PathBuf,
    seen: Option<[u8; 32]>,
    content: Bytes,
) -> Result<Option<[u8; 32]>, StoreError> {
    let shown = file.display().to_string();
    let work = tokio::task::spawn_blocking(move || locked(&file, seen, &content));
    let done = work.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| StoreError::failed("replacing", &shown, &error))
}

fn locked(file: &Path, seen: Option<[u8; 32]>, content: &[u8]) -> io::Result<Option<[u8; 32]>> {
    let directory = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(file.with_extension("lock"))?;
    let _held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| io::Error::from(error))?;
    let there = match fs::read(file) {
        Ok(there) => Some(digest(&there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if there != seen {
        return Ok(None);
    }
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    File::open(directory)?.sync_all()?;
    Ok(Some(digest(content)))
}
