//! Where `muster up` keeps everything: one directory, so that removing it removes all.

use std::{
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

/// The server's socket is made below it: the configuration takes no longer one.
const MAX_DRILL_DIRECTORY: usize = 40;

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

    /// Where copies for isolated drills are made. It belongs to whoever runs the server that is copied.
    pub(crate) fn drills(&self, data_directory: &Path) -> Result<PathBuf> {
        let directory = self.drill_directory();
        std::fs::create_dir_all(&directory)?;
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700))?;
        let owner = std::fs::metadata(data_directory)?;
        std::os::unix::fs::chown(&directory, Some(owner.uid()), Some(owner.gid()))
            .with_context(|| format!("{} cannot be made ready for drills; remove it", directory.display()))?;
        Ok(directory)
    }

    /// Here, unless its path is too long for that; then a short one of its own outside, which the end of `muster up` removes.
    fn drill_directory(&self) -> PathBuf {
        use sha2::Digest as _;
        let here = self.root.join("drills");
        if here.as_os_str().len() <= MAX_DRILL_DIRECTORY {
            return here;
        }
        let digest = sha2::Sha256::digest(self.root.as_os_str().as_encoded_bytes());
        let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        std::env::temp_dir().join(format!("muster-drills-{short}"))
    }

    /// For as long as `muster up` runs. After a SIGKILL the next one's end clears it.
    pub(crate) fn drills_until_the_end(&self) -> DrillsUntilTheEnd {
        DrillsUntilTheEnd(self.drill_directory())
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

/// Removes the directory of drills where nothing is in it. A copy in the middle stays: the next start finds its request in the
/// log and removes it as the drill does.
#[must_use]
pub(crate) struct DrillsUntilTheEnd(PathBuf);

impl Drop for DrillsUntilTheEnd {
    fn drop(&mut self) {
        // Not there, or not empty: neither is anything that the end of the product could put right.
        let _ = std::fs::remove_dir(&self.0);
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

    #[test]
    fn the_directory_of_drills_ends_with_the_product() {
        let directory = tempfile::Builder::new().prefix("p").rand_bytes(3).tempdir().unwrap();
        for root in [directory.path().to_owned(), directory.path().join("a-name-so-long-that-no-socket-fits-below-it")]
        {
            let place = Place::find(Some(root.clone())).unwrap();
            let end = place.drills_until_the_end();
            let drills = place.drills(directory.path()).unwrap();
            assert!(drills.is_dir() && drills.as_os_str().len() <= MAX_DRILL_DIRECTORY, "{}", drills.display());
            assert_eq!(drills.starts_with(directory.path()), root == directory.path());
            // Killed, which runs no end; then started again, with a copy that is not removed yet.
            std::mem::forget(end);
            let end = place.drills_until_the_end();
            std::fs::create_dir(place.drills(directory.path()).unwrap().join("drill")).unwrap();
            drop(end);
            assert!(drills.join("drill").is_dir(), "nothing is taken from a drill");
            std::fs::remove_dir(drills.join("drill")).unwrap();
            drop(place.drills_until_the_end());
            assert!(!drills.exists());
        }
    }
}
