//! Whose checkpoints are cosigned: the logs that the witness' operator listed, and their next epochs.
//!
//! A log's origin ends in its epoch, `<domain>/<tenant>/record/<epoch>`. A new epoch has no history that could contradict
//! it, so two rules keep it from being a way around the witness: it is known only under a key that was listed for an
//! earlier epoch (another key is listed by a person), and once an epoch was cosigned, no earlier one is any more. So a new
//! epoch is always seen: by the log it belongs to, if it was not that log which opened it.

use std::{fs, path::PathBuf, sync::PoisonError, sync::RwLock};

use muster_tlog::{Algorithm, VerifierKey};

use crate::error::StartError;

/// More than a service provider has tenants; a larger file is another file.
const MAX_FILE_BYTES: u64 = 1 << 20;

pub(crate) struct Logs {
    listed: Vec<VerifierKey>,
    file: Option<PathBuf>,
    of_file: RwLock<Vec<VerifierKey>>,
    next_epochs: bool,
}

impl Logs {
    pub(crate) fn new(listed: &[String], file: Option<PathBuf>, next_epochs: bool) -> Result<Self, StartError> {
        let listed = listed.iter().map(|key| parse(key)).collect::<Result<_, _>>()?;
        let logs = Self { listed, file, of_file: RwLock::default(), next_epochs };
        // A line of the file that is no key stops the start; later it is only reported.
        logs.read_file()?;
        Ok(logs)
    }

    /// The keys that a checkpoint of this origin may be signed by. Empty: the log is not known.
    pub(crate) fn keys_of(&self, origin: &str) -> Vec<VerifierKey> {
        let keys = self.find(origin);
        if !keys.is_empty() || self.file.is_none() {
            return keys;
        }
        if let Err(error) = self.read_file() {
            tracing::error!(%error, "the file of known logs cannot be used; those known before stay known");
        }
        self.find(origin)
    }

    fn find(&self, origin: &str) -> Vec<VerifierKey> {
        let of_file = self.of_file.read().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<VerifierKey> =
            self.listed.iter().chain(of_file.iter()).filter_map(|key| self.key_for(key, origin)).collect();
        keys.dedup();
        keys
    }

    fn key_for(&self, key: &VerifierKey, origin: &str) -> Option<VerifierKey> {
        if key.name() == origin {
            return Some(key.clone());
        }
        let ((line, epoch), (wanted_line, wanted)) = (epoch_of(key.name())?, epoch_of(origin)?);
        let follows = self.next_epochs && line == wanted_line && wanted > epoch;
        follows.then(|| VerifierKey::new(origin, key.algorithm(), *key.public_key()).ok()).flatten()
    }

    fn read_file(&self) -> Result<(), StartError> {
        let Some(path) = &self.file else { return Ok(()) };
        let size = match fs::metadata(path) {
            Ok(found) => found.len(),
            // Written when the first log is listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StartError::file(path)(error)),
        };
        if size > MAX_FILE_BYTES {
            let problem = std::io::Error::other(format!("it has {size} bytes; at most {MAX_FILE_BYTES} are read"));
            return Err(StartError::file(path)(problem));
        }
        let text = fs::read_to_string(path).map_err(StartError::file(path))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(parse).collect::<Result<_, _>>()?;
        *self.of_file.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }
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
