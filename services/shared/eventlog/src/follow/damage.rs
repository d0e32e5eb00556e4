//! Entries that a server counts and does not deliver, because their bytes in its files are damaged. It says that more is to
//! come and sends nothing, for ever; so who waits asks for what is there, one by one.

use serde_json::Value;

use crate::{
    EventLog,
    wire::{self, Failure, Stored},
};

/// Asked for at once; a longer damage is stepped over in several times.
const MAX_STEP: u64 = 1_000;

/// Where to go on instead of waiting for what comes after the sequence `after`: behind everything up to the next entry that
/// can be read, or behind all there is. `None`: the next entry can be read, it only has not come yet.
pub(super) async fn step_over(
    log: &EventLog,
    stream: &str,
    filters: &[String],
    after: u64,
) -> Result<Option<u64>, String> {
    let info = log.stream_info(stream).await.map_err(|error| error.to_string())?.ok_or("the stream is not there")?;
    let number = |name: &str| info.pointer(&format!("/state/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let (first, last) = ((after + 1).max(number("first_seq")), number("last_seq"));
    let end = last.min(first.saturating_add(MAX_STEP - 1));
    let mut damaged = Vec::new();
    let mut until = after.max(first - 1);
    for sequence in first..=end {
        match entry_at(log, stream, sequence).await? {
            Some(entry) if is_wanted(filters, &entry.subject) => {
                report(stream, &damaged);
                return Ok((until > after).then_some(until));
            }
            Some(_) => {}
            None => damaged.push(sequence),
        }
        until = sequence;
    }
    report(stream, &damaged);
    Ok(Some(until))
}

/// The entry, if the leader gives it. Whatever else it answers about this one, it cannot read it.
pub(crate) async fn entry_at(log: &EventLog, stream: &str, sequence: u64) -> Result<Option<Stored>, String> {
    match wire::leader_at(log, stream, sequence).await {
        Ok(found) => Ok(found),
        Err(Failure::Refused { .. } | Failure::TooMany) => Ok(None),
        Err(Failure::Unknown(why)) => Err(why),
    }
}

fn report(stream: &str, damaged: &[u64]) {
    if let (Some(from), Some(to)) = (damaged.first(), damaged.last()) {
        let entries = damaged.len();
        tracing::error!(stream, from, to, entries, "the server cannot read entries of a stream that it counts");
        metrics::counter!("muster_log_damaged_entries_total").increment(entries as u64);
    }
}

fn is_wanted(filters: &[String], subject: &str) -> bool {
    filters.is_empty() || filters.iter().any(|filter| matches(filter, subject))
}

/// NATS' wildcards: `*` is one token, `>` at the end is all that follow.
fn matches(filter: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in filter.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_as_the_server_matches_it() {
        let subject = "rec.acme.request.1.2";
        for filter in ["rec.acme.request.*.*", "rec.acme.request.>", "rec.*.request.1.2", subject, ">"] {
            assert!(matches(filter, subject), "{filter}");
        }
        for filter in ["rec.acme.gap.>", "rec.acme.request.1.2.>", "rec.acme.request.*", "rec.acme.request.*.*.*", "*"]
        {
            assert!(!matches(filter, subject), "{filter}");
        }
        assert!(is_wanted(&[], subject));
        assert!(!is_wanted(&["other".to_owned()], subject));
    }
}
