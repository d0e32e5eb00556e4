//! Where `muster up` keeps everything: one directory, so that removing it removes all.

use std::{
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// The directory named, or `.muster/local` of the project, or of the present directory.
    pub(crate) fn find(named: Option<PathBuf>) -> Result<Self> {
        let root = match named {
            Some(directory) => std::path::absolute(directory)?,
            None => {
                let project = muster_local::tools::project_root().map_or_else(std::env::current_dir, Ok)?;
                muster_local::tools::state_base(&project)?.join("local")
            }
        };
        std::fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn nats(&self) -> PathBuf {
        self.root.join("nats")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Where copies for isolated drills are made: a short path of its own, because a socket is made in it.
    /// It belongs to whoever runs the server that is copied.
    pub(crate) fn drills(&self, data_directory: &Path) -> Result<PathBuf> {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(self.root.as_os_str().as_encoded_bytes());
        let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let directory = std::env::temp_dir().join(format!("muster-drills-{short}"));
        std::fs::create_dir_all(&directory)?;
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700))?;
        let owner = std::fs::metadata(data_directory)?;
        std::os::unix::fs::chown(&directory, Some(owner.uid()), Some(owner.gid()))
            .with_context(|| format!("{} cannot be made ready for drills; remove it", directory.display()))?;
        Ok(directory)
    }

    pub(crate) fn estate(&self) -> PathBuf {
        self.root.join("estate")
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    pub(crate) fn mail(&self) -> PathBuf {
        self.root.join("mail")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A secret that is made up the first time it is asked for and then stays.
    pub(crate) fn secret(&self, owner: &str, name: &str, make: impl FnOnce() -> String) -> Result<String> {
        let directory = self.secrets().join(owner);
        std::fs::create_dir_all(&directory)?;
        std::fs::set_permissions(self.secrets(), std::fs::Permissions::from_mode(0o700))?;
        let file = directory.join(name);
        if let Ok(text) = std::fs::read_to_string(&file)
            && !text.trim().is_empty()
        {
            return Ok(text.trim().to_owned());
        }
        self.first(&file, &make())
    }

    /// A port that is chosen the first time it is asked for and then stays, so that addresses hold.
    pub(crate) fn port(&self, name: &str, wish: Option<u16>) -> Result<u16> {
        let file = self.root.join(format!("{name}.port"));
        if let Some(port) = wish {
            std::fs::write(&file, port.to_string())?;
            return Ok(port);
        }
        if let Some(port) = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) {
            return Ok(port);
        }
        let chosen = self.first(&file, &muster_local::free_port()?.to_string())?;
        chosen.parse().with_context(|| format!("{} holds no port. Next: remove it", file.display()))
    }

    /// What the file holds: this text, unless somebody was faster. `muster up` and the demo's world start side by side and
    /// ask for the same things: with two answers, one would send where the other does not listen.
    fn first(&self, file: &Path, text: &str) -> Result<String> {
        // Whole before it has its name, so that nobody reads half of it. For its owner alone.
        let mut whole = tempfile::NamedTempFile::new_in(&self.root)?;
        whole.write_all(text.as_bytes())?;
        match whole.persist_noclobber(file) {
            Ok(_) => return Ok(text.to_owned()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.error).with_context(|| format!("cannot write {}", file.display())),
        }
        let found = std::fs::read_to_string(file)?.trim().to_owned();
        ensure!(!found.is_empty(), "{} is empty. Next: remove it", file.display());
        Ok(found)
    }
}

/// A password for the local stack: 244 random bits.
pub(crate) fn random_password() -> String {
    #[expect(clippy::disallowed_methods, reason = "a secret of the local stack; nothing is replayed from it")]
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    format!("{}{}", a.simple(), b.simple())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::thread;

    use super::*;

    #[test]
    fn who_asks_at_the_same_time_gets_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::find(Some(directory.path().to_owned())).unwrap();
        for name in (0..50).map(|n| format!("n{n}")) {
            let ask = || (place.port(&name, None).unwrap(), place.secret("acme", &name, random_password).unwrap());
            let (one, two) = thread::scope(|scope| {
                let (one, two) = (scope.spawn(ask), scope.spawn(ask));
                (one.join().unwrap(), two.join().unwrap())
            });
            assert_eq!(one, two);
            assert_eq!(one, ask(), "and it stays");
        }
    }
}
