//! The application of the demo: it writes a numbered row again and again and remembers which ones were
//! acknowledged, so that "no row was lost" is counted and not believed.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use muster_runtime::Clock;
use tokio_util::sync::CancellationToken;

use super::{
    estate::{Estate, Pair},
    servers::{Application, Servers},
};

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
pub(crate) async fn write(estate: Arc<Estate>, pair: Pair, stop: CancellationToken) -> Result<()> {
    let servers = estate.servers(&pair);
    let mut acknowledged = Acknowledged::read(estate.directory(), &pair.resource)?;
    let mut next = acknowledged.last() + 1;
    let clock = Clock::system();
    let mut connection: Option<Box<dyn Application>> = None;
    while !stop.is_cancelled() {
        if connection.is_none() {
            connection = connect_to_primary(servers.as_ref(), &pair).await;
            if let Some(open) = connection.as_mut() {
                // Rows whose outcome was never told may be there: numbers are not used twice.
                next = next.max(open.highest().await.unwrap_or(0) + 1);
            }
        }
        if let Some(open) = connection.as_mut() {
            match tokio::time::timeout(WRITE_LIMIT, open.insert(next)).await {
                Ok(Ok(())) => acknowledged.add(next, clock.now().as_millisecond())?,
                Ok(Err(_)) | Err(_) => connection = None,
            }
            next += 1;
        }
        if let Some(first) = acknowledged.trim()?
            && let Some(open) = connection.as_mut()
            && open.forget_before(first).await.is_err()
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

async fn connect_to_primary(servers: &dyn Servers, pair: &Pair) -> Option<Box<dyn Application>> {
    for node in &pair.nodes {
        if let Ok(Ok(Some(connection))) = tokio::time::timeout(WRITE_LIMIT, servers.connect(node)).await {
            return Some(connection);
        }
    }
    None
}
