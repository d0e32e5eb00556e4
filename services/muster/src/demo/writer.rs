//! The application of the demo: it writes a numbered row again and again and remembers which ones were
//! acknowledged, so that "no row was lost" is counted and not believed.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use muster_runtime::Clock;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use super::estate::{APPLICATION, DATABASE, Pair};

/// A small load: enough that a cut of a second loses something.
const PAUSE: Duration = Duration::from_millis(100);
/// A write that takes longer is treated as not acknowledged.
const WRITE_LIMIT: Duration = Duration::from_secs(3);
/// Rows and acknowledgements kept; older ones are forgotten on both sides alike.
const KEPT: usize = 100_000;

/// The acknowledged rows of one pair: a file with one "seq,unix-milliseconds" line each.
pub(crate) struct Acknowledged {
    file: PathBuf,
    rows: BTreeMap<i64, i64>,
}

impl Acknowledged {
    pub(crate) fn read(directory: &Path, resource: &str) -> Result<Self> {
        let file = directory.join(format!("{resource}.acknowledged.csv"));
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
        };
        // The last line may be half written by a killed writer: it was never relied on.
        let rows = text
            .lines()
            .filter_map(|line| line.split_once(','))
            .filter_map(|(seq, at)| Some((seq.parse().ok()?, at.parse().ok()?)));
        Ok(Self { file, rows: rows.collect() })
    }

    pub(crate) fn rows(&self) -> &BTreeMap<i64, i64> {
        &self.rows
    }

    fn last(&self) -> i64 {
        self.rows.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    fn add(&mut self, seq: i64, at_ms: i64) -> Result<()> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.file)?;
        file.write_all(format!("{seq},{at_ms}\n").as_bytes())?;
        self.rows.insert(seq, at_ms);
        Ok(())
    }

    /// Forgets the oldest half when twice as many as kept are there. Returns the first row kept.
    fn trim(&mut self) -> Result<Option<i64>> {
        if self.rows.len() < 2 * KEPT {
            return Ok(None);
        }
        let Some(first) = self.rows.keys().copied().nth(self.rows.len() - KEPT) else { return Ok(None) };
        self.rows = self.rows.split_off(&first);
        let text: String = self.rows.iter().map(|(seq, at)| format!("{seq},{at}\n")).collect();
        let new = self.file.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, &self.file)?;
        Ok(Some(first))
    }
}

/// Writes until told to stop. Finds the node that takes writes by asking both.
pub(crate) async fn write(pair: Pair, directory: PathBuf, password: String, stop: CancellationToken) -> Result<()> {
    let mut acknowledged = Acknowledged::read(&directory, &pair.resource)?;
    let mut next = acknowledged.last() + 1;
    let clock = Clock::system();
    let mut connection: Option<PgConnection> = None;
    while !stop.is_cancelled() {
        if connection.is_none() {
            connection = connect_to_primary(&pair, &password).await;
            if let Some(open) = connection.as_mut() {
                // Rows whose outcome was never told may be there: numbers are not used twice.
                let highest: Result<Option<i64>, _> =
                    sqlx::query_scalar("SELECT max(seq) FROM orders").fetch_one(open).await;
                next = next.max(highest.ok().flatten().unwrap_or(0) + 1);
            }
        }
        if let Some(open) = connection.as_mut() {
            let insert = sqlx::query("INSERT INTO orders (seq) VALUES ($1)").bind(next).execute(&mut *open);
            match tokio::time::timeout(WRITE_LIMIT, insert).await {
                Ok(Ok(_)) => acknowledged.add(next, clock.now().as_millisecond())?,
                Ok(Err(_)) | Err(_) => connection = None,
            }
            next += 1;
        }
        if let Some(first) = acknowledged.trim()?
            && let Some(open) = connection.as_mut()
            && sqlx::query("DELETE FROM orders WHERE seq < $1").bind(first).execute(open).await.is_err()
        {
            connection = None;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(())
}

async fn connect_to_primary(pair: &Pair, password: &str) -> Option<PgConnection> {
    for node in &pair.nodes {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(node.port)
            .username(APPLICATION)
            .password(password)
            .database(DATABASE)
            .application_name("muster-demo-writer")
            .ssl_mode(sqlx::postgres::PgSslMode::Disable);
        let connecting = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut connection).await?;
            Ok::<_, sqlx::Error>((!standby).then_some(connection))
        };
        if let Ok(Ok(Some(connection))) = tokio::time::timeout(WRITE_LIMIT, connecting).await {
            return Some(connection);
        }
    }
    None
}
