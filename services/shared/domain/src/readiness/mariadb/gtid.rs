//! Global transaction ids of MariaDB: `domain-server-sequence`.
//!
//! A *position* names the newest transaction of each domain. It says who wrote that one and nothing about who wrote those
//! before it. A *history* is the binary log's state: the newest transaction of each domain **and** server, so it also knows
//! of a transaction that somebody wrote on a replica by mistake. Sequences of one domain only grow (`gtid_strict_mode`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Positions of sensible servers have one domain, or a handful; a text without end is no position.
const MAX_GTIDS: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gtid {
    pub domain: u32,
    pub server: u32,
    pub sequence: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a list of MariaDB's transaction ids (domain-server-sequence)")]
pub struct InvalidGtid {
    text: String,
}

impl FromStr for Gtid {
    type Err = InvalidGtid;

    fn from_str(text: &str) -> Result<Self, InvalidGtid> {
        let invalid = || InvalidGtid { text: text.chars().take(80).collect() };
        // Digits alone: a parsed position is written into statements again.
        let number = |part: Option<&str>| {
            let part = part.filter(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))?;
            part.parse::<u64>().ok()
        };
        let mut parts = text.trim().split('-');
        let (domain, server, sequence) = (number(parts.next()), number(parts.next()), number(parts.next()));
        let narrow = |wide: Option<u64>| wide.and_then(|wide| u32::try_from(wide).ok()).ok_or_else(invalid);
        if parts.next().is_some() {
            return Err(invalid());
        }
        Ok(Self { domain: narrow(domain)?, server: narrow(server)?, sequence: sequence.ok_or_else(invalid)? })
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

fn list(text: &str) -> Result<Vec<Gtid>, InvalidGtid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.split(',').count() > MAX_GTIDS {
        return Err(InvalidGtid { text: text.chars().take(80).collect() });
    }
    text.split(',').map(str::parse).collect()
}

/// The newest transaction of each domain. Empty: nothing was written yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position(BTreeMap<u32, (u32, u64)>);

impl Position {
    /// Whether everything up to `other` is here. Of two transactions with one number and different writers neither is.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(domain, (server, sequence))| {
            self.0.get(domain).is_some_and(|(mine, at)| at > sequence || (at == sequence && mine == server))
        })
    }

    /// The further one of both, domain by domain.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        for (domain, found) in &other.0 {
            let place = merged.0.entry(*domain).or_insert(*found);
            if found.1 > place.1 {
                *place = *found;
            }
        }
        merged
    }

    /// A number that grows with every transaction: the sum of the sequences. Comparable between two servers only when one
    /// has nothing that the other has not, and in these domains alone.
    pub fn transactions(&self) -> u64 {
        self.0.values().fold(0, |sum, (_, sequence)| sum.saturating_add(*sequence))
    }

    /// The part that is in the domains of `other`.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|(domain, _)| other.0.contains_key(domain)).map(|(d, at)| (*d, *at)).collect())
    }

    pub fn domains(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn gtids(&self) -> impl Iterator<Item = Gtid> {
        self.0.iter().map(|(domain, (server, sequence))| Gtid { domain: *domain, server: *server, sequence: *sequence })
    }

    /// What identifies the history that such positions belong to. MariaDB has no identifier of its own: the domains stay
    /// when roles change, the servers that write in them do not.
    pub fn system_identifier(&self) -> String {
        let domains: Vec<String> = self.0.keys().map(u32::to_string).collect();
        format!("mariadb-gtid-domains:{}", domains.join(","))
    }
}

impl FromStr for Position {
    type Err = InvalidGtid;

    fn from_str(text: &str) -> Result<Self, InvalidGtid> {
        let mut position = Self::default();
        for gtid in list(text)? {
            if position.0.insert(gtid.domain, (gtid.server, gtid.sequence)).is_some() {
                return Err(InvalidGtid { text: text.chars().take(80).collect() });
            }
        }
        Ok(position)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gtid) in self.gtids().enumerate() {
            write!(f, "{}{gtid}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The newest transaction of each domain and server that a server is known to have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(BTreeMap<(u32, u32), u64>);

impl History {
    pub fn add(&mut self, gtids: impl IntoIterator<Item = Gtid>) {
        for gtid in gtids {
            let place = self.0.entry((gtid.domain, gtid.server)).or_insert(gtid.sequence);
            *place = gtid.sequence.max(*place);
        }
    }

    /// The newest transaction of that writer in that domain.
    pub fn newest(&self, domain: u32, server: u32) -> Option<u64> {
        self.0.get(&(domain, server)).copied()
    }

    /// What `other` has and this one has not; of several of one writer the newest.
    pub fn lacks(&self, other: &Self) -> Vec<Gtid> {
        let missing = other.0.iter().filter(|(key, sequence)| self.0.get(key).is_none_or(|mine| mine < sequence));
        missing
            .map(|((domain, server), sequence)| Gtid { domain: *domain, server: *server, sequence: *sequence })
            .collect()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ((domain, server), sequence)) in self.0.iter().enumerate() {
            write!(f, "{}{domain}-{server}-{sequence}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for History {
    type Err = InvalidGtid;

    fn from_str(text: &str) -> Result<Self, InvalidGtid> {
        let mut history = Self::default();
        history.add(list(text)?);
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use proptest::prelude::*;

    use super::*;

    fn position(text: &str) -> Position {
        text.parse().unwrap()
    }

    #[test]
    fn text_and_position_are_the_same_thing() {
        assert_eq!(position(" 1-5-12, 0-1-270 ").to_string(), "0-1-270,1-5-12");
        assert_eq!(position("").to_string(), "");
        assert_eq!(position("0-1-18446744073709551615").transactions(), u64::MAX);
        for wrong in
            ["0-1", "0-1-2-3", "a-1-2", "0-1-+2", "-1-1-1", "0-1-2,", "4294967296-1-1", "0-1-1,0-2-2", "0-1-1';"]
        {
            assert!(wrong.parse::<Position>().is_err(), "{wrong}");
        }
        assert!("0-1-1,".repeat(2_000).parse::<Position>().is_err());
    }

    #[test]
    fn one_number_by_two_writers_is_not_one_transaction() {
        assert!(position("0-1-7").covers(&position("0-1-7")) && position("0-2-8").covers(&position("0-1-7")));
        assert!(!position("0-2-7").covers(&position("0-1-7")));
        assert!(!position("0-1-7").covers(&position("0-1-7,1-1-1")), "a whole domain is missing");
        assert!(position("0-1-7").covers(&position("")));
    }

    #[test]
    fn a_history_knows_of_a_transaction_that_the_position_hides() {
        let primary: History = "0-1-105".parse().unwrap();
        let standby: History = "0-1-105,0-2-101".parse().unwrap();
        assert_eq!(primary.lacks(&standby), ["0-2-101".parse::<Gtid>().unwrap()]);
        assert_eq!(standby.lacks(&primary), []);
        assert_eq!((standby.newest(0, 2), standby.newest(0, 3)), (Some(101), None));
        assert_eq!(standby.to_string(), "0-1-105,0-2-101");
    }

    fn any_position() -> impl Strategy<Value = Position> {
        prop::collection::btree_map(0_u32..4, (1_u32..3, 1_u64..50), 0..4).prop_map(Position)
    }

    proptest! {
        #[test]
        fn the_merged_one_covers_both_unless_writers_differ(a in any_position(), b in any_position()) {
            let merged = a.merged(&b);
            prop_assert!(merged.covers(&a));
            for gtid in b.gtids() {
                let at = merged.gtids().find(|m| m.domain == gtid.domain).unwrap();
                prop_assert!(at.sequence >= gtid.sequence);
            }
            prop_assert!(merged.transactions() >= a.transactions().max(b.transactions()));
            prop_assert_eq!(merged.to_string().parse::<Position>().unwrap(), merged);
        }

        #[test]
        fn who_covers_has_at_least_as_many_transactions(a in any_position(), b in any_position()) {
            if a.covers(&b) {
                prop_assert!(a.within(&b).transactions() >= b.transactions());
            }
        }
    }
}
