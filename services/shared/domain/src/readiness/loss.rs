//! What can be said about missing data, from what was seen (FR-014). Conservative: T is a time up to
//! which everything is known to have arrived, and the window runs from there to now.

use jiff::{SignedDuration, Timestamp};

use super::replication::{Link, Replication, Role};
use crate::pb::common::v1::{LossCertainty, LossStatement};
use crate::statement::{bounded, unknown};
use crate::time::{duration_from_pb, from_pb};

const HEARTBEAT_LIMIT: &str = "Positions and heartbeats bound the time that can be missing; they do not prove that everything before it is usable.";

pub(super) fn statement(r: &Replication, age: SignedDuration, now: Timestamp) -> LossStatement {
    if let Some(why) = &r.incomparable {
        return unknown(why);
    }
    let Some(ago) = r.caught_up_ago else {
        return unknown("no position of the primary is known that the standby holds");
    };
    let Ok(caught_up_to) = now.saturating_sub(ago.saturating_add(age)) else {
        return unknown("the time of the newest position cannot be told");
    };
    // "0 bytes" as of an hour ago would read as proof: of a primary that is not seen, nothing is known to be nothing.
    let primary_seen = r.primary.is_some();
    let missing_bytes = r.missing_bytes.filter(|bytes| *bytes > 0 || primary_seen);
    bounded(caught_up_to, now, missing_bytes, loss_limits(r))
}

fn loss_limits(r: &Replication) -> Vec<String> {
    let mut limits = vec![HEARTBEAT_LIMIT.to_owned()];
    for side in r.sides.iter().filter(|s| !s.seen) {
        limits.push(match side.role {
            Role::Primary => format!(
                "The primary {} is not seen: what it has written since it was last seen is not in the bytes.",
                side.node
            ),
            Role::Standby => format!("The standby {} is not seen: that it can be used at all is not known.", side.node),
        });
    }
    if r.link == Link::Severed {
        limits.push("The link is down: the window grows until the standby receives again.".into());
    }
    limits
}

/// The same statement at a later time.
pub(super) fn grow(loss: LossStatement, now: Timestamp) -> LossStatement {
    let caught_up_to = from_pb(loss.caught_up_to.as_ref());
    match caught_up_to {
        Some(at) if loss.certainty() == LossCertainty::Bounded => {
            // A clock that went back must not make the window smaller than it was.
            let before = duration_from_pb(loss.window.as_ref()).unwrap_or(SignedDuration::ZERO);
            let as_of = at.saturating_add(before).map_or(now, |then| then.max(now));
            bounded(at, as_of, loss.missing_bytes, loss.limits)
        }
        _ => loss,
    }
}
