//! A pair with something in it, and the drills of it.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use muster_domain::pb::{
    execution::v1::{Check, CheckOutcome},
    inventory::v1::{IntegrityCheck, PostgresqlTarget, integrity_check::Question},
};
use muster_local::postgres::PostgresServer;
use muster_platform::drill::{self, CopySource, DrillHost, DrillJob, DrillLimits};

use crate::{
    drive::eventually,
    pair::{Pair, login},
};

/// Where copies of one test may be, owned by the servers' user.
pub(crate) struct DrillDirectory(tempfile::TempDir);

impl DrillDirectory {
    pub(crate) fn beside(server: &PostgresServer) -> Self {
        // Short: a socket's path has 107 bytes.
        let directory = tempfile::Builder::new().prefix("md-").tempdir_in("/var/tmp").unwrap();
        let owner = std::fs::metadata(server.dir()).unwrap();
        std::os::unix::fs::chown(directory.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        Self(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn is_empty(&self) -> bool {
        std::fs::read_dir(self.path()).unwrap().next().is_none()
    }
}

/// The ids of requests look like this.
pub(crate) const REQUEST: &str = "0199a1b2-0000-7000-8000-00000000d411";

pub(crate) fn job_of(
    request: &str,
    spec: PostgresqlTarget,
    source: CopySource,
    bin_directory: &Path,
    drills: &Path,
    data_directories: Vec<PathBuf>,
) -> DrillJob {
    DrillJob {
        request: request.into(),
        resource: "ledger".into(),
        spec,
        source,
        host: DrillHost {
            drill_directory: drills.to_owned(),
            bin_directory: bin_directory.to_owned(),
            root_certificate: None,
            data_directories,
        },
        execute: login("exec", "exec-password"),
        replication: Some(login("repl", "it's: \\ secret")),
        integrity: vec![count("ledger")],
        limits: DrillLimits {
            copy: Duration::from_secs(120),
            start: Duration::from_secs(60),
            remove: Duration::from_secs(30),
        },
        now: Arc::new(Timestamp::now),
    }
}

pub(crate) fn count(table: &str) -> IntegrityCheck {
    IntegrityCheck {
        name: format!("{table}-rows"),
        question: Some(Question::RowCountOf(table.into())),
        ..IntegrityCheck::default()
    }
}

pub(crate) fn drill_of(pair: &Pair, drills: &DrillDirectory) -> DrillJob {
    let data = vec![pair.a.dir().to_owned(), pair.b.dir().to_owned()];
    job_of(REQUEST, pair.spec(), CopySource::Standby, pair.b.bin_dir(), drills.path(), data)
}

/// A pair whose ledger has rows, all of them on the standby.
pub(crate) async fn pair_with_rows(rows: u32) -> Pair {
    let pair = Pair::start().await;
    pair.a.sql("GRANT SELECT ON ledger TO exec").await.unwrap();
    pair.a.sql(&format!("INSERT INTO ledger SELECT generate_series(1, {rows})")).await.unwrap();
    eventually("b has the rows", async || {
        pair.b.sql("SELECT count(*) FROM ledger").await.is_ok_and(|found| found.trim() == rows.to_string())
    })
    .await;
    pair
}

/// Nothing of the drill is left, by the product's own look and by ours.
pub(crate) async fn is_gone(job: &DrillJob, drills: &DrillDirectory) {
    let checks = drill::verify_removed(job).await;
    assert!(checks.len() >= 2 && checks.iter().all(passed), "{checks:#?}");
    assert!(drills.is_empty(), "files are left");
    assert_eq!(processes_naming(drills.path()), Vec::<String>::new());
}

pub(crate) fn passed(check: &Check) -> bool {
    check.outcome() == CheckOutcome::Passed
}

/// Looked for in another way than the product's: the whole of what /proc says about each process.
pub(crate) fn processes_naming(path: &Path) -> Vec<String> {
    let me = std::process::id().to_string();
    let text = path.to_str().unwrap();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = process.file_name().to_string_lossy().into_owned();
        if name.parse::<u32>().is_err() || name == me {
            continue;
        }
        let read = |file: &str| {
            String::from_utf8_lossy(&std::fs::read(process.path().join(file)).unwrap_or_default()).into_owned()
        };
        let link = |file: &str| {
            std::fs::read_link(process.path().join(file)).map(|p| p.display().to_string()).unwrap_or_default()
        };
        let files: Vec<String> = std::fs::read_dir(process.path().join("fd"))
            .map(|fds| fds.flatten().map(|fd| link(&format!("fd/{}", fd.file_name().to_string_lossy()))).collect())
            .unwrap_or_default();
        let all = format!("{} {} {} {}", read("cmdline"), link("cwd"), read("maps"), files.join(" "));
        if all.contains(text) {
            found.push(format!("{name}: {}", read("cmdline")));
        }
    }
    found
}

/// What the servers of production say about strangers.
pub(crate) async fn sessions_on(server: &PostgresServer) -> String {
    server
        .sql(
            "SELECT (SELECT count(*) FROM pg_stat_replication WHERE application_name LIKE 'muster_drill%'), \
             (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'muster_drill%'), \
             (SELECT count(*) FROM pg_replication_slots WHERE temporary)",
        )
        .await
        .unwrap()
}
