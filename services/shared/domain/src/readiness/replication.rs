//! What was seen, in words that hold for every platform.

use jiff::{SignedDuration, Timestamp};

use super::code::Finding;
use crate::pb::common::v1::Marker;

/// One look at both sides of one resource, compared with what was known before.
///
/// Durations are measured on one clock each and are as of the look; the age of the look itself is
/// added by whoever reads it later. Absent means "not known".
#[derive(Debug, Clone, PartialEq)]
pub struct Replication {
    /// When the look was complete, by the collector's clock.
    pub observed_at: Timestamp,
    pub sides: Vec<Side>,
    pub link: Link,
    /// Both sides answered, with one primary and one standby of the same system, and nothing hidden.
    pub full_sight: bool,
    /// What the platform's own rules found. RPO, freshness and lag are judged by `rules`.
    pub findings: Vec<Finding>,
    pub primary: Option<Marker>,
    pub standby: Option<Marker>,
    /// Where the one primary runs.
    pub active_site: Option<String>,
    pub not_received_bytes: Option<u64>,
    pub not_applied_bytes: Option<u64>,
    /// Distance between the newest known positions of both sides, also when one is not seen now.
    pub missing_bytes: Option<u64>,
    /// How long before the look the newest primary position that the standby is known to hold was current.
    pub caught_up_ago: Option<SignedDuration>,
    /// Why nothing can be said about missing data, if that is so whatever the positions say.
    pub incomparable: Option<String>,
}

/// One of the two nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    pub node: String,
    pub site: String,
    pub role: Role,
    pub seen: bool,
    /// Time from the newest good answer to this look. `None`: never answered.
    pub unseen_for: Option<SignedDuration>,
}

/// What a node is, or was expected to be while it is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Primary,
    Standby,
}

impl Role {
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// Whether log flows from the primary to the standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Streaming, with a fresh last message.
    Live,
    /// Seen not to be streaming: whatever was written since then is only on the primary.
    Severed,
    /// Not enough was seen.
    Unknown,
}

/// "16/B374D848"
pub fn lsn_text(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)
}

/// The number behind "16/B374D848".
pub fn parse_lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let part = |hex: &str| {
        let digits = (1..=8).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        if digits { u32::from_str_radix(hex, 16).ok() } else { None }
    };
    Some((u64::from(part(high)?) << 32) | u64::from(part(low)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsn_text_and_number_are_the_same_thing() {
        assert_eq!(lsn_text(0x16_B374_D848), "16/B374D848");
        assert_eq!(parse_lsn("16/B374D848"), Some(0x16_B374_D848));
        for wrong in ["", "16", "/1", "1/", "1/123456789", "x/1", "+1/2", "1/2/3"] {
            assert_eq!(parse_lsn(wrong), None, "{wrong}");
        }
    }
}
