//! The standby as the source: who it is, what it holds, and a base backup of it over a replication session of its own.

use std::ffi::OsString;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use sqlx::Row;

use super::{DrillError, DrillJob, place::Place};
use crate::{
    agent::{
        StandbySource,
        command::{self, Invocation},
        files,
    },
    integrity::CONNECT_LIMIT,
    postgresql::{
        errors::SqlError,
        session::{Address, Session},
    },
};

/// One statement on the standby; sizes of many databases take a moment.
const STATEMENT_LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// The node that is a standby now.
#[derive(Debug, Clone)]
pub(super) struct Standby {
    pub node: String,
    host: String,
    port: u16,
    pub system_identifier: String,
    /// "15"
    pub major: String,
    pub bytes: u64,
    /// The commit time of the newest transaction it has replayed.
    pub replayed_at: Option<Timestamp>,
    tablespaces: Vec<String>,
}

/// Asks every node; the one that is in recovery is it.
pub(super) async fn find(job: &DrillJob) -> Result<Standby, DrillError> {
    let mut seen = Vec::new();
    for node in &job.spec.nodes {
        match look(job, node).await {
            Ok(Some(standby)) => return Ok(standby),
            Ok(None) => seen.push(format!("{} is a primary", node.name)),
            Err(error) => seen.push(format!("{}: {error}", node.name)),
        }
    }
    Err(DrillError::NoStandby(seen.join("; ")))
}

pub(super) async fn session(
    job: &DrillJob,
    node: &muster_domain::pb::inventory::v1::PostgresqlNode,
) -> Result<Session, SqlError> {
    let address = Address::of(node, &job.spec.database, job.spec.tls())?;
    Session::open(&address, &job.execute, CONNECT_LIMIT, STATEMENT_LIMIT).await
}

/// Of the first node that answers. `None`: none does, or the account may not ask.
pub(super) async fn system_identifier(job: &DrillJob) -> Option<String> {
    for node in &job.spec.nodes {
        let Ok(mut session) = session(job, node).await else { continue };
        let asked = session.one(sqlx::query("SELECT system_identifier::text FROM pg_control_system()")).await;
        if let Some(found) = asked.ok().and_then(|row| row.try_get::<String, _>(0).ok()) {
            return Some(found);
        }
    }
    None
}

/// `None`: it is a primary.
async fn look(
    job: &DrillJob,
    node: &muster_domain::pb::inventory::v1::PostgresqlNode,
) -> Result<Option<Standby>, SqlError> {
    let mut session = session(job, node).await?;
    let row = session
        .one(sqlx::query(
            "SELECT pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()), \
             (current_setting('server_version_num')::int / 10000)::text, \
             (SELECT sum(pg_database_size(oid))::bigint FROM pg_database), \
             (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint",
        ))
        .await?;
    if !row.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    let bytes: i64 = row.try_get(3)?;
    let replayed: Option<i64> = row.try_get(4)?;
    let spaces = sqlx::query(
        "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE pg_tablespace_location(oid) LIKE '/%' ORDER BY oid",
    );
    let tablespaces = session.all(spaces).await?;
    Ok(Some(Standby {
        node: node.name.clone(),
        host: node.host.clone(),
        port: u16::try_from(node.port).unwrap_or_default(),
        system_identifier: row.try_get(1)?,
        major: row.try_get(2)?,
        bytes: u64::try_from(bytes).unwrap_or_default(),
        replayed_at: replayed.and_then(|microseconds| Timestamp::from_microsecond(microseconds).ok()),
        tablespaces: tablespaces.iter().map(|row| row.try_get(0)).collect::<Result<_, sqlx::Error>>()?,
    }))
}

/// Makes the copy. The session streams the log beside the files, through a temporary slot that ends with it.
pub(super) async fn copy(job: &DrillJob, place: &Place, standby: &Standby) -> Result<(), DrillError> {
    let login = job.replication.clone().ok_or_else(|| {
        DrillError::Refused("the resource names no replication account: add `replication` to its manifest".to_owned())
    })?;
    let source = StandbySource {
        host: standby.host.clone(),
        port: standby.port,
        login: login.clone(),
        tls: job.spec.tls() == muster_domain::pb::inventory::v1::TlsMode::VerifyFull,
        slot: String::new(),
        application_name: place.mark.clone(),
    };
    let connection = files::connection_string(&source, None, job.host.root_certificate.as_ref());
    let mut arguments: Vec<OsString> =
        ["--format=plain", "--wal-method=stream", "--checkpoint=fast", "--no-password", "--pgdata"]
            .map(OsString::from)
            .to_vec();
    arguments.push(place.data().into());
    arguments.push("--label".into());
    arguments.push(place.mark.clone().into());
    arguments.push("--dbname".into());
    arguments.push(format!("{connection} connect_timeout=5").into());
    // In the plain format they would be written to the same paths as on the source.
    if !standby.tablespaces.is_empty() {
        place.make(&place.file("tablespaces"))?;
    }
    for (at, path) in standby.tablespaces.iter().enumerate() {
        let escaped = path.replace('\\', "\\\\").replace('=', "\\=");
        let here = place.file("tablespaces").join(at.to_string());
        arguments.push(format!("--tablespace-mapping={escaped}={}", here.display()).into());
    }
    command::run(Invocation {
        program: &job.host.bin_directory.join("pg_basebackup"),
        arguments,
        environment: vec![("PGPASSWORD", login.password.expose_secret().into())],
        directory: place.root(),
        owner: place.owner,
        limit: job.limits.copy,
        secrets: vec![&login.password],
    })
    .await?;
    Ok(())
}
