//! Where `muster up` keeps everything: one directory, so that removing it removes all.

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
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
        let secret = make();
        crate::demo::private_file(&file, &secret)?;
        Ok(secret)
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
        let port = muster_local::free_port()?;
        std::fs::write(&file, port.to_string())?;
        Ok(port)
    }
}

/// A password for the local stack: 244 random bits.
pub(crate) fn random_password() -> String {
    #[expect(clippy::disallowed_methods, reason = "a secret of the local stack; nothing is replayed from it")]
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    format!("{}{}", a.simple(), b.simple())
}
