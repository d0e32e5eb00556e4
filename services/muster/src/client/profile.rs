//! Logins on disk: one file a profile, readable by its owner alone. Several people can share a machine account.

use std::{
    collections::BTreeMap,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::CliError;

/// Longest profile name; it becomes a file name.
const MAX_NAME: usize = 64;

/// What one profile knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    /// Where the last login went.
    pub server: Option<String>,
    pub logins: BTreeMap<String, Login>,
    /// Transparency logs whose keys are trusted here, by server and tenant.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, TrustedLog>,
}

/// What this profile knows about the transparency log of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TrustedLog {
    /// Verifier keys: handed over, or seen at first use.
    pub keys: Vec<String>,
    /// The newest checkpoint that was verified, for each origin: the log must never again be smaller or another.
    pub checkpoints: BTreeMap<String, String>,
}

/// A login at one server.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Login {
    pub issuer: String,
    pub client_id: String,
    pub scope: String,
    pub access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    pub expires_at: Timestamp,
    /// Who was asked for without a browser, at the local issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_as: Option<String>,
}

/// Tokens do not belong into logs and error messages.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("issuer", &self.issuer)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The file of one profile.
#[derive(Debug, Clone)]
pub(crate) struct ProfileFile(PathBuf);

impl ProfileFile {
    /// `$XDG_CONFIG_HOME/muster/profiles/NAME.json`, `~/.config` when that is not set.
    pub(crate) fn of(name: &str) -> Result<Self, CliError> {
        Self::below(&config_home()?, name)
    }

    fn below(config_home: &Path, name: &str) -> Result<Self, CliError> {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if name.is_empty() || name.len() > MAX_NAME || !plain {
            return Err(CliError::Usage(format!("profile '{name}': use 1 to {MAX_NAME} letters, digits, '-' and '_'")));
        }
        Ok(Self(config_home.join("muster/profiles").join(format!("{name}.json"))))
    }

    pub(crate) fn load(&self) -> Result<Profile, CliError> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                CliError::Failed(format!("{} is not a profile ({error}); remove it and log in again", self.0.display()))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Profile::default()),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    /// Replaces the file in one step: a crash leaves the old one or the new one.
    pub(crate) fn save(&self, profile: &Profile) -> Result<(), CliError> {
        let Some(directory) = self.0.parent() else { return Ok(()) };
        let bytes = serde_json::to_vec_pretty(profile).map_err(|error| CliError::Failed(error.to_string()))?;
        let write = || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            let fresh = directory.join(format!(".{}.{}", std::process::id(), self.name()));
            let mut file =
                std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &self.0)
        };
        write().map_err(|error| self.failed("write", &error))
    }

    fn name(&self) -> String {
        self.0.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> CliError {
        CliError::Failed(format!("cannot {what} {}: {error}", self.0.display()))
    }
}

fn config_home() -> Result<PathBuf, CliError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the XDG convention of the person's own machine, not a setting of Muster"
    )]
    let (xdg, home) = (std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"));
    let xdg = xdg.map(PathBuf::from).filter(|path| path.is_absolute());
    let found = xdg.or_else(|| home.map(|home| PathBuf::from(home).join(".config")));
    found.ok_or_else(|| {
        CliError::Failed("neither XDG_CONFIG_HOME nor HOME says where logins are kept; set one".to_owned())
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_login_is_for_its_owner_alone_and_comes_back() {
        let home = tempfile::tempdir().unwrap();
        let file = ProfileFile::below(home.path(), "olga").unwrap();
        assert_eq!(file.load().unwrap(), Profile::default());
        let login = Login {
            issuer: "http://127.0.0.1:7400/local-issuer".into(),
            client_id: "muster".into(),
            scope: "openid".into(),
            access_token: "secret-token".into(),
            refresh_token: None,
            expires_at: Timestamp::UNIX_EPOCH,
            login_as: Some("olga".into()),
        };
        assert!(!format!("{login:?}").contains("secret-token"));
        let profile = Profile {
            server: Some("http://127.0.0.1:7400".into()),
            logins: [("http://127.0.0.1:7400".into(), login)].into(),
            ..Profile::default()
        };
        file.save(&profile).unwrap();
        file.save(&profile).unwrap();
        assert_eq!(file.load().unwrap(), profile);
        assert_eq!(std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(file.0.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(file.0.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
        let other = ProfileFile::below(home.path(), "ingo").unwrap();
        assert_eq!(other.load().unwrap(), Profile::default());
    }

    #[test]
    fn a_profile_cannot_leave_its_directory() {
        for name in ["", "../x", "a/b", "a b", ".hidden"] {
            assert!(ProfileFile::below(Path::new("/tmp"), name).is_err(), "{name}");
        }
    }
}
