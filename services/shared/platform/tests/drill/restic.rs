//! Copies of a base backup that is kept in restic.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::{
    execution::v1::CheckOutcome,
    inventory::v1::{IntegrityCheck, PostgresqlTarget, TlsMode, integrity_check::Question},
};
use muster_local::{postgres::PostgresServer, tools};
use muster_platform::{
    StepErrorKind,
    backup::{self, BackupTool, Repository},
    drill::{self, COPY, CopySource, DrillJob, REMOVE, START},
};

use crate::{
    pair::node,
    stage::{DrillDirectory, REQUEST, count, is_gone, job_of, passed},
};

const PASSWORD: &str = "a-long-secret";

/// A server with a heartbeat, and a repository with a snapshot of its base backup.
struct Kept {
    /// restic, behind a script that notes down every command line.
    program: PathBuf,
    restic: PathBuf,
    server: PostgresServer,
    place: DrillDirectory,
    drills: DrillDirectory,
}

impl Kept {
    /// `None`: this machine cannot have restic, and that was said.
    async fn start() -> Option<Self> {
        let restic = tools::or_skip(tools::restic()).unwrap()?;
        let server = PostgresServer::temporary().await.unwrap();
        server
            .sql(
                "CREATE ROLE exec LOGIN PASSWORD 'exec-password'; GRANT pg_monitor TO exec; \
                 CREATE TABLE ledger (n bigint PRIMARY KEY); CREATE TABLE heartbeat (at timestamptz); \
                 GRANT SELECT ON ledger, heartbeat TO exec; INSERT INTO ledger SELECT generate_series(1, 100); \
                 INSERT INTO heartbeat VALUES (now())",
            )
            .await
            .unwrap();
        let (place, drills) = (DrillDirectory::beside(&server), DrillDirectory::beside(&server));
        let program = place.path().join("restic-noted");
        let script =
            format!("#!/bin/sh\necho \"$@\" >> {}/noted\nexec {} \"$@\"\n", place.path().display(), restic.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let this = Self { program, restic, server, place, drills };
        this.base_backup();
        this.restic(&["init"]);
        Some(this)
    }

    fn base(&self) -> PathBuf {
        self.place.path().join("base")
    }

    /// As its owner would: from outside of the server's data.
    fn base_backup(&self) {
        let mut command = Command::new(self.server.bin_dir().join("pg_basebackup"));
        command.args(["--format=plain", "--wal-method=stream", "--checkpoint=fast", "--host=127.0.0.1", "--pgdata"]);
        command.arg(self.base()).arg(format!("--port={}", self.server.port()));
        command.arg(format!("--username={}", self.server.superuser()));
        as_owner(&mut command, self.place.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn restic(&self, arguments: &[&str]) {
        let mut command = Command::new(&self.restic);
        command
            .args(arguments)
            .env("RESTIC_PASSWORD", PASSWORD)
            .env("RESTIC_CACHE_DIR", self.place.path().join("cache"));
        command.env("RESTIC_REPOSITORY", self.place.path().join("repo"));
        as_owner(&mut command, self.place.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn snapshot(&self) {
        self.restic(&["backup", "--host", "db1", self.base().to_str().unwrap()]);
    }

    fn repository(&self) -> Repository {
        Repository {
            tool: BackupTool::Restic,
            program: self.program.clone(),
            config_file: None,
            stanza: String::new(),
            repository: self.place.path().join("repo").display().to_string(),
            password: Some(PASSWORD.to_owned().into()),
            host: "db1".into(),
            path: self.base().display().to_string(),
        }
    }

    fn drill(&self, repository: Repository, max_age: Option<SignedDuration>) -> DrillJob {
        self.drill_beside(self.server.port(), repository, max_age)
    }

    /// `port`: where production answers.
    fn drill_beside(&self, port: u16, repository: Repository, max_age: Option<SignedDuration>) -> DrillJob {
        let spec = PostgresqlTarget {
            nodes: vec![node("a", "west", port)],
            database: "postgres".into(),
            tls: TlsMode::Disable.into(),
            ..PostgresqlTarget::default()
        };
        let source = CopySource::Backup { repository, max_age };
        let data = vec![self.server.dir().to_owned()];
        job_of(REQUEST, spec, source, self.server.bin_dir(), self.drills.path(), data)
    }
}

fn as_owner(command: &mut Command, directory: &Path) {
    let owner = fs::metadata(directory).unwrap();
    if nix::unistd::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.current_dir(directory);
}

#[tokio::test]
async fn a_base_backup_in_restic_is_restored_started_questioned_measured_and_gone() {
    let Some(kept) = Kept::start().await else { return };
    kept.snapshot();
    // After the backup: a restore would miss it, and the drill must say so.
    kept.server.sql("INSERT INTO ledger SELECT generate_series(101, 150)").await.unwrap();
    let mut job = kept.drill(kept.repository(), Some(SignedDuration::from_hours(1)));
    job.integrity = vec![
        IntegrityCheck { expect: "100".into(), ..count("ledger") },
        IntegrityCheck {
            name: "heartbeat".into(),
            question: Some(Question::Sql("SELECT count(*) FROM heartbeat WHERE at < now()".into())),
            expect: "1".into(),
            ..IntegrityCheck::default()
        },
    ];
    let checks = drill::prechecks(&job).await;
    assert!(checks.len() == 5 && checks.iter().all(passed), "{checks:#?}");
    for step in [COPY, START, COPY, START] {
        drill::run(&job, step).await.unwrap();
    }
    let found = drill::inspect(&job).await.unwrap();
    assert!(found.source.starts_with("restic "), "{}", found.source);
    let answers: Vec<_> = found.answers.iter().map(|answer| answer.answer.as_deref()).collect();
    assert_eq!(answers, [Some("100"), Some("1")]);
    assert!(found.checks.iter().all(passed), "{:#?}", found.checks);
    assert!(found.restore_time.unwrap().is_positive() && found.bytes > 10 << 20, "{found:?}");
    // Of the base backup, and not of the snapshot that was made of it later.
    let newest = found.newest_data_at.unwrap();
    assert!(newest <= Timestamp::now() && found.loss_window.unwrap().is_positive(), "{found:?}");
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &kept.drills).await;

    let noted = fs::read_to_string(kept.place.path().join("noted")).unwrap();
    assert!(noted.contains("restore") && noted.contains("--no-lock") && !noted.contains(PASSWORD), "{noted}");
    // The repository is as it was: one snapshot, and nobody's lock.
    assert_eq!(fs::read_dir(kept.place.path().join("repo/locks")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(kept.place.path().join("repo/snapshots")).unwrap().count(), 1);
}

/// What cannot be started apart, or is somebody else's, is refused before or while it is made, and nothing is left of it.
#[tokio::test]
async fn a_snapshot_that_is_no_base_backup_of_this_system_is_refused() {
    let Some(kept) = Kept::start().await else { return };
    let refused = async |job: &DrillJob, words: &str| {
        let error = drill::prepare(job).await.unwrap_err();
        assert!(error.text.contains(words) && !error.text.contains(PASSWORD), "{words}: {error:?}");
        drill::run(job, REMOVE).await.unwrap();
        is_gone(job, &kept.drills).await;
        error.kind
    };
    let job = |repository: Repository| kept.drill(repository, None);

    // Nothing in it yet; then a password that is wrong, and a repository that does not say where.
    assert_eq!(refused(&job(kept.repository()), "holds no backup").await, StepErrorKind::Refused);
    kept.snapshot();
    let wrong = Repository { password: Some("another-secret".to_owned().into()), ..kept.repository() };
    let error = drill::prepare(&job(wrong)).await.unwrap_err();
    assert!(!error.text.contains("another-secret"), "{error:?}");
    refused(&job(Repository { path: String::new(), ..kept.repository() }), "`path`").await;

    // A snapshot made now, of a base backup that is older than its limit.
    let mut old = kept.drill(kept.repository(), Some(SignedDuration::from_hours(1)));
    old.now = std::sync::Arc::new(|| Timestamp::now() + SignedDuration::from_hours(2));
    assert!(drill::prechecks(&old).await.iter().any(|check| check.outcome() == CheckOutcome::Failed));
    assert_eq!(refused(&old, "too old").await, StepErrorKind::Refused);

    // Production is another system now.
    let other = PostgresServer::temporary().await.unwrap();
    other.sql("CREATE ROLE exec LOGIN PASSWORD 'exec-password'; GRANT pg_monitor TO exec").await.unwrap();
    refused(&kept.drill_beside(other.port(), kept.repository(), None), "the copy is of system").await;

    // A link that leads to production's tablespace; then the label of the backup is gone: files of a running server.
    let link = kept.base().join("pg_tblspc/16400");
    symlink("/var/tmp", &link).unwrap();
    kept.snapshot();
    refused(&job(kept.repository()), "pg_tblspc/16400 is a link").await;
    fs::remove_file(&link).unwrap();
    fs::write(kept.base().join("tablespace_map"), "16400 /var/tmp\n").unwrap();
    kept.snapshot();
    refused(&job(kept.repository()), "tablespaces elsewhere").await;
    fs::remove_file(kept.base().join("tablespace_map")).unwrap();
    fs::remove_file(kept.base().join("backup_label")).unwrap();
    kept.snapshot();
    refused(&job(kept.repository()), "backup_label is not in it").await;
    let checks = drill::prechecks(&job(kept.repository())).await;
    assert!(checks.iter().any(|check| check.outcome() != CheckOutcome::Passed && check.text.contains("backup_label")));
    assert!(backup::newest(&kept.repository(), kept.drills.path()).await.is_ok(), "as a backup it still has an age");
}
