//! Where the server programs are, and where their data may live.

use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

pub use crate::debian::{
    BindPrograms, MariadbPrograms, bind, etcd, mariadb, named, or_skip, patroni, pgbackrest, redis_server, restic,
};
use crate::{LocalError, Result, account::Account};

/// Names the nats-server program, before every other place.
pub const NATS_SERVER_ENV: &str = "MUSTER_NATS_SERVER";
/// Names the directory with PostgreSQL's programs, before every other place.
pub const POSTGRES_BIN_ENV: &str = "MUSTER_POSTGRES_BIN";

/// The oldest PostgreSQL whose programs behave as this crate expects.
const OLDEST_POSTGRES: u32 = 13;
/// A client-only installation has psql but none of the others.
const POSTGRES_PROGRAMS: [&str; 6] = ["postgres", "initdb", "pg_ctl", "pg_basebackup", "pg_isready", "psql"];

/// The nats-server program.
pub fn nats_server() -> Result<PathBuf> {
    let mut places = Vec::new();
    match setting(NATS_SERVER_ENV) {
        Some(path) => places.push(path),
        None => {
            places.extend(tool_dirs().into_iter().map(|dir| dir.join("bin/nats-server")));
            places.extend(path_dirs().into_iter().map(|dir| dir.join("nats-server")));
        }
    }
    first(&places, |path| path.is_file()).ok_or_else(|| LocalError::ToolMissing {
        tool: "nats-server (2.12 or newer)",
        searched: shown(&places),
        mend: "run `scripts/setup`, or set MUSTER_NATS_SERVER to the program's path",
    })
}

/// The directory with `postgres`, `initdb`, `pg_ctl`, `pg_basebackup`, `pg_isready` and `psql`.
pub fn postgres_bin_dir() -> Result<PathBuf> {
    let mut places = Vec::new();
    match setting(POSTGRES_BIN_ENV) {
        Some(path) => places.push(path),
        None => {
            places.extend(tool_dirs().into_iter().map(|dir| dir.join("postgresql/bin")));
            places.extend(packaged_postgres());
            places.extend(path_dirs().iter().filter_map(|dir| resolved_parent(&dir.join("postgres"))));
        }
    }
    first(&places, |dir| POSTGRES_PROGRAMS.iter().all(|program| dir.join(program).is_file())).ok_or_else(|| {
        LocalError::ToolMissing {
            tool: "PostgreSQL (13 or newer, with its server programs)",
            searched: shown(&places),
            mend: "run `scripts/setup`, or set MUSTER_POSTGRES_BIN to the directory that holds `postgres` and `initdb`",
        }
    })
}

/// Where tools and local data of this project live: `<project>/.muster`. When we are root and the
/// user who has to run PostgreSQL cannot reach the project (a clone below /root), it is
/// `/var/tmp/muster-<the project's path>` instead. `scripts/setup` follows the same rule.
pub fn state_base(project_root: &Path) -> Result<PathBuf> {
    if Account::for_postgres()?.can_enter(project_root) {
        return Ok(project_root.join(".muster"));
    }
    let base = Path::new("/var/tmp").join(format!("muster{}", project_root.display().to_string().replace('/', "-")));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&base).map_err(LocalError::io("create", &base))?;
    let found = fs::symlink_metadata(&base).map_err(LocalError::io("look at", &base))?;
    // Anybody may write to /var/tmp: we must not run programs that somebody else put there.
    let ours = found.is_dir() && found.uid() == Uid::effective().as_raw() && found.mode() & 0o022 == 0;
    if ours { Ok(base) } else { Err(LocalError::Unsafe { path: base }) }
}

/// The project's root: the nearest directory upward that holds `proto/muster`.
pub fn project_root() -> Option<PathBuf> {
    [env::current_dir().ok(), setting("CARGO_MANIFEST_DIR")]
        .into_iter()
        .flatten()
        .find_map(|start| start.ancestors().find(|dir| dir.join("proto/muster").is_dir()).map(Path::to_owned))
}

pub(crate) fn tool_dirs() -> Vec<PathBuf> {
    project_root().and_then(|root| state_base(&root).ok()).map(|base| base.join("tools")).into_iter().collect()
}

/// PostgreSQL as Linux distributions install it, newest first.
fn packaged_postgres() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        found.extend(entries.filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        }));
    }
    found.retain(|(version, _)| *version >= OLDEST_POSTGRES);
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, bin)| bin).collect()
}

#[expect(clippy::disallowed_methods, reason = "programs are looked for before there is a configuration")]
pub(crate) fn setting(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

pub(crate) fn path_dirs() -> Vec<PathBuf> {
    setting("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// The real directory of a program that may be a link.
fn resolved_parent(program: &Path) -> Option<PathBuf> {
    Some(fs::canonicalize(program).ok()?.parent()?.to_owned())
}

pub(crate) fn first(places: &[PathBuf], usable: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    places.iter().find(|place| usable(place)).cloned()
}

pub(crate) fn shown(places: &[PathBuf]) -> Vec<String> {
    places.iter().map(|place| place.display().to_string()).collect()
}
