//! How a directory is made and its server set up.

use std::path::PathBuf;

/// How to make or open one server's directory.
#[derive(Debug, Clone)]
pub struct MariadbOptions {
    pub dir: PathBuf,
    /// `None`: the port it had the last time, else a free one.
    pub port: Option<u16>,
    /// Different on every server that replicates with another. `None`: the port's number.
    pub server_id: Option<u32>,
    /// Server settings; they win over the defaults here.
    pub settings: Vec<(String, String)>,
}

impl MariadbOptions {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), port: None, server_id: None, settings: Vec::new() }
    }

    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    #[must_use]
    pub fn server_id(self, server_id: u32) -> Self {
        Self { server_id: Some(server_id), ..self }
    }

    /// Adds a server setting, as in an option file.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

impl<P: Into<PathBuf>> From<P> for MariadbOptions {
    fn from(dir: P) -> Self {
        Self::new(dir)
    }
}
