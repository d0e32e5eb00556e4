//! Which keys are trusted: given now, or pinned in the profile at first use.

use std::collections::BTreeMap;

use muster_tlog::{Algorithm, Policy, VerifierKey, verify::Trust};

use super::{KeyArgs, read};
use crate::client::{error::CliError, profile::TrustedLog, session::Session};

/// Where the trust in the log's key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Source {
    Given,
    Pinned,
    /// A promoted log goes on under the key that its readers know, in an epoch with a name of its own.
    Carried,
    FirstUse,
}

impl Source {
    pub(in super::super) fn words(self) -> &'static str {
        match self {
            Self::Given => "by the key that you gave",
            Self::Pinned => "by the key that this profile pinned before",
            Self::Carried => "by the key that this profile pinned in the epoch before",
            Self::FirstUse => {
                "by the key that the server named just now; it is pinned from here on. Compare it with the one that was handed to you"
            }
        }
    }
}

/// Keys and policies from the command line.
pub(in super::super) fn given(args: &KeyArgs) -> Result<Trust, CliError> {
    let trust = Trust::in_keys(keys(&args.keys)?);
    let Some(path) = &args.policy else { return Ok(trust) };
    let text = read("--policy", path)?;
    let policy: Policy = String::from_utf8_lossy(&text)
        .parse()
        .map_err(|error| CliError::Usage(format!("--policy {}: {error}", path.display())))?;
    Ok(trust.with_policy(policy))
}

fn keys(texts: &[String]) -> Result<Vec<VerifierKey>, CliError> {
    let parse = |text: &String| text.parse().map_err(|error| CliError::Usage(format!("--key '{text}': {error}")));
    texts.iter().map(parse).collect()
}

/// The newest pinned key under the name of a later epoch of its log. A log that lost its key has another one there.
fn carried(pinned: &[String], origin: &str) -> Option<String> {
    let newest: VerifierKey = pinned.last()?.parse().ok()?;
    let (log, epoch) = of_epoch(origin)?;
    let (pinned_log, pinned_epoch) = of_epoch(newest.name())?;
    let later = log == pinned_log && epoch > pinned_epoch;
    let key = VerifierKey::new(origin, Algorithm::Ed25519, *newest.public_key()).ok()?;
    later.then(|| key.to_string())
}

fn of_epoch(origin: &str) -> Option<(&str, u32)> {
    let (log, epoch) = origin.rsplit_once('/')?;
    Some((log, epoch.parse().ok()?))
}

/// The name of a pin: tenants of one server have logs of their own.
pub(in super::super) fn pin_name(session: &Session) -> String {
    format!("{} {}", session.server, session.tenant())
}

/// Trust for one origin of a server's log.
pub(in super::super) struct Trusted {
    pub(in super::super) trust: Trust,
    pub(in super::super) source: Source,
    /// The keys to pin when everything was good.
    keys: Vec<String>,
}

impl Trusted {
    /// `offered`: the keys that the server names for this origin; believed at the very first use only.
    pub(in super::super) fn decide(
        args: &KeyArgs,
        known: Option<&TrustedLog>,
        origin: &str,
        offered: &[String],
    ) -> Result<Self, CliError> {
        let from_outside = given(args)?;
        if !from_outside.is_empty() {
            let of_origin = |text: &&String| text.starts_with(&format!("{origin}+"));
            let keys = args.keys.iter().filter(of_origin).cloned().collect();
            return Ok(Self { trust: from_outside, source: Source::Given, keys });
        }
        // Only witnesses were given: the log's own keys are the pinned ones.
        let witnesses = keys(&args.keys)?;
        let pinned = known.map(|known| known.keys.as_slice()).unwrap_or_default();
        let of_origin: Vec<String> =
            pinned.iter().filter(|key| key.starts_with(&format!("{origin}+"))).cloned().collect();
        let (source, log_keys) = if !of_origin.is_empty() {
            (Source::Pinned, of_origin)
        } else if let Some(carried) = carried(pinned, origin).filter(|key| offered.contains(key)) {
            (Source::Carried, vec![carried])
        } else if let Some(other) = pinned.first() {
            return Err(CliError::Failed(format!(
                "the server's log is now '{origin}', and this profile trusts only the key {other}. A new epoch has a new key: \
                 `muster audit log` says why it began. Get its key on another way than from the server, and pass it with --key"
            )));
        } else {
            (Source::FirstUse, offered.to_vec())
        };
        let parsed: Result<Vec<VerifierKey>, _> = log_keys.iter().map(|key| key.parse()).collect();
        let parsed = parsed.map_err(|error: muster_tlog::key::KeyError| {
            CliError::Failed(format!("the server names a key for its log that is none: {error}"))
        })?;
        Ok(Self { trust: Trust::in_keys(parsed.into_iter().chain(witnesses)), source, keys: log_keys })
    }

    /// Keys that follow the trusted ones, as the log has proven.
    #[must_use]
    pub(in super::super) fn with_keys(mut self, keys: impl Iterator<Item = String>) -> Self {
        self.keys.extend(keys);
        self
    }

    /// What is known after a good verification.
    pub(in super::super) fn remember(
        self,
        known: &mut BTreeMap<String, TrustedLog>,
        pin: &str,
        origin: &str,
        checkpoint: &str,
    ) {
        let log = known.entry(pin.to_owned()).or_default();
        for key in self.keys {
            if !log.keys.contains(&key) {
                log.keys.push(key);
            }
        }
        log.checkpoints.insert(origin.to_owned(), checkpoint.to_owned());
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_tlog::{SigningKey, SoftwareKey};

    use super::*;

    fn key(origin: &str, seed: u8) -> String {
        SoftwareKey::from_seed(origin, Algorithm::Ed25519, &[seed; 32]).unwrap().verifier().to_string()
    }

    fn no_args() -> KeyArgs {
        KeyArgs { keys: Vec::new(), policy: None }
    }

    #[test]
    fn the_first_use_pins_and_a_later_other_key_is_not_believed() {
        let (first, other) = (key("a/t/record/1", 1), key("a/t/record/1", 2));
        let trusted = Trusted::decide(&no_args(), None, "a/t/record/1", std::slice::from_ref(&first)).unwrap();
        assert_eq!(trusted.source, Source::FirstUse);
        let mut known = BTreeMap::new();
        trusted.remember(&mut known, "server acme", "a/t/record/1", "note");
        assert_eq!(known["server acme"].keys, [first]);

        let later = Trusted::decide(&no_args(), known.get("server acme"), "a/t/record/1", &[other]).unwrap();
        assert_eq!(later.source, Source::Pinned);
        let (policy, _) = later.trust.policy(None);
        assert_eq!(policy.logs.iter().map(|log| log.key.to_string()).collect::<Vec<_>>(), known["server acme"].keys);
    }

    #[test]
    fn a_new_epoch_needs_its_key_from_outside() {
        let known = TrustedLog { keys: vec![key("a/t/record/1", 1)], ..TrustedLog::default() };
        let new = key("a/t/record/2", 2);
        let offered = [new.clone()];
        let Err(refused) = Trusted::decide(&no_args(), Some(&known), "a/t/record/2", &offered) else {
            unreachable!("an unknown key was believed")
        };
        assert!(refused.to_string().contains("pass it with --key"), "{refused}");
        let args = KeyArgs { keys: vec![new.clone()], policy: None };
        let trusted = Trusted::decide(&args, Some(&known), "a/t/record/2", &offered).unwrap();
        assert_eq!(trusted.source, Source::Given);
        let mut all = [("pin".to_owned(), known)].into();
        trusted.remember(&mut all, "pin", "a/t/record/2", "note");
        assert_eq!(all["pin"].keys.len(), 2);
    }

    #[test]
    fn a_promoted_log_is_believed_under_the_newest_key_that_was_pinned() {
        let (old, newest) = (key("a/t/record/1", 1), key("a/t/record/1", 2));
        let known = TrustedLog { keys: vec![old, newest], ..TrustedLog::default() };
        let decide = |origin: &str, offered: String| Trusted::decide(&no_args(), Some(&known), origin, &[offered]);
        let carried = decide("a/t/record/2", key("a/t/record/2", 2)).unwrap();
        assert_eq!(carried.source, Source::Carried);
        assert_eq!(carried.keys, [key("a/t/record/2", 2)]);
        assert!(decide("a/t/record/2", key("a/t/record/2", 1)).is_err(), "a key that was followed by another");
        assert!(decide("a/t/record/2", key("a/t/record/2", 3)).is_err(), "a key that is new");
        assert!(decide("a/other/record/2", key("a/other/record/2", 2)).is_err(), "the key of another log");
        assert!(decide("a/t/record/0", key("a/t/record/0", 2)).is_err(), "an epoch before");
    }

    #[test]
    fn a_key_that_is_none_is_a_usage_error() {
        let args = KeyArgs { keys: vec!["a/t/record/1+00000000+AQ==".to_owned()], policy: None };
        assert_eq!(given(&args).err().map(|error| error.exit().code()), Some(2));
    }
}
