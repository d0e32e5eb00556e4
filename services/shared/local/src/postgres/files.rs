//! The files of a data directory.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::PostgresServer;
use crate::{LocalError, Result, process::run};

/// The server's log, inside the data directory.
pub(super) const LOG: &str = "muster-server.log";
/// Our settings, included by `postgresql.conf`, so that a standby's copy can differ in the port.
const SETTINGS: &str = "muster.conf";

/// What every server here has; [`super::PostgresOptions::settings`] wins.
const DEFAULTS: [(&str, &str); 5] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    // So that a former primary can be rewound to a standby.
    ("wal_log_hints", "on"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("timezone", "UTC"),
];

impl PostgresServer {
    pub(super) async fn make_data_dir(&self) -> Result<()> {
        self.claim_dir()?;
        let mut command = self.server_program("initdb");
        command.args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            "-U",
            self.superuser(),
            "-D",
        ]);
        command.arg(self.dir());
        if self.guardian.is_some() {
            command.arg("--no-sync");
        }
        run(command).await?;
        let main = self.dir().join("postgresql.conf");
        let mut text = fs::read_to_string(&main).map_err(LocalError::io("read", &main))?;
        text.push_str(&format!("include_if_exists = '{SETTINGS}'\n"));
        fs::write(&main, text).map_err(LocalError::io("write", &main))
    }

    /// Creates the directory, gives it to the server's account and checks that the account gets there.
    pub(super) fn claim_dir(&self) -> Result<()> {
        let dir = self.dir();
        fs::create_dir_all(dir).map_err(LocalError::io("create", dir))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(LocalError::io("restrict", dir))?;
        self.account.own(dir)?;
        self.account.require_entry(dir)
    }

    /// Writes our settings and `pg_hba.conf`. A running server reads most of them at its next start.
    pub(super) fn write_settings(&self) -> Result<()> {
        let settings = DEFAULTS.into_iter().chain(self.options.settings.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let mut text = format!("port = {}\n", self.port);
        for (name, value) in settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        self.write(SETTINGS, &text)?;
        self.write("pg_hba.conf", &(self.options.hba.join("\n") + "\n"))
    }

    /// Programs read only data directories of their own major version.
    pub(super) async fn check_version(&self) -> Result<()> {
        let path = self.dir().join("PG_VERSION");
        let found = fs::read_to_string(&path).map_err(LocalError::io("read", &path))?.trim().to_owned();
        let mut command = self.server_program("postgres");
        command.arg("--version");
        // "postgres (PostgreSQL) 15.6 (Debian …)"
        let binaries = run(command).await?.split_whitespace().nth(2).unwrap_or_default().to_owned();
        if binaries.split('.').next() == Some(found.as_str()) {
            return Ok(());
        }
        let mend =
            "install that version and set MUSTER_POSTGRES_BIN to its programs, or remove the directory to begin anew";
        Err(LocalError::DataVersion {
            path: self.dir().to_owned(),
            found,
            bin_dir: self.bin_dir.clone(),
            binaries,
            mend,
        })
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir().join(name);
        fs::write(&path, text).map_err(LocalError::io("write", &path))?;
        self.account.own(&path)
    }
}

/// The port the server had the last time.
pub(super) fn port(dir: &Path) -> Option<u16> {
    let settings = fs::read_to_string(dir.join(SETTINGS)).ok()?;
    settings.lines().find_map(|line| line.strip_prefix("port = "))?.parse().ok()
}

/// The pid of the postmaster that runs, or ran until it was killed.
pub(super) fn postmaster_pid(dir: &Path) -> Option<i32> {
    fs::read_to_string(dir.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}
