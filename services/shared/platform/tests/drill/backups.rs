//! Copies of real backups, and the age of real repositories.

use std::{
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::{
    execution::v1::CheckOutcome,
    inventory::v1::{PostgresqlTarget, TlsMode},
};
use muster_local::{postgres::PostgresServer, tools};
use muster_platform::{
    StepErrorKind,
    backup::{self, BackupTool, Repository},
    drill::{self, COPY, CopySource, DrillJob, REMOVE, START},
};

use crate::{
    drive::eventually,
    pair::node,
    stage::{DrillDirectory, REQUEST, is_gone, job_of, passed},
};

/// A server that archives into a pgBackRest repository, with one backup.
struct BackedUp {
    program: PathBuf,
    server: PostgresServer,
    repository: DrillDirectory,
    drills: DrillDirectory,
}

impl BackedUp {
    /// `None`: this machine cannot have pgBackRest, and that was said.
    async fn start() -> Option<Self> {
        let program = tools::or_skip(tools::pgbackrest()).unwrap()?;
        // The server has to know where its archive is before it exists.
        let server = PostgresServer::temporary_with(&[("archive_mode", "on")]).await.unwrap();
        let repository = DrillDirectory::beside(&server);
        let drills = DrillDirectory::beside(&server);
        let this = Self { program, server, repository, drills };
        let config = format!(
            "[global]\nrepo1-path={repo}/repo\nlog-level-file=off\nlock-path={repo}/lock\nspool-path={repo}/spool\n\
             archive-timeout=20\nstart-fast=y\ncompress-type=gz\n\n\
             [orders]\npg1-path={data}\npg1-port={port}\npg1-user={user}\n",
            repo = this.repository.path().display(),
            data = this.server.dir().display(),
            port = this.server.port(),
            user = this.server.superuser(),
        );
        std::fs::write(this.config(), config).unwrap();
        this.tool(&["stanza-create"]);
        let archive =
            format!("{} --config={} --stanza=orders archive-push %p", this.program.display(), this.config().display());
        this.server.sql(&format!("ALTER SYSTEM SET archive_command = '{archive}'")).await.unwrap();
        this.server.sql("SELECT pg_reload_conf()").await.unwrap();
        this.server
            .sql(
                "CREATE ROLE exec LOGIN PASSWORD 'exec-password'; CREATE TABLE ledger (n bigint PRIMARY KEY); \
                 GRANT SELECT ON ledger TO exec; INSERT INTO ledger SELECT generate_series(1, 100)",
            )
            .await
            .unwrap();
        this.tool(&["--type=full", "backup"]);
        Some(this)
    }

    fn config(&self) -> PathBuf {
        self.repository.path().join("pgbackrest.conf")
    }

    fn tool(&self, arguments: &[&str]) {
        let mut command = Command::new(&self.program);
        command.arg(format!("--config={}", self.config().display())).arg("--stanza=orders").args(arguments);
        // The server has no socket: by loopback.
        as_owner(command.env("PGHOST", "127.0.0.1"), self.server.dir());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn of(&self, stanza: &str) -> Repository {
        Repository {
            tool: BackupTool::Pgbackrest,
            program: self.program.clone(),
            config_file: Some(self.config()),
            stanza: stanza.into(),
            repository: String::new(),
            password: None,
            host: String::new(),
            path: String::new(),
        }
    }

    fn drill(&self, repository: Repository, max_age: Option<SignedDuration>) -> DrillJob {
        let spec = PostgresqlTarget {
            nodes: vec![node("a", "west", self.server.port())],
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
    let owner = std::fs::metadata(directory).unwrap();
    if nix::unistd::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.current_dir(directory);
}

#[tokio::test]
async fn the_newest_backup_is_restored_with_all_the_log_that_was_archived() {
    let Some(backed_up) = BackedUp::start().await else { return };
    // After the backup: only the archive has these.
    let written = Timestamp::now();
    backed_up.server.sql("INSERT INTO ledger SELECT generate_series(101, 150)").await.unwrap();
    let segment = backed_up.server.sql("SELECT pg_walfile_name(pg_switch_wal())").await.unwrap();
    eventually("the segment is archived", async || {
        backed_up.server.sql("SELECT last_archived_wal FROM pg_stat_archiver").await.unwrap().trim() >= segment.trim()
    })
    .await;
    let archived = backed_up.server.sql("SELECT archived_count FROM pg_stat_archiver").await.unwrap();

    let job = backed_up.drill(backed_up.of("orders"), Some(SignedDuration::from_hours(1)));
    let checks = drill::prechecks(&job).await;
    assert!(checks.len() == 5 && checks.iter().all(passed), "{checks:#?}");
    for step in [COPY, START, COPY, START] {
        drill::run(&job, step).await.unwrap();
    }
    let found = drill::inspect(&job).await.unwrap();
    assert!(found.source.starts_with("pgbackrest 20"), "{}", found.source);
    assert_eq!(found.answers[0].answer.as_deref(), Some("150"));
    assert!(found.checks.iter().all(passed), "{:#?}", found.checks);
    // By the commit in the log, and not by the backup.
    let newest = found.newest_data_at.unwrap();
    assert!(newest >= written - SignedDuration::from_millis(10) && newest <= Timestamp::now(), "{newest} {written}");
    assert!(found.restore_time.unwrap().is_positive());
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &backed_up.drills).await;

    // The copy's own timeline never reached the archive, nor was the repository changed.
    backed_up.tool(&["check"]);
    let after = backed_up.server.sql("SELECT archived_count FROM pg_stat_archiver").await.unwrap();
    assert!(after.trim().parse::<u32>().unwrap() >= archived.trim().parse().unwrap());
    let timelines = std::fs::read_dir(backed_up.repository.path().join("repo/archive/orders/15-1"));
    let newest: Vec<String> = timelines
        .map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    assert!(newest.iter().all(|name| !name.starts_with("00000002")), "{newest:?}");
}

#[tokio::test]
async fn a_backup_that_is_too_old_missing_or_restics_is_refused() {
    let Some(backed_up) = BackedUp::start().await else { return };
    let mut old = backed_up.drill(backed_up.of("orders"), Some(SignedDuration::from_hours(1)));
    old.now = Arc::new(|| Timestamp::now() + SignedDuration::from_hours(2));
    let restic = Repository { tool: BackupTool::Restic, ..backed_up.of("orders") };
    for (job, words) in [
        (old, "too old"),
        (backed_up.drill(backed_up.of("billing"), None), "billing"),
        (backed_up.drill(restic, None), "restic"),
    ] {
        let checks = drill::prechecks(&job).await;
        assert!(checks.iter().any(|check| check.outcome() != CheckOutcome::Passed), "{checks:#?}");
        let error = drill::prepare(&job).await.unwrap_err();
        assert!(error.text.contains(words) && error.kind == StepErrorKind::Refused, "{error:?}");
        is_gone(&job, &backed_up.drills).await;
    }
}

#[tokio::test]
async fn the_age_of_a_backup_is_judged_by_its_tools_own_words() {
    let Some(backed_up) = BackedUp::start().await else { return };
    let directory = backed_up.drills.path();
    let found = backup::newest(&backed_up.of("orders"), directory).await;
    let age = found.as_ref().unwrap().age(Timestamp::now());
    assert!(age < SignedDuration::from_mins(5), "{age:?}");
    let hour = Some(SignedDuration::from_hours(1));
    let judged = |now: Timestamp| backup::check_age(&found, hour, now).outcome();
    assert_eq!(judged(Timestamp::now()), CheckOutcome::Passed);
    assert_eq!(judged(Timestamp::now() + SignedDuration::from_hours(2)), CheckOutcome::Failed);
    assert_eq!(judged(Timestamp::now() - SignedDuration::from_hours(2)), CheckOutcome::Unknown);
    let missing = backup::newest(&backed_up.of("billing"), directory).await;
    assert_ne!(backup::check_age(&missing, hour, Timestamp::now()).outcome(), CheckOutcome::Passed);
}

#[tokio::test]
async fn restic_snapshots_are_listed_and_aged() {
    let Some(program) = tools::or_skip(tools::restic()).unwrap() else { return };
    let server = PostgresServer::temporary().await.unwrap();
    let place = DrillDirectory::beside(&server);
    let dump = place.path().join("dump");
    std::fs::create_dir(&dump).unwrap();
    std::fs::write(dump.join("orders.sql"), "SELECT 1;").unwrap();
    let repository = Repository {
        tool: BackupTool::Restic,
        program,
        config_file: None,
        stanza: String::new(),
        repository: place.path().join("repo").display().to_string(),
        password: Some("a-long-secret".to_owned().into()),
        host: "db1".into(),
        path: dump.display().to_string(),
    };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&repository.program);
        command
            .args(arguments)
            .env("RESTIC_PASSWORD", "a-long-secret")
            .env("RESTIC_REPOSITORY", &repository.repository);
        command.env("RESTIC_CACHE_DIR", place.path().join("cache"));
        as_owner(&mut command, place.path());
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    };
    run(&["init"]);
    let now = Timestamp::now();
    assert!(matches!(backup::newest(&repository, place.path()).await, Err(backup::BackupError::None { .. })));
    run(&["backup", "--host", "other", &repository.path]);
    assert!(matches!(backup::newest(&repository, place.path()).await, Err(backup::BackupError::None { .. })));
    run(&["backup", "--host", "db1", &repository.path]);
    let found = backup::newest(&repository, place.path()).await.unwrap();
    assert!(found.as_of >= now - SignedDuration::from_secs(1), "{found:?}");
    let wrong = Repository { password: Some("another-secret".to_owned().into()), ..repository.clone() };
    let error = backup::newest(&wrong, place.path()).await.unwrap_err().to_string();
    assert!(!error.contains("another-secret"), "{error}");
}
