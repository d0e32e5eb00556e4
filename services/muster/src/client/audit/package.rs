//! A package on this machine's disk: a directory or an archive, there whole or not at all.

use std::{
    fs::File,
    io::{self, BufWriter, Seek as _, SeekFrom, Write as _},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tempfile::{NamedTempFile, TempDir};

use super::export::beside;
use crate::client::error::CliError;

/// An archive is written in blocks of this size, and ends with two empty ones (POSIX ustar).
const BLOCK: usize = 512;

pub(super) struct PackageWriter {
    path: PathBuf,
    to: To,
    files: u32,
    bytes: u64,
}

enum To {
    Directory { directory: TempDir, file: Option<BufWriter<File>> },
    Archive { archive: BufWriter<NamedTempFile>, entry: Option<Entry> },
}

/// The file that is being written into the archive: its head is known when it has ended.
struct Entry {
    head_at: u64,
    path: String,
    size: u64,
}

impl PackageWriter {
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        if path.exists() {
            return Err(CliError::Usage(format!(
                "--file {}: it is there already; a package is never written over another. Name another place",
                path.display()
            )));
        }
        let failed = |error: io::Error| CliError::Failed(format!("{}: {error}", path.display()));
        let to = if path.extension().is_some_and(|extension| extension == "tar") {
            To::Archive { archive: BufWriter::new(NamedTempFile::new_in(beside(path)).map_err(failed)?), entry: None }
        } else {
            let directory = tempfile::Builder::new().prefix(".muster-evidence-").tempdir_in(beside(path));
            To::Directory { directory: directory.map_err(failed)?, file: None }
        };
        Ok(Self { path: path.to_owned(), to, files: 0, bytes: 0 })
    }

    pub(super) fn files(&self) -> u32 {
        self.files
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Begins the next file. What a server says is no reason to write anywhere but into the package.
    pub(super) fn begin(&mut self, path: &str) -> Result<(), CliError> {
        let relative = Path::new(path);
        if path.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(CliError::Failed(format!("the server names a file '{path}' outside of the package")));
        }
        self.files += 1;
        let result = match &mut self.to {
            To::Directory { directory, file } => begin_file(directory.path(), relative).map(|new| *file = Some(new)),
            To::Archive { archive, entry } => end_entry(archive, entry.take()).and_then(|()| {
                let head_at = archive.stream_position()?;
                *entry = Some(Entry { head_at, path: path.to_owned(), size: 0 });
                archive.write_all(&[0; BLOCK])
            }),
        };
        result.map_err(|error| self.failed(&error))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.bytes += bytes.len() as u64;
        let result = match &mut self.to {
            To::Directory { file: Some(file), .. } => file.write_all(bytes),
            To::Archive { archive, entry: Some(entry) } => {
                entry.size += bytes.len() as u64;
                archive.write_all(bytes)
            }
            _ if bytes.is_empty() => Ok(()),
            _ => Err(io::Error::other("the server sends content without a file")),
        };
        result.map_err(|error| self.failed(&error))
    }

    /// Everything is there: from here on the package is in its place.
    pub(super) fn finish(self) -> Result<(), CliError> {
        let Self { path, to, .. } = self;
        let failed = |error: io::Error| CliError::Failed(format!("{}: {error}", path.display()));
        match to {
            To::Directory { directory, file } => {
                file.map_or(Ok(()), |mut file| file.flush()).map_err(failed)?;
                std::fs::rename(directory.path(), &path).map_err(failed)?;
                // Its content has moved; only the handle is left.
                let _ = directory.keep();
                readable(&path).map_err(failed)
            }
            To::Archive { mut archive, entry } => {
                end_entry(&mut archive, entry).and_then(|()| archive.write_all(&[0; 2 * BLOCK])).map_err(failed)?;
                let file = archive.into_inner().map_err(|error| failed(error.into_error()))?;
                file.as_file().sync_all().map_err(failed)?;
                file.persist_noclobber(&path).map(drop).map_err(|error| failed(error.error))
            }
        }
    }

    fn failed(&self, error: &io::Error) -> CliError {
        CliError::Failed(format!("{}: {error}", self.path.display()))
    }
}

/// Temporary directories are their owner's alone; a package is read by others, too.
fn readable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

fn begin_file(directory: &Path, relative: &Path) -> io::Result<BufWriter<File>> {
    let path = directory.join(relative);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(BufWriter::new(File::create_new(path)?))
}

/// Fills the last block and writes the head, with nothing in it that says when or by whom.
fn end_entry(archive: &mut BufWriter<NamedTempFile>, entry: Option<Entry>) -> io::Result<()> {
    let Some(entry) = entry else { return Ok(()) };
    let over = (entry.size % BLOCK as u64) as usize;
    if over > 0 {
        archive.write_all(&vec![0; BLOCK - over])?;
    }
    let end = archive.stream_position()?;
    let mut head = tar::Header::new_ustar();
    head.set_path(&entry.path)?;
    head.set_size(entry.size);
    head.set_mode(0o644);
    head.set_mtime(0);
    head.set_uid(0);
    head.set_gid(0);
    head.set_cksum();
    archive.seek(SeekFrom::Start(entry.head_at))?;
    archive.write_all(head.as_bytes())?;
    archive.seek(SeekFrom::Start(end)).map(drop)
}

/// How far it is, on standard error where that is a terminal. How much will come, nobody knows.
pub(super) fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {bytes} at {bytes_per_sec}, {msg}");
    let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::io::Read as _;

    use super::*;

    fn write(path: &Path) -> PackageWriter {
        let mut writer = PackageWriter::create(path).unwrap();
        writer.begin("checkpoint").unwrap();
        writer.write(b"signed").unwrap();
        writer.begin("tile/0/000.p/5").unwrap();
        writer.write(&[1; 700]).unwrap();
        writer.write(&[2; 3]).unwrap();
        writer.begin("empty").unwrap();
        writer
    }

    #[test]
    fn a_directory_is_there_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("package");
        drop(write(&path));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "nothing is left of an abandoned one");
        write(&path).finish().unwrap();
        assert_eq!(std::fs::read(path.join("tile/0/000.p/5")).unwrap().len(), 703);
        assert!(PackageWriter::create(&path).is_err(), "never over another");
    }

    #[test]
    fn an_archive_reads_back_and_is_the_same_each_time() {
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (place.path().join("one.tar"), place.path().join("two.tar"));
        write(&one).finish().unwrap();
        write(&two).finish().unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        let mut archive = tar::Archive::new(File::open(&one).unwrap());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((path, content.len()));
        }
        assert_eq!(found, [("checkpoint".into(), 6), ("tile/0/000.p/5".into(), 703), ("empty".into(), 0)]);
    }

    #[test]
    fn a_server_cannot_write_elsewhere() {
        let place = tempfile::tempdir().unwrap();
        let mut writer = PackageWriter::create(&place.path().join("package")).unwrap();
        for path in ["../evil", "/etc/evil", "a/../../evil", ""] {
            assert!(writer.begin(path).is_err(), "{path}");
        }
        let mut writer = PackageWriter::create(&place.path().join("other.tar")).unwrap();
        assert!(writer.write(b"without a file").is_err());
    }
}
