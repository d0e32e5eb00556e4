//! Building a MariaDB server's data anew, as a copy of another server: a dump of that one, loaded into an empty data
//! directory that nobody can connect to, which then takes the place of the old one. The old one is kept beside it.
//!
//! ```text
//! /srv/db/data                         what the server works in
//! /srv/db/.data.muster-copy-<n>/       a copy that is being made: the dump, and the new data
//! /srv/db/.data.muster-swap            names both directories while they change places
//! /srv/db/data.muster-kept-<n>         the old data; Muster never removes it
//! ```
//! Whoever dies leaves the old data where it was, or the change of places to be finished: nothing in between.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::{DirBuilderExt, chown},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::unistd::{Uid, User};
use secrecy::{ExposeSecret, SecretString};

use super::{
    AgentError, CopySource, LocalService, ServerProcess, Service,
    command::{self, Invocation, Launch, Owner},
    files, process,
    service_settings::Setting,
};

const POLL: Duration = Duration::from_millis(50);
/// An empty server with nothing to recover; longer means that it is stuck.
const EMPTY_START: Duration = Duration::from_secs(60);
/// A clean stop writes what the load left in memory.
const STOP: Duration = Duration::from_secs(600);
/// The position stands among the first lines of a dump.
const HEADER_BYTES: u64 = 64 << 10;
/// As large as a server accepts.
const MAX_PACKET: &str = "--max-allowed-packet=1G";

/// What makes files of a server that are outside its data directory, where a copy would not replace them.
const PLACES: [&str; 8] = [
    "log_bin",
    "log_bin_index",
    "relay_log",
    "relay_log_index",
    "innodb_data_home_dir",
    "innodb_log_group_home_dir",
    "innodb_undo_directory",
    "aria_log_dir_path",
];
/// Files of the node's own: a copy does not bring them, so they must not be in the data directory.
const NODES_OWN: [&str; 3] = ["ssl_ca", "ssl_cert", "ssl_key"];

/// One copy in the making.
struct Copy<'a> {
    service: &'a LocalService,
    owner: Owner,
    /// Holds the dump, and the new data directory.
    work: PathBuf,
    deadline: Instant,
}

impl LocalService {
    /// Whether a copy could be made here: the programs are there, and the configuration keeps everything in one place.
    pub(super) fn check_rebuild(&self) -> Result<(), AgentError> {
        if self.config.service != Service::Mariadb {
            return Err(AgentError::Configuration("only a MariaDB server is built anew".into()));
        }
        for program in ["mariadb-install-db", "mariadb-dump", "mariadb"] {
            self.other_program(program)?;
        }
        let neighbour = beside(&self.config.data_directory, "")?;
        let parent = neighbour.parent().unwrap_or(&neighbour);
        nix::unistd::access(parent, nix::unistd::AccessFlags::W_OK).map_err(|e| AgentError::File {
            path: parent.to_owned(),
            why: format!("a copy is made beside the data directory, and nothing can be written there: {e}"),
        })?;
        let settings = self.settings(None)?;
        let value = |name: &str| settings.iter().rfind(|setting| setting.name == name);
        let outside = PLACES.iter().filter_map(|name| value(name)).find(|setting| setting.value.contains('/'));
        let inside = NODES_OWN
            .iter()
            .filter_map(|name| value(name))
            .find(|s| !s.value.is_empty() && inside(&self.config.data_directory, Path::new(&s.value)));
        let said = |setting: &Setting| format!("{} = {} in {}", setting.name, setting.value, setting.file.display());
        match (outside, inside) {
            (Some(setting), _) => Err(AgentError::Configuration(format!(
                "{} keeps files outside of the data directory, which a copy would not replace: build it anew by hand",
                said(setting)
            ))),
            (None, Some(setting)) => Err(AgentError::Configuration(format!(
                "{} is a file of this node in its data directory, which a copy replaces: put it elsewhere first",
                said(setting)
            ))),
            (None, None) => Ok(()),
        }
    }

    /// See [`super::ServiceAgent::rebuild`].
    pub(super) async fn rebuild_as_copy(&self, source: &CopySource, limit: Duration) -> Result<String, AgentError> {
        self.finish_swap()?;
        self.check_rebuild()?;
        self.must_be_out()?;
        if !is_gtids(&source.history) {
            return Err(AgentError::Unreadable { what: "the source's history".into(), why: source.history.clone() });
        }
        let owner = self.owner()?;
        remove_unfinished(&self.config.data_directory).await?;
        let number = new_number();
        let work = beside(&self.config.data_directory, &format!(".muster-copy-{number}"))?;
        let copy = Copy { service: self, owner, work, deadline: Instant::now() + limit };
        let made = copy.make(source).await;
        if let Err(error) = made {
            // What went wrong is the answer, not what could not be cleared away.
            let _ = remove_unfinished(&self.config.data_directory).await;
            return Err(error);
        }
        // Loading took its time.
        self.must_be_out()?;
        let kept = kept_path(&self.config.data_directory, number)?;
        let swap = swap_file(&self.config.data_directory)?;
        let names = format!("{}\n{}\n", copy.data().display(), kept.display());
        files::write(&swap, &names, owner)?;
        rename(&self.config.data_directory, &kept)?;
        self.finish_swap()?;
        Ok(kept.display().to_string())
    }

    /// Two directories that were changing places when somebody died. Nothing to do is fine.
    pub(super) fn finish_swap(&self) -> Result<(), AgentError> {
        let data = &self.config.data_directory;
        let swap = swap_file(data)?;
        let Some(names) = files::read(&swap)? else { return Ok(()) };
        let fresh = names.lines().next().map(PathBuf::from).unwrap_or_default();
        if !data.exists() {
            rename(&fresh, data)?;
        }
        // What is left of the copy goes with the next one, or now.
        if let Some(work) = fresh.parent().filter(|work| is_work(data, work)) {
            remove_all(work)?;
        }
        files::remove(&swap)
    }

    fn must_be_out(&self) -> Result<(), AgentError> {
        let fenced = files::read(&self.fence_file())?.as_deref() == Some(self.config.service.fence());
        if !fenced {
            let text = "it carries no fence: its data is not replaced";
            return Err(AgentError::Configuration(text.into()));
        }
        match self.find()? {
            ServerProcess::Stopped => Ok(()),
            ServerProcess::Running(server) => Err(AgentError::StillRunning { pids: server.pids }),
        }
    }

    /// A program beside the server's.
    fn other_program(&self, name: &str) -> Result<PathBuf, AgentError> {
        let bin = &self.config.bin_directory;
        let places = [bin.join(name), bin.join("../bin").join(name), bin.join("../scripts").join(name)];
        places
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| AgentError::Configuration(format!("there is no {name} in {} or beside it", bin.display())))
    }
}

impl Copy<'_> {
    fn data(&self) -> PathBuf {
        self.work.join("data")
    }

    fn dump(&self) -> PathBuf {
        self.work.join("dump.sql")
    }

    async fn make(&self, source: &CopySource) -> Result<(), AgentError> {
        for directory in [&self.work, &self.data()] {
            fs::DirBuilder::new().mode(0o700).create(directory).map_err(|e| files::error(directory, &e))?;
            if nix::unistd::geteuid().is_root() {
                let Owner { uid, gid } = self.owner;
                chown(directory, Some(uid), Some(gid)).map_err(|e| files::error(directory, &e))?;
            }
        }
        self.take(source).await?;
        let position = position_of(&self.dump())?;
        self.make_empty_server().await?;
        let loaded = self.load(&position, &source.history).await;
        let stopped = self.stop().await;
        loaded.and(stopped)?;
        sync_tree(&self.data())
    }

    /// The dump: one moment of the source, which goes on meanwhile.
    async fn take(&self, source: &CopySource) -> Result<(), AgentError> {
        let mut arguments = words(&[
            "--no-defaults",
            "--protocol=tcp",
            "--single-transaction",
            "--master-data=2",
            "--gtid",
            "--all-databases",
            "--routines",
            "--events",
            "--triggers",
            "--hex-blob",
            "--flush-privileges",
            "--default-character-set=utf8mb4",
            // Where the source is, as a replica of its own past.
            "--ignore-table=mysql.gtid_slave_pos",
            MAX_PACKET,
        ]);
        arguments.push(format!("--host={}", source.host).into());
        arguments.push(format!("--port={}", source.port).into());
        arguments.push(format!("--user={}", source.login.user).into());
        arguments.push(format!("--result-file={}", self.dump().display()).into());
        arguments.extend(self.tls(source)?);
        self.run("mariadb-dump", arguments, Some(&source.login.password)).await.map(drop)
    }

    /// As the server itself verifies its source.
    fn tls(&self, source: &CopySource) -> Result<Vec<OsString>, AgentError> {
        if !source.tls {
            return Ok(words(&["--skip-ssl"]));
        }
        let mut arguments = words(&["--ssl", "--ssl-verify-server-cert"]);
        let settings = self.service.settings(None)?;
        if let Some(authority) = settings.iter().rfind(|setting| setting.name == "ssl_ca") {
            arguments.push(format!("--ssl-ca={}", authority.value).into());
        }
        Ok(arguments)
    }

    async fn make_empty_server(&self) -> Result<(), AgentError> {
        let Owner { uid, .. } = self.owner;
        let superuser = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name).ok_or_else(|| {
            AgentError::Configuration(format!("user {uid}, who owns the data directory, has no name on this host"))
        })?;
        let mut arguments = words(&[
            "--no-defaults",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            "--skip-name-resolve",
        ]);
        arguments.push(format!("--auth-root-socket-user={superuser}").into());
        arguments.push(format!("--datadir={}", self.data().display()).into());
        // The data directory is new, and the configuration's is not to be touched.
        arguments.extend(self.same_format()?);
        if let Some(base) = self.base_directory()? {
            arguments.push(format!("--basedir={}", base.display()).into());
        }
        self.run("mariadb-install-db", arguments, None).await.map(drop)
    }

    /// Where the server finds its messages and its first tables: as it is configured, else around its programs.
    fn base_directory(&self) -> Result<Option<PathBuf>, AgentError> {
        let settings = self.service.settings(None)?;
        if let Some(configured) = settings.iter().rfind(|setting| setting.name == "basedir") {
            return Ok(Some(PathBuf::from(&configured.value)));
        }
        Ok(self.service.program()?.parent().and_then(Path::parent).map(Path::to_owned))
    }

    /// What a data directory is made with once and for all.
    fn same_format(&self) -> Result<Vec<OsString>, AgentError> {
        const FORMAT: [&str; 5] = [
            "innodb_page_size",
            "innodb_data_file_path",
            "innodb_undo_tablespaces",
            "lower_case_table_names",
            "innodb_log_file_size",
        ];
        let settings = self.service.settings(None)?;
        let set = |name: &&str| settings.iter().rfind(|setting| setting.name == **name);
        let argument = |setting: &Setting| format!("--{}={}", setting.name.replace('_', "-"), setting.value).into();
        Ok(FORMAT.iter().filter_map(set).map(argument).collect())
    }

    /// Into a server that nobody reaches: no network, a socket in a directory that is the owner's alone.
    async fn load(&self, position: &str, history: &str) -> Result<(), AgentError> {
        let mut arguments = self.service.config.service.arguments(&self.service.config.config_file);
        arguments.push(format!("--datadir={}", self.data().display()).into());
        arguments.extend(words(&[
            "--skip-networking",
            "--socket=muster-load.sock",
            "--pid-file=muster-load.pid",
            "--log-error=muster-load.log",
            "--skip-slave-start",
            "--read-only=0",
            "--event-scheduler=OFF",
            MAX_PACKET,
        ]));
        let output = self.work.join("server.log");
        let mut server = command::launch(&Launch {
            program: &self.service.program()?,
            arguments,
            directory: &self.data(),
            output: &output,
            owner: self.owner,
        })?;
        let started = Instant::now();
        while let Err(error) = self.statements("SELECT 1").await {
            if let Some(ended) = server.failed()? {
                return Err(ended);
            }
            if started.elapsed() >= EMPTY_START {
                return Err(error);
            }
            tokio::time::sleep(POLL).await;
        }
        // One session: the dump replaces the accounts, also the one that loads it. The history is that of the source: with
        // an empty one, transactions of writers from long ago would seem to be on the other server alone.
        self.statements(&format!(
            "SET SESSION sql_log_bin=0;\nSET GLOBAL gtid_slave_pos='{position}';\nsource {}\nRESET MASTER;\n\
             SET GLOBAL gtid_binlog_state='{history}';",
            self.dump().display()
        ))
        .await
    }

    async fn statements(&self, text: &str) -> Result<(), AgentError> {
        let mut arguments = words(&[
            "--no-defaults",
            "--protocol=socket",
            // Relative: a socket's path has 107 bytes at most.
            "--socket=muster-load.sock",
            "--batch",
            "--default-character-set=utf8mb4",
            MAX_PACKET,
            "--execute",
        ]);
        arguments.push(text.into());
        self.run("mariadb", arguments, None).await.map(drop)
    }

    async fn stop(&self) -> Result<(), AgentError> {
        process::terminate(&process::working_below(&self.data())?);
        let deadline = Instant::now() + STOP;
        while !process::working_below(&self.data())?.is_empty() {
            if Instant::now() >= deadline {
                return Err(AgentError::TimedOut { program: "the server that loads the copy".into(), limit: STOP });
            }
            tokio::time::sleep(POLL).await;
        }
        files::remove(&self.data().join("muster-load.log"))
    }

    async fn run(
        &self,
        program: &str,
        arguments: Vec<OsString>,
        password: Option<&SecretString>,
    ) -> Result<String, AgentError> {
        command::run(Invocation {
            program: &self.service.other_program(program)?,
            arguments,
            environment: password.iter().map(|p| ("MYSQL_PWD", p.expose_secret().into())).collect(),
            directory: &self.data(),
            owner: self.owner,
            limit: self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1)),
            secrets: password.into_iter().collect(),
        })
        .await
    }
}

/// "-- SET GLOBAL gtid_slave_pos='0-1-5';": what the dump holds, as a position.
fn position_of(dump: &Path) -> Result<String, AgentError> {
    let file = fs::File::open(dump).map_err(|e| files::error(dump, &e))?;
    let lines = BufReader::new(file.take(HEADER_BYTES)).split(b'\n').map_while(Result::ok);
    let position = lines.into_iter().find_map(|line| {
        let line = String::from_utf8_lossy(&line).into_owned();
        let (_, rest) = line.split_once("SET GLOBAL gtid_slave_pos='")?;
        Some(rest.split('\'').next()?.to_owned())
    });
    position
        .filter(|text| is_gtids(text))
        .ok_or_else(|| AgentError::Unreadable { what: "the dump".into(), why: "it names no position".into() })
}

/// Digits, dashes and commas: it goes into a statement again.
fn is_gtids(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"-,".contains(&byte))
}

/// Copies that nobody finished, with whatever still works on them.
async fn remove_unfinished(data: &Path) -> Result<(), AgentError> {
    let parent = data.parent().unwrap_or(data);
    for entry in fs::read_dir(parent).map_err(|e| files::error(parent, &e))?.flatten() {
        let work = entry.path();
        if !is_work(data, &work) {
            continue;
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let pids = process::working_below(&work)?;
            if pids.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                return Err(AgentError::StillRunning { pids });
            }
            process::kill(&pids);
            tokio::time::sleep(POLL).await;
        }
        remove_all(&work)?;
    }
    Ok(())
}

/// ".data.muster-copy-17" beside "data".
fn is_work(data: &Path, path: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.parent() == data.parent() && name(path).starts_with(&format!(".{}.muster-copy-", name(data)))
}

/// A hidden neighbour of the data directory, on the same file system.
fn beside(data: &Path, suffix: &str) -> Result<PathBuf, AgentError> {
    let why = |text: &str| AgentError::File { path: data.to_owned(), why: text.to_owned() };
    let name = data.file_name().ok_or_else(|| why("it has no name, so nothing can be put beside it"))?;
    let metadata = fs::symlink_metadata(data).ok();
    if metadata.is_some_and(|metadata| metadata.is_symlink()) {
        return Err(why("it is a link, so it cannot change places with another directory"));
    }
    Ok(data.with_file_name(format!(".{}{suffix}", name.to_string_lossy())))
}

fn swap_file(data: &Path) -> Result<PathBuf, AgentError> {
    beside(data, ".muster-swap")
}

fn kept_path(data: &Path, number: u128) -> Result<PathBuf, AgentError> {
    let hidden = beside(data, &format!(".muster-kept-{number}"))?;
    let name = hidden.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(hidden.with_file_name(name.trim_start_matches('.')))
}

fn inside(data: &Path, path: &Path) -> bool {
    path.is_relative() || path.starts_with(data)
}

fn rename(from: &Path, to: &Path) -> Result<(), AgentError> {
    fs::rename(from, to).map_err(|e| files::error(from, &e))?;
    files::sync_directory(to)
}

fn remove_all(directory: &Path) -> Result<(), AgentError> {
    match fs::remove_dir_all(directory) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(files::error(directory, &e)),
        _ => Ok(()),
    }
}

/// The server stopped cleanly and flushed its own files; their names are flushed here.
fn sync_tree(directory: &Path) -> Result<(), AgentError> {
    for entry in fs::read_dir(directory).map_err(|e| files::error(directory, &e))?.flatten() {
        if entry.path().is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    files::sync_directory(&directory.join("."))
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Tells one copy from another, and when the data that it replaced was put aside.
#[expect(clippy::disallowed_methods, reason = "it names a directory; nothing is decided by it")]
fn new_number() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}
