//! Whose checkpoints are cosigned: the logs that the witness' operator listed, and their next epochs.
//!
//! A log's origin ends in its epoch, `<domain>/<tenant>/record/<epoch>`. A new epoch has no history that could contradict
//! it, so two rules keep it from being a way around the witness: it is known only under a key that was listed for an
//! earlier epoch (another key is listed by a person), and once an epoch was cosigned, no earlier one is any more. So a new
//! epoch is always seen: by the log it belongs to, if it was not that log which opened it.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use muster_tlog::{Algorithm, VerifierKey};

use crate::error::StartError;

/// More than a service provider has tenants; a larger file is another file.
const MAX_FILE_BYTES: u64 = 1 << 20;

pub(crate) struct Logs {
    listed: Vec<VerifierKey>,
    file: Option<PathBuf>,
    of_file: RwLock<OfFile>,
    next_epochs: bool,
}

/// What was read from the file of known logs, and which content that was.
#[derive(Default)]
struct OfFile {
    keys: Vec<VerifierKey>,
    read: Option<Stamp>,
}

/// Another one is another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed_s: i64,
    changed_ns: i64,
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self { inode: found.ino(), size: found.len(), changed_s: found.ctime(), changed_ns: found.ctime_nsec() }
    }
}

impl Logs {
    pub(crate) fn new(listed: &[String], file: Option<PathBuf>, next_epochs: bool) -> Result<Self, StartError> {
        let listed = listed.iter().map(|key| parse(key)).collect::<Result<_, _>>()?;
        let logs = Self { listed, file, of_file: RwLock::default(), next_epochs };
        // A line of the file that is no key stops the start; later it is only reported.
        logs.read_file()?;
        Ok(logs)
    }

    /// The keys that a checkpoint of this origin may be signed by. Empty: the log is not known. What is added to the file
    /// counts from the next checkpoint on: a new log, a new key of a known one, a new epoch under another key.
    pub(crate) fn keys_of(&self, origin: &str) -> Vec<VerifierKey> {
        if let Err(error) = self.read_file() {
            tracing::error!(%error, "the file of known logs cannot be used; those known before stay known");
        }
        let of_file = self.of_file.read().unwrap_or_else(PoisonError::into_inner);
        let known = || self.listed.iter().chain(of_file.keys.iter());
        let exact: Vec<VerifierKey> = known().filter(|key| key.name() == origin).cloned().collect();
        // Where somebody listed a key for this very epoch, one of an earlier epoch is no way around it.
        let mut keys =
            if exact.is_empty() { known().filter_map(|key| self.next_epoch(key, origin)).collect() } else { exact };
        keys.dedup();
        keys
    }

    fn next_epoch(&self, key: &VerifierKey, origin: &str) -> Option<VerifierKey> {
        let ((line, epoch), (wanted_line, wanted)) = (epoch_of(key.name())?, epoch_of(origin)?);
        let follows = self.next_epochs && line == wanted_line && wanted > epoch;
        follows.then(|| VerifierKey::new(origin, key.algorithm(), *key.public_key()).ok()).flatten()
    }

    /// Reads it if it is another than the last time.
    fn read_file(&self) -> Result<(), StartError> {
        let Some(path) = &self.file else { return Ok(()) };
        let found = match fs::metadata(path) {
            Ok(found) => found,
            // Written when the first log is listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StartError::file(path)(error)),
        };
        let stamp = Some(Stamp::of(&found));
        if self.of_file.read().unwrap_or_else(PoisonError::into_inner).read == stamp {
            return Ok(());
        }
        let read = keys_in(path, found.len());
        let mut of_file = self.of_file.write().unwrap_or_else(PoisonError::into_inner);
        // Also a file that cannot be used is looked at once.
        of_file.read = stamp;
        of_file.keys = read?;
        Ok(())
    }
}

fn keys_in(path: &Path, size: u64) -> Result<Vec<VerifierKey>, StartError> {
    if size > MAX_FILE_BYTES {
        let problem = std::io::Error::other(format!("it has {size} bytes; at most {MAX_FILE_BYTES} are read"));
        return Err(StartError::file(path)(problem));
    }
    let text = fs::read_to_string(path).map_err(StartError::file(path))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(parse).collect()
}

fn parse(text: &str) -> Result<VerifierKey, StartError> {
    let wrong = |problem: String| StartError::Log { key: text.to_owned(), problem };
    let key: VerifierKey = text.parse().map_err(|error| wrong(format!("{error}")))?;
    if key.algorithm() == Algorithm::Ed25519 { Ok(key) } else { Err(wrong("it is the key of a witness".to_owned())) }
}

/// `audit.example/one/record` and 2 of `audit.example/one/record/2`.
pub(crate) fn epoch_of(origin: &str) -> Option<(&str, u32)> {
    let (line, digits) = origin.rsplit_once('/')?;
    let epoch: u32 = digits.parse().ok()?;
    (epoch.to_string() == digits).then_some((line, epoch))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn key(origin: &str, first_byte: u8) -> VerifierKey {
        let mut public = [7; 32];
        public[0] = first_byte;
        VerifierKey::new(origin, Algorithm::Ed25519, public).unwrap()
    }

    #[test]
    fn the_next_epoch_is_known_under_the_same_key_and_an_earlier_or_foreign_one_is_not() {
        let listed = [key("a.example/one/record/2", 1).to_string()];
        let logs = Logs::new(&listed, None, true).unwrap();
        for (origin, known) in [
            ("a.example/one/record/2", true),
            ("a.example/one/record/3", true),
            ("a.example/one/record/1", false),
            ("a.example/one/record/03", false),
            ("a.example/two/record/3", false),
            ("a.example/one/record", false),
        ] {
            let expected = if known { vec![key(origin, 1)] } else { Vec::new() };
            assert_eq!(logs.keys_of(origin), expected, "{origin}");
        }
        let strict = Logs::new(&listed, None, false).unwrap();
        assert!(strict.keys_of("a.example/one/record/3").is_empty());
    }

    #[test]
    fn the_key_of_a_new_epoch_and_a_rotated_one_are_learned_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs");
        let (first, rotated) = (key("a.example/one/record/1", 1), key("a.example/one/record/1", 2));
        fs::write(&path, format!("{first}\n")).unwrap();
        let logs = Logs::new(&[], Some(path.clone()), true).unwrap();
        assert_eq!(logs.keys_of(first.name()), std::slice::from_ref(&first));
        assert_eq!(logs.keys_of("a.example/one/record/2"), [key("a.example/one/record/2", 1)]);

        fs::write(&path, format!("{first}\n{rotated}\n")).unwrap();
        assert_eq!(logs.keys_of(first.name()), [first.clone(), rotated.clone()]);
        // After a revocation the epoch has a key of its own, and the old one is no way into it.
        let revoked = key("a.example/one/record/2", 3);
        fs::write(&path, format!("{first}\n{rotated}\n{revoked}\n")).unwrap();
        assert_eq!(logs.keys_of("a.example/one/record/2"), [revoked]);
    }

    #[test]
    fn a_log_that_is_added_to_the_file_is_known_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs");
        let logs = Logs::new(&[], Some(path.clone()), true).unwrap();
        assert!(logs.keys_of("a.example/one/record/1").is_empty());
        let (one, two) = (key("a.example/one/record/1", 1), key("a.example/two/record/1", 2));
        fs::write(&path, format!("# ours\n{one}\n\n{two}\n")).unwrap();
        assert_eq!(logs.keys_of(one.name()), std::slice::from_ref(&one));
        fs::write(&path, "no key\n").unwrap();
        assert!(logs.keys_of("a.example/three/record/1").is_empty());
        assert_eq!(logs.keys_of(two.name()), [two], "those known before stay known");
        assert!(matches!(Logs::new(&[], Some(path), true), Err(StartError::Log { .. })));
    }
}
