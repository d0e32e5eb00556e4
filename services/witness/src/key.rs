//! The witness' signing key: a file for its owner alone, made at the first start.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use aws_lc_rs::rand;
use muster_tlog::{Algorithm, SigningKey, SoftwareKey};

use crate::error::StartError;

const OWNER_ONLY: u32 = 0o600;

/// Reads the key; `None` if there is none.
pub(crate) fn read(path: &Path, name: &str) -> Result<Option<SoftwareKey>, StartError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StartError::file(path)(error)),
    };
    let key =
        SoftwareKey::from_skey(text.trim()).map_err(|problem| StartError::Key { path: path.to_owned(), problem })?;
    let verifier = key.verifier();
    if verifier.name() != name || verifier.algorithm() != Algorithm::CosignatureV1 {
        let (found, wanted) = (verifier.name().to_owned(), name.to_owned());
        return Err(StartError::OtherName { path: path.to_owned(), found, wanted });
    }
    Ok(Some(key))
}

/// Makes a key, whole or not at all, and never over one that is there.
pub(crate) fn make(path: &Path, name: &str) -> Result<SoftwareKey, StartError> {
    let mut seed = [0_u8; 32];
    rand::fill(&mut seed).map_err(|_| StartError::Random)?;
    let wrong = |problem| StartError::Key { path: path.to_owned(), problem };
    let key = SoftwareKey::from_seed(name, Algorithm::CosignatureV1, &seed).map_err(wrong)?;
    let text = key.to_skey().map_err(wrong)?;
    let scratch = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&scratch)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        fs::hard_link(&scratch, path)?;
        fs::remove_file(&scratch)?;
        sync_directory(path)
    };
    write().map_err(StartError::file(path))?;
    Ok(key)
}

/// A name that was added or replaced is on disk after this.
pub(crate) fn sync_directory(of: &Path) -> std::io::Result<()> {
    let parent = of.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness.key");
        assert!(read(&path, "w.example").unwrap().is_none());
        let made = make(&path, "w.example").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = read(&path, "w.example").unwrap().unwrap();
        assert_eq!(again.verifier(), made.verifier());
        assert!(matches!(make(&path, "w.example"), Err(StartError::File { .. })), "never over one that is there");
        assert!(matches!(read(&path, "other.example"), Err(StartError::OtherName { .. })));
        assert_eq!(read(&path, "w.example").unwrap().unwrap().verifier(), made.verifier());
    }
}
