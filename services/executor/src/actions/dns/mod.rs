//! Replaces one record set by a dynamic update (RFC 2136), only if it holds the value it should hold, and looks afterwards:
//! NOERROR does not mean changed.
//!
//! One message: the old value as a prerequisite, its deletion, the new value. All of it happens or nothing.

mod record;
mod server;
mod update;

pub(super) use record::RecordKind;
pub(super) use server::{Recursion, Server};

use std::{collections::BTreeSet, time::Duration};

use muster_domain::pb::plan::v1::DnsAction;
use muster_platform::{Facts, Probe, StepDone, StepError};
use tokio::time::Instant;

use super::Surroundings;
use record::{Change, values_words};
use server::RecordSet;
use update::{Key, Verdict};

/// How often a secondary is asked whether it has the new value.
const POLL: Duration = Duration::from_millis(500);

/// Why a name server could not be asked or was not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum DnsError {
    #[error("{0}")]
    Form(String),
    #[error(transparent)]
    Refused(#[from] muster_runtime::outgoing::Refused),
    #[error("{server} does not answer: {why}")]
    NoAnswer { server: String, why: String },
    #[error("{server} answers {code} to {name}")]
    Code { server: String, code: String, name: String },
    #[error("{server} is no authority for {name}: name one that is")]
    NotAuthoritative { server: String, name: String },
    #[error("{server} answers in a way that cannot be understood: {why}")]
    Unreadable { server: String, why: String },
}

/// The servers of one step, in the order they are asked.
struct Servers {
    primary: Server,
    secondaries: Vec<Server>,
}

impl Servers {
    async fn resolve(action: &DnsAction, s: &Surroundings) -> Result<Self, DnsError> {
        let primary = Server::resolve(&action.server, s).await?;
        let mut secondaries = Vec::new();
        for name in &action.secondaries {
            secondaries.push(Server::resolve(name, s).await?);
        }
        Ok(Self { primary, secondaries })
    }
}

/// The wanted value on every server, each asked itself.
pub(super) async fn probe(action: &DnsAction, s: &Surroundings) -> Probe {
    let looked = async {
        let change = Change::of(action)?;
        let servers = Servers::resolve(action, s).await?;
        let found = servers.primary.authoritative(&change).await?;
        if found.values != change.to || lagging(&servers, &change, found.serial).await.is_some() {
            return Ok(Probe::NotDone);
        }
        Ok::<_, DnsError>(Probe::Done { note: done_words(&servers, &found), outputs: Facts::new() })
    };
    looked.await.unwrap_or_else(|error| Probe::Unknown(error.to_string()))
}

pub(super) async fn run(action: &DnsAction, limit: Duration, s: &Surroundings) -> Result<StepDone, StepError> {
    let deadline = Instant::now() + limit;
    let refused = |error: DnsError| StepError::refused(error.to_string());
    let change = Change::of(action).map_err(refused)?;
    let key = Key::resolve(action, s)?;
    let servers = Servers::resolve(action, s).await.map_err(refused)?;
    let before = servers.primary.authoritative(&change).await.map_err(refused)?;
    let after = if before.values == change.to {
        before
    } else if before.values == change.from {
        switch(&servers.primary, &change, &key, &before, s).await?
    } else {
        return Err(StepError::refused(somebody_changed(&change, &before)));
    };
    everywhere(&servers, &change, &after, deadline).await?;
    Ok(StepDone { note: done_words(&servers, &after), outputs: Facts::new() })
}

/// Sends the update and reads back; what is found then counts, and not what the server said.
async fn switch(
    primary: &Server,
    change: &Change,
    key: &Key,
    before: &RecordSet,
    s: &Surroundings,
) -> Result<RecordSet, StepError> {
    let verdict = update::send(primary, change, key, s.clock.now()).await;
    if let Verdict::Refused(why) = verdict {
        return Err(StepError::refused(why));
    }
    let after = match primary.authoritative(change).await {
        Ok(after) => after,
        Err(error) => {
            let text = format!("the update was sent ({}), and the value cannot be read back: {error}", verdict.words());
            return Err(StepError::unknown(text));
        }
    };
    match verdict {
        _ if after.values == change.to && after.serial != before.serial => Ok(after),
        // Only one of two can be true: somebody else did it, or a server answers from something that is no zone.
        _ if after.values == change.to => Err(StepError::failed(format!(
            "{} has the new value, and its serial {} did not change",
            primary, after.serial
        ))),
        Verdict::NoError => Err(StepError::failed(format!(
            "{primary} said NOERROR and changed nothing: {after}. Another record of this name may be in the way"
        ))),
        Verdict::PrerequisiteFailed => Err(StepError::refused(somebody_changed(change, &after))),
        // It may still be on its way through the server's queue.
        Verdict::NoAnswer(why) => Err(StepError::unknown(format!("{why}; the value is still {after}"))),
        Verdict::Refused(why) => Err(StepError::refused(why)),
    }
}

/// Waits until every further server has the new value.
async fn everywhere(servers: &Servers, change: &Change, after: &RecordSet, deadline: Instant) -> Result<(), StepError> {
    loop {
        let Some(behind) = lagging(servers, change, after.serial).await else { return Ok(()) };
        if Instant::now() + POLL >= deadline {
            return Err(StepError::failed(format!("changed on {}, and not in time on {behind}", servers.primary)));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The first secondary that does not serve the new value, with what it serves.
async fn lagging(servers: &Servers, change: &Change, serial: u32) -> Option<String> {
    for secondary in &servers.secondaries {
        match secondary.authoritative(change).await {
            // A later update of another name may have raised its serial further.
            Ok(found) if found.values == change.to && !is_older(found.serial, serial) => {}
            Ok(found) => return Some(format!("{secondary}: {found}, serial {}", found.serial)),
            Err(error) => return Some(error.to_string()),
        }
    }
    None
}

/// Serial numbers wrap (RFC 1982).
fn is_older(serial: u32, than: u32) -> bool {
    serial != than && than.wrapping_sub(serial) < 1 << 31
}

fn done_words(servers: &Servers, found: &RecordSet) -> String {
    let all = std::iter::once(&servers.primary).chain(&servers.secondaries).map(Server::to_string).collect::<Vec<_>>();
    format!("{found}, serial {}, on {}", found.serial, all.join(", "))
}

fn somebody_changed(change: &Change, found: &RecordSet) -> String {
    format!(
        "{} {} holds {}, and the plan expects {} before the change: somebody changed it. Nothing was done",
        change.name,
        change.kind,
        values_words(&found.values),
        values_words(&change.from)
    )
}

/// A set, because the order of records means nothing.
pub(super) type Values = BTreeSet<String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_wrap() {
        assert!(is_older(1, 2) && !is_older(2, 1) && !is_older(7, 7));
        assert!(is_older(u32::MAX, 0) && !is_older(0, u32::MAX));
    }
}
