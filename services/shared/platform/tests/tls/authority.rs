//! Certificates of a test, made with OpenSSL.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Tells the process of a case where the certificates are.
pub(crate) const DIRECTORY: &str = "TLS_UNDER_TEST";

/// An authority, and what it and another one have signed:
///
/// | file | is |
/// |---|---|
/// | `authority.pem` | whom the case trusts |
/// | `good.pem`, `.key` | for this machine |
/// | `expired.pem` | was for this machine |
/// | `other-name.pem` | for another one |
/// | `stranger.pem` | for this machine, by an authority that nobody trusts |
pub(crate) struct Authority(tempfile::TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("mt-").tempdir().unwrap();
        // The servers run as other users.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let this = Self(directory);
        this.authority("authority");
        this.authority("nobodys");
        this.issue("good", "authority", "IP:127.0.0.1,DNS:localhost", "2");
        // Over at the second in which it begins.
        this.issue("expired", "authority", "IP:127.0.0.1,DNS:localhost", "0");
        this.issue("other-name", "authority", "DNS:db.example", "2");
        this.issue("stranger", "nobodys", "IP:127.0.0.1,DNS:localhost", "2");
        this
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    fn authority(&self, name: &str) {
        let subject = format!("/CN={name}");
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let mut arguments =
            vec!["req", "-x509", "-days", "2", "-subj", &subject, "-keyout", &key, "-out", &certificate];
        arguments.extend(["-addext", "basicConstraints=critical,CA:TRUE"]);
        arguments.extend(KEY);
        self.openssl(&arguments);
    }

    fn issue(&self, name: &str, authority: &str, names: &str, days: &str) {
        let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let names = format!("subjectAltName={names}");
        let mut arguments = vec!["req", "-subj", "/CN=server", "-keyout", &key, "-out", &request, "-addext", &names];
        arguments.extend(KEY);
        self.openssl(&arguments);
        let (by, by_key) = (format!("{authority}.pem"), format!("{authority}.key"));
        let mut arguments = vec!["x509", "-req", "-in", &request, "-CA", &by, "-CAkey", &by_key, "-CAcreateserial"];
        arguments.extend(["-days", days, "-copy_extensions", "copy", "-out", &certificate]);
        self.openssl(&arguments);
        fs::set_permissions(self.file(&key), fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.directory()).output();
        let output = output.unwrap_or_else(|error| panic!("openssl, which `scripts/setup` asks for: {error}"));
        assert!(output.status.success(), "openssl {arguments:?}: {output:?}");
    }
}

const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// A file of the authority whose process began this one.
#[expect(clippy::disallowed_methods, reason = "the other process has no other way to say it")]
pub(crate) fn given(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(DIRECTORY).unwrap()).join(name)
}
