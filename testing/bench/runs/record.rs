//! When the events of one run were stored, and when its servers saw the execution account first.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use muster_domain::{pb::audit::v1::AuditRecord, time::from_pb};

/// The execution account of the demo: between two runs nobody uses it.
const LOGIN: &str = "connection authorized: user=muster_execute ";
const KNOCK: &str = "connection received: ";
/// `pg_ctl -l` of the demo, and of the host agent.
const SERVER_LOGS: [&str; 2] = ["muster-server.log", "server.log"];

const CLAIMED: &str = "execution.step_claimed";
const DONE: &str = "execution.step_succeeded";

pub(super) struct Record {
    /// The first event of each type.
    stored: HashMap<String, Timestamp>,
    /// When a server saw the first connection that became a session of the execution account. Its handshake is the platform's.
    pub(super) first_login: Option<Timestamp>,
    /// In their order: its name, the time it was claimed, the time its end was stored.
    pub(super) steps: Vec<(String, Timestamp, Timestamp)>,
}

impl Record {
    pub(super) fn of(records: &[AuditRecord], data_directories: &[PathBuf]) -> Result<Self> {
        let mut stored = HashMap::new();
        let (mut claimed, mut steps) = (HashMap::new(), Vec::new());
        for record in records {
            let at = from_pb(record.stored_at.as_ref()).context("an event without the time it was stored")?;
            stored.entry(record.r#type.clone()).or_insert(at);
            match record.r#type.as_str() {
                CLAIMED => drop(claimed.insert(step_of(record)?, at)),
                DONE => {
                    let step = step_of(record)?;
                    let begun = *claimed.get(&step).context("a step ended that nobody claimed")?;
                    steps.push((step, begun, at));
                }
                _ => {}
            }
        }
        let mut record = Self { stored, first_login: None, steps };
        let (from, to) = (record.at("request.confirmed")?, record.at("execution.prechecks_recorded")?);
        let logins = data_directories.iter().map(|directory| logins(directory)).collect::<Result<Vec<_>>>()?;
        record.first_login = logins.into_iter().flatten().filter(|login| (from..=to).contains(login)).min();
        Ok(record)
    }

    pub(super) fn at(&self, kind: &str) -> Result<Timestamp> {
        self.stored.get(kind).copied().with_context(|| format!("no {kind} in the record of the run"))
    }

    /// `None`: one of the two is not in this run.
    pub(super) fn between(&self, from: &str, to: &str) -> Option<Duration> {
        elapsed(self.at(from).ok()?, self.at(to).ok()?)
    }

    /// From the confirmation until the end is stored: everything that was promised is proven then.
    pub(super) fn whole(&self) -> Result<Duration> {
        self.between("request.confirmed", "execution.succeeded").context("the run has no end")
    }
}

pub(super) fn elapsed(from: Timestamp, to: Timestamp) -> Option<Duration> {
    to.duration_since(from).try_into().ok()
}

fn logins(directory: &Path) -> Result<Vec<Timestamp>> {
    let mut found = Vec::new();
    for path in SERVER_LOGS.map(|name| directory.join(name)).iter().filter(|path| path.exists()) {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut knocked = HashMap::new();
        for line in String::from_utf8_lossy(&text).lines() {
            // "1763773012.123 4711 LOG:  connection received: host=127.0.0.1 port=40000"
            let mut words = line.split(' ');
            let (Some(time), Some(process)) = (words.next(), words.next()) else { continue };
            if line.contains(KNOCK) {
                knocked.insert(process.to_owned(), time.to_owned());
            } else if line.contains(LOGIN) {
                let seconds: f64 = knocked.get(process).context("a login without a connection")?.parse()?;
                found.push(Timestamp::from_millisecond((seconds * 1e3).round() as i64)?);
            }
        }
    }
    Ok(found)
}

fn step_of(record: &AuditRecord) -> Result<String> {
    let payload: serde_json::Value = serde_json::from_str(&record.payload_json)?;
    let step = payload.as_object().and_then(|event| event.values().find_map(|inner| inner["step"].as_str()));
    step.map(str::to_owned).with_context(|| format!("a step without a name: {payload}"))
}
