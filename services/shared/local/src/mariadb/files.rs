//! The files of a server's directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User};

use super::MariadbServer;
use crate::{LocalError, Result, process::run_with_input};

pub(super) const DATA: &str = "data";
/// Of its own: a starting server removes whatever looks like a temporary table there, also another server's.
pub(super) const TEMPORARY: &str = "tmp";
pub(super) const CONFIG: &str = "my.cnf";
pub(super) const FENCE: &str = "muster-fence.cnf";
/// These three are inside the data directory.
pub(super) const LOG: &str = "muster-server.log";
pub(super) const SOCKET: &str = "muster.sock";
pub(super) const PID_FILE: &str = "mariadb.pid";

/// MariaDB does not start when an included file is missing.
const NO_FENCE: &str = "# A fence is written here when this server must not accept writes.\n";

/// What every server here has; [`super::MariadbOptions::settings`] wins.
const DEFAULTS: [(&str, &str); 16] = [
    ("bind-address", "127.0.0.1"),
    ("skip-name-resolve", "1"),
    ("socket", SOCKET),
    ("pid-file", PID_FILE),
    ("log-error", LOG),
    // What a server needs to be one of a pair whose roles change: names of files that do not follow the host's name,
    // every transaction in its own log, and positions that only grow.
    ("log-bin", "binlog"),
    ("relay-log", "relay-bin"),
    ("log-slave-updates", "1"),
    ("gtid-strict-mode", "1"),
    ("binlog-format", "ROW"),
    ("innodb-flush-log-at-trx-commit", "1"),
    ("sync-binlog", "1"),
    ("innodb-buffer-pool-size", "32M"),
    ("innodb-log-file-size", "16M"),
    ("character-set-server", "utf8mb4"),
    ("default-time-zone", "+00:00"),
];

/// The statements that make the system tables, in their order. The second name is that of older packages.
const SYSTEM_TABLES: [[&str; 2]; 3] = [
    ["mariadb_system_tables.sql", "mysql_system_tables.sql"],
    ["mariadb_performance_tables.sql", "mysql_performance_tables.sql"],
    ["mariadb_system_tables_data.sql", "mysql_system_tables_data.sql"],
];

impl MariadbServer {
    pub(super) async fn make_data_dir(&self) -> Result<()> {
        let (dir, data, temporary) = (self.dir().to_owned(), self.data_dir(), self.dir().join(TEMPORARY));
        for (path, mode) in [(&dir, 0o755), (&data, 0o700), (&temporary, 0o700)] {
            fs::create_dir_all(path).map_err(LocalError::io("create", path))?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(LocalError::io("restrict", path))?;
            self.account.own(path)?;
            self.account.require_entry(path)?;
        }
        // The superuser is whoever runs us, known by the socket and by nothing else: there is no password to find.
        let superuser = User::from_uid(Uid::effective()).ok().flatten().map_or_else(|| "root".into(), |user| user.name);
        let mut sql = format!(
            "SET @auth_root_socket='{superuser}';\nSET @skip_auth_anonymous=1;\nCREATE DATABASE mysql;\nUSE mysql;\n"
        );
        for names in SYSTEM_TABLES {
            let path = self.shared_file(names)?;
            sql.push_str(&fs::read_to_string(&path).map_err(LocalError::io("read", &path))?);
            sql.push('\n');
        }
        let mut command = self.server_program();
        command.args(["--no-defaults", "--bootstrap", "--skip-networking", "--log-warnings=0"]);
        command.args(["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=32M"]);
        command.arg(format!("--basedir={}", self.programs.base_dir.display()));
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--tmpdir={}", temporary.display()));
        run_with_input(command, &sql).await.map(drop)
    }

    fn shared_file(&self, names: [&str; 2]) -> Result<PathBuf> {
        let places = ["share/mysql", "share/mariadb"].map(|share| self.programs.base_dir.join(share));
        let mut candidates = places.iter().flat_map(|place| names.map(|name| place.join(name)));
        candidates.find(|path| path.is_file()).ok_or_else(|| LocalError::ToolMissing {
            tool: "MariaDB's system tables",
            searched: places.iter().map(|place| place.join(names[0]).display().to_string()).collect(),
            mend: "install the package mariadb-server-core, or run `scripts/setup mariadb`",
        })
    }

    /// Writes our settings. A running server reads them at its next start.
    pub(super) fn write_config(&self) -> Result<()> {
        let port = self.port.to_string();
        let server_id = self.options.server_id.unwrap_or(u32::from(self.port)).to_string();
        let (base, data) = (self.programs.base_dir.display().to_string(), self.data_dir().display().to_string());
        let temporary = self.dir().join(TEMPORARY).display().to_string();
        let own =
            [("basedir", base), ("datadir", data), ("tmpdir", temporary), ("port", port), ("server-id", server_id)];
        let mut text = "[mariadbd]\n".to_owned();
        let more = self.options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.iter().map(|(n, v)| (*n, v.as_str())).chain(DEFAULTS).chain(more) {
            text.push_str(&format!("{name}={value}\n"));
        }
        let fence = self.fence_file();
        if !fence.is_file() {
            self.write(&fence, NO_FENCE)?;
        }
        // Last, so that what stands there holds.
        text.push_str(&format!("!include {}\n", fence.display()));
        self.write(&self.config_file(), &text)
    }

    pub(super) fn write(&self, path: &Path, text: &str) -> Result<()> {
        fs::write(path, text).map_err(LocalError::io("write", path))?;
        self.account.own(path)
    }
}

/// The port the server had the last time.
pub(super) fn port(dir: &Path) -> Option<u16> {
    let settings = fs::read_to_string(dir.join(CONFIG)).ok()?;
    settings.lines().find_map(|line| line.strip_prefix("port="))?.parse().ok()
}

/// The pid of the server that runs, or ran until it was killed.
pub(super) fn pid(data_dir: &Path) -> Option<i32> {
    fs::read_to_string(data_dir.join(PID_FILE)).ok()?.trim().parse().ok()
}
