//! How a data directory is made and its server set up.

use std::path::PathBuf;

/// How to make or open one data directory.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub dir: PathBuf,
    /// `None`: the port it had the last time, if that is free, else a free one.
    pub port: Option<u16>,
    /// The name of the bootstrap superuser.
    pub superuser: String,
    /// Server settings; they win over the defaults here.
    pub settings: Vec<(String, String)>,
    /// Lines of `pg_hba.conf`. The default lets everybody on this machine in without a password.
    pub hba: Vec<String>,
}

impl PostgresOptions {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            port: None,
            superuser: "postgres".into(),
            settings: Vec::new(),
            hba: vec!["host all all 127.0.0.1/32 trust".into(), "host replication all 127.0.0.1/32 trust".into()],
        }
    }

    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Adds a server setting, as in `postgresql.conf` but without quotes.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

impl<P: Into<PathBuf>> From<P> for PostgresOptions {
    fn from(dir: P) -> Self {
        Self::new(dir)
    }
}
