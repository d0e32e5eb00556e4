//! What a member is told. The shortest times that Patroni allows, because tests wait for them.

use std::path::Path;

/// The name of the cluster.
pub const SCOPE: &str = "ledger";
/// Who may change something through the REST API.
pub const REST_USER: &str = "rest";
pub const REST_PASSWORD: &str = "rest: \"password\"";
/// The account of who writes, again and again, without a password: a login with one is thousands of hashes.
const APPLICATION: &str = "plain";

pub(super) struct Settings<'a> {
    pub name: &'a str,
    pub dir: &'a Path,
    pub bin_dir: &'a Path,
    pub rest_port: u16,
    pub port: u16,
    pub etcd_port: u16,
}

impl Settings<'_> {
    /// Trust for the superuser that tests work with, for Patroni's own accounts and for the application; passwords for
    /// everybody else.
    pub(super) fn yaml(&self) -> String {
        let Self { name, rest_port, port, etcd_port, .. } = self;
        let (dir, bin_dir) = (self.dir.display(), self.bin_dir.display());
        format!(
            r#"scope: {SCOPE}
name: {name}
restapi:
  listen: 127.0.0.1:{rest_port}
  connect_address: 127.0.0.1:{rest_port}
  authentication: {{username: {REST_USER}, password: '{REST_PASSWORD}'}}
etcd3: {{host: '127.0.0.1:{etcd_port}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    maximum_lag_on_failover: 1048576
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters: {{wal_level: replica, max_connections: 50, max_wal_senders: 5, fsync: 'off', wal_retrieve_retry_interval: 100ms}}
  initdb: [data-checksums, {{encoding: UTF8}}, {{locale: C}}, {{auth: trust}}]
postgresql:
  listen: 127.0.0.1:{port}
  connect_address: 127.0.0.1:{port}
  data_dir: {dir}/data
  bin_dir: {bin_dir}
  pgpass: {dir}/pgpass
  parameters: {{unix_socket_directories: ''}}
  pg_hba:
    - host all postgres,{APPLICATION} 127.0.0.1/32 trust
    - host replication postgres 127.0.0.1/32 trust
    - host all all 127.0.0.1/32 scram-sha-256
  authentication:
    superuser: {{username: postgres, password: unused}}
    replication: {{username: postgres, password: unused}}
"#
        )
    }
}
