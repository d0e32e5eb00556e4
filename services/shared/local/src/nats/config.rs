//! The configuration file of one server.

use std::{
    fs::{OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::PathBuf,
};

use crate::{LocalError, Result};

/// The file can hold a password.
const ONLY_US: u32 = 0o600;

/// How to run one server.
#[derive(Debug, Clone, Default)]
pub struct NatsOptions {
    /// Configuration, log and store live here; it is created when missing.
    pub dir: PathBuf,
    /// `None`: a free port, kept over restarts of the same [`NatsServer`].
    pub port: Option<u16>,
    /// fsync before every acknowledgement: what an acknowledged event means on production servers.
    pub sync_always: bool,
    /// The only user who may connect; `None` lets everybody on this machine in.
    pub credentials: Option<Credentials>,
    /// Be a member of a cluster.
    pub cluster: Option<ClusterMember>,
}

/// A user name and password, for tests and the local stack.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// This server's place in a cluster on this machine.
#[derive(Debug, Clone)]
pub struct ClusterMember {
    pub name: String,
    /// Where the other members reach this one.
    pub port: u16,
    /// The cluster ports of all members.
    pub routes: Vec<u16>,
}

impl NatsOptions {
    pub(super) fn config_file(&self) -> PathBuf {
        self.dir.join("nats-server.conf")
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.dir.join("nats-server.log")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.dir.join("nats-server.pid")
    }

    pub(super) fn write_config(&self, port: u16) -> Result<PathBuf> {
        let path = self.config_file();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(ONLY_US)
            .open(&path)
            .map_err(LocalError::io("write", &path))?;
        file.set_permissions(Permissions::from_mode(ONLY_US)).map_err(LocalError::io("restrict", &path))?;
        file.write_all(self.config(port).as_bytes()).map_err(LocalError::io("write", &path))?;
        Ok(path)
    }

    fn config(&self, port: u16) -> String {
        let sync = if self.sync_always { "always" } else { "2m" };
        let mut text = format!(
            "listen: 127.0.0.1:{port}\nserver_name: local-{port}\npid_file: {:?}\nlog_file: {:?}\n\
             jetstream {{ store_dir: {:?}, sync_interval: {sync} }}\n",
            self.pid_file(),
            self.log_file(),
            self.dir.join("store"),
        );
        if let Some(Credentials { user, password }) = &self.credentials {
            text.push_str(&format!("authorization {{ user: {user:?}, password: {password:?} }}\n"));
        }
        if let Some(ClusterMember { name, port, routes }) = &self.cluster {
            let routes: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
            let routes = routes.join(", ");
            text.push_str(&format!("cluster {{ name: {name:?}, listen: 127.0.0.1:{port}, routes: [{routes}] }}\n"));
        }
        text
    }
}
