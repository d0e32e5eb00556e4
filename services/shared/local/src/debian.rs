//! Where the programs are that Muster protects rather than needs: MariaDB, Redis, etcd, BIND, pgBackRest, restic, Patroni.
//!
//! The system's own come first, then what `scripts/setup` unpacked from the distribution's packages. On a machine where neither
//! can be had, `scripts/setup` writes down why; [`or_skip`] lets a test skip for that reason alone, and loudly.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::tools::{first, path_dirs, setting, shown, tool_dirs};
use crate::{LocalError, Result};

/// A plain user's PATH leaves out where servers are installed.
const SYSTEM_DIRS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// What `scripts/setup` calls it, the environment variable that names its first program, and how to mend.
struct Package {
    name: &'static str,
    variable: &'static str,
    tool: &'static str,
    mend: &'static str,
}

const MARIADB: Package = Package {
    name: "mariadb",
    variable: "MUSTER_MARIADBD",
    tool: "MariaDB's server",
    mend: "run `scripts/setup mariadb`, or set MUSTER_MARIADBD to the program's path",
};
const REDIS: Package = Package {
    name: "redis",
    variable: "MUSTER_REDIS_SERVER",
    tool: "redis-server",
    mend: "run `scripts/setup redis`, or set MUSTER_REDIS_SERVER to the program's path",
};
const ETCD: Package = Package {
    name: "etcd",
    variable: "MUSTER_ETCD",
    tool: "etcd",
    mend: "run `scripts/setup etcd`, or set MUSTER_ETCD to the program's path",
};
const BIND: Package = Package {
    name: "bind",
    variable: "MUSTER_NAMED",
    tool: "BIND's named",
    mend: "run `scripts/setup bind`, or set MUSTER_NAMED to the program's path",
};
const PGBACKREST: Package = Package {
    name: "pgbackrest",
    variable: "MUSTER_PGBACKREST",
    tool: "pgBackRest",
    mend: "run `scripts/setup pgbackrest`, or set MUSTER_PGBACKREST to the program's path",
};
const RESTIC: Package = Package {
    name: "restic",
    variable: "MUSTER_RESTIC",
    tool: "restic",
    mend: "run `scripts/setup restic`, or set MUSTER_RESTIC to the program's path",
};
const PATRONI: Package = Package {
    name: "patroni",
    variable: "MUSTER_PATRONI",
    tool: "Patroni",
    mend: "run `scripts/setup patroni`, or set MUSTER_PATRONI to the program's path",
};

/// MariaDB's programs. Give `base_dir` to the server and to `mariadb-install-db` as `--basedir`: they find messages, character
/// sets and plugins below it.
#[derive(Debug, Clone)]
pub struct MariadbPrograms {
    pub mariadbd: PathBuf,
    pub install_db: PathBuf,
    pub client: PathBuf,
    pub dump: PathBuf,
    pub base_dir: PathBuf,
}

/// BIND's server and its clients.
#[derive(Debug, Clone)]
pub struct BindPrograms {
    pub named: PathBuf,
    pub nsupdate: PathBuf,
    pub dig: PathBuf,
}

pub fn mariadb() -> Result<MariadbPrograms> {
    let mariadbd = find(&MARIADB, "mariadbd")?;
    Ok(MariadbPrograms {
        install_db: beside(&MARIADB, &mariadbd, "mariadb-install-db")?,
        client: beside(&MARIADB, &mariadbd, "mariadb")?,
        dump: beside(&MARIADB, &mariadbd, "mariadb-dump")?,
        base_dir: base_dir(&mariadbd),
        mariadbd,
    })
}

pub fn redis_server() -> Result<PathBuf> {
    find(&REDIS, "redis-server")
}

pub fn etcd() -> Result<PathBuf> {
    find(&ETCD, "etcd")
}

pub fn bind() -> Result<BindPrograms> {
    let named = find(&BIND, "named")?;
    Ok(BindPrograms { nsupdate: beside(&BIND, &named, "nsupdate")?, dig: beside(&BIND, &named, "dig")?, named })
}

/// BIND's server alone.
pub fn named() -> Result<PathBuf> {
    find(&BIND, "named")
}

pub fn pgbackrest() -> Result<PathBuf> {
    find(&PGBACKREST, "pgbackrest")
}

pub fn restic() -> Result<PathBuf> {
    find(&RESTIC, "restic")
}

pub fn patroni() -> Result<PathBuf> {
    find(&PATRONI, "patroni")
}

/// The programs, or nothing when `scripts/setup` found out that this machine cannot have them: then the reason is on standard
/// error, past the capturing of the test runner, and the test may return. Anything else that is missing is still an error.
pub fn or_skip<T>(found: Result<T>) -> Result<Option<T>> {
    let missing = match found {
        Ok(found) => return Ok(Some(found)),
        Err(missing) => missing,
    };
    let LocalError::ToolMissing { tool, .. } = &missing else { return Err(missing) };
    let packages = [MARIADB, REDIS, ETCD, BIND, PGBACKREST, RESTIC, PATRONI];
    let note = packages.iter().find(|package| package.tool == *tool).and_then(|package| {
        let notes = tool_dirs().into_iter().map(|dir| dir.join("missing").join(package.name));
        notes.into_iter().find_map(|note| fs::read_to_string(note).ok())
    });
    let Some(reason) = note else { return Err(missing) };
    let test = std::thread::current().name().unwrap_or("a check").to_owned();
    let said = writeln!(std::io::stderr(), "SKIPPED {test}: {tool} is missing here: {}", reason.trim());
    said.map_err(LocalError::io("write to", Path::new("standard error")))?;
    Ok(None)
}

fn find(package: &Package, program: &str) -> Result<PathBuf> {
    let places = match setting(package.variable) {
        Some(path) => vec![path],
        None => places(program),
    };
    pick(package, &places)
}

/// A program of the same package: the same installation's, where one has both.
fn beside(package: &Package, first: &Path, program: &str) -> Result<PathBuf> {
    let mut wanted: Vec<PathBuf> = first.parent().map(|dir| dir.join(program)).into_iter().collect();
    // A distribution keeps servers in sbin and clients in bin.
    wanted.extend(first.parent().and_then(Path::parent).map(|dir| dir.join("bin").join(program)));
    wanted.extend(places(program));
    pick(package, &wanted)
}

fn places(program: &str) -> Vec<PathBuf> {
    let system = path_dirs().into_iter().chain(SYSTEM_DIRS.map(PathBuf::from));
    let unpacked = tool_dirs().into_iter().flat_map(|dir| [dir.join("debian/bin"), dir.join("bin")]);
    system.chain(unpacked).map(|dir| dir.join(program)).collect()
}

fn pick(package: &Package, places: &[PathBuf]) -> Result<PathBuf> {
    first(places, |path| path.is_file()).ok_or_else(|| LocalError::ToolMissing {
        tool: package.tool,
        searched: shown(places),
        mend: package.mend,
    })
}

/// The prefix of an installation. What `scripts/setup` unpacked starts through a wrapper that is not below it.
fn base_dir(server: &Path) -> PathBuf {
    let unpacked = tool_dirs().into_iter().map(|dir| dir.join("debian")).find(|dir| server.starts_with(dir));
    let prefix = || fs::canonicalize(server).ok()?.parent()?.parent().map(Path::to_owned);
    match unpacked {
        Some(dir) => dir.join("root/usr"),
        None => prefix().unwrap_or_else(|| PathBuf::from("/usr")),
    }
}
