//! What is different between the servers that a [`super::ServiceAgent`] looks after: programs, arguments, and the fence.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::service_settings::Setting;

/// The kind of server an agent looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    Mariadb,
    Redis,
}

impl Service {
    /// The server's program, under the names it goes by.
    pub(super) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Mariadb => &["mariadbd", "mysqld"],
            Self::Redis => &["redis-server", "valkey-server"],
        }
    }

    /// Whether a process with this executable is the server. Some packages make one file of all programs of Redis.
    pub(super) fn is_server(self, executable: &str) -> bool {
        match self {
            Self::Mariadb => executable.starts_with("mariadbd") || executable.starts_with("mysqld"),
            Self::Redis => {
                let of_redis = executable.starts_with("redis-") || executable.starts_with("valkey-");
                of_redis && !executable.contains("-cli") && !executable.contains("-benchmark")
            }
        }
    }

    pub(super) fn default_fence_file(self, config_file: &Path) -> PathBuf {
        config_file.with_file_name(match self {
            Self::Mariadb => "muster-fence.cnf",
            Self::Redis => "muster-fence.conf",
        })
    }

    pub(super) fn arguments(self, config_file: &Path) -> Vec<std::ffi::OsString> {
        match self {
            Self::Mariadb => vec![format!("--defaults-file={}", config_file.display()).into()],
            Self::Redis => vec![config_file.into()],
        }
    }

    /// The line that makes the server read the fence.
    pub(super) fn include_line(self, fence_file: &Path) -> String {
        match self {
            Self::Mariadb => format!("!include {}", fence_file.display()),
            Self::Redis => format!("include {}", fence_file.display()),
        }
    }

    /// The content of the fence.
    pub(super) fn fence(self) -> &'static str {
        match self {
            // Root and replication still write; clients do not.
            Self::Mariadb => "# Written by Muster: this server is not the primary.\n[mysqld]\nread_only=1\n",
            // A replica of nobody (nothing listens on port 1): it keeps what it has and refuses writes.
            Self::Redis => {
                "# Written by Muster: this server is not the primary.\nreplicaof 127.0.0.1 1\nreplica-read-only yes\n"
            }
        }
    }

    /// Not removed: Redis does not start when an included file is missing.
    pub(super) fn no_fence(self) -> &'static str {
        "# Kept by Muster: a fence is written here when this server must not accept writes.\n"
    }

    /// Why a server that read these settings would accept writes. `None`: it would not.
    pub(super) fn accepts_writes(self, settings: &[Setting]) -> Option<String> {
        let last = |names: &[&str]| settings.iter().rfind(|s| names.contains(&s.name.as_str()));
        match self {
            Self::Mariadb => match last(&["read_only", "skip_read_only", "disable_read_only"]) {
                None => Some("read_only is not set".into()),
                Some(s) if s.name == "read_only" && !is_off(&s.value) => None,
                Some(s) => Some(format!("{} = {} in {}", s.name, s.value, s.file.display())),
            },
            Self::Redis => {
                let said = |s: &Setting| format!("{} {} in {}", s.name, s.value, s.file.display());
                match last(&["replicaof", "slaveof"]) {
                    None => return Some("replicaof is not set".into()),
                    Some(s) if s.value.eq_ignore_ascii_case("no one") => return Some(said(s)),
                    Some(_) => {}
                }
                last(&["replica-read-only", "slave-read-only"]).filter(|s| is_off(&s.value)).map(said)
            }
        }
    }

    /// Where the server keeps its data and works in, as configured.
    pub(super) fn data_directory(self, settings: &[Setting]) -> Option<PathBuf> {
        let last = |name: &str| settings.iter().rfind(|s| s.name == name).map(|s| PathBuf::from(&s.value));
        match self {
            Self::Mariadb => last("datadir").or_else(|| Some("/var/lib/mysql".into())),
            Self::Redis => last("dir"),
        }
    }
}

pub(super) fn is_off(value: &str) -> bool {
    ["0", "off", "false", "no"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_server_from_a_persons_client() {
        for name in ["redis-server", "redis-check-rdb", "valkey-server", "redis-server (deleted)"] {
            assert!(Service::Redis.is_server(name), "{name}");
        }
        for name in ["redis-cli", "valkey-benchmark", "bash", "mariadbd"] {
            assert!(!Service::Redis.is_server(name), "{name}");
        }
        assert!(Service::Mariadb.is_server("mariadbd") && !Service::Mariadb.is_server("mariadb"));
    }
}
