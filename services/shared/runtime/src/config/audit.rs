//! What `[audit]` must be like: wrong here means no evidence, which nobody notices for months.

use std::{path::Path, time::Duration};

use muster_tlog::{Algorithm, VerifierKey};
use url::Url;

use super::{AnchorKind, Audit, AuditAnchor, AuditWitness, validate::Errors, validate::parse_http};

/// It stands in every leaf, and a leaf has room.
const MAX_DOMAIN: usize = 200;
/// Names are parts of file names and of the policy.
const MAX_NAME: usize = 63;
/// A policy holds 64; each is asked for every checkpoint.
const MAX_WITNESSES: usize = 16;
const MAX_ANCHORS: usize = 16;
/// More often would be a load on somebody else's server.
const LEAST_ANCHOR_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn check(audit: &Audit, errors: &mut Errors) {
    check_places(audit, errors);
    check_witnesses(audit, errors);
    if audit.anchors.len() > MAX_ANCHORS {
        errors.add("audit.anchors", &audit.anchors.len().to_string(), &format!("at most {MAX_ANCHORS}"));
    }
    for (i, anchor) in audit.anchors.iter().enumerate() {
        check_anchor(i, anchor, &audit.anchors[..i], errors);
    }
    if audit.witness_patience.is_zero() {
        errors.add("audit.witness_patience", &audit.witness_patience.to_string(), "more than zero");
    }
}

fn check_places(audit: &Audit, errors: &mut Errors) {
    if let Some(domain) = &audit.domain {
        let good = !domain.is_empty()
            && domain.len() <= MAX_DOMAIN
            && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if !good {
            errors.add("audit.domain", &format!("'{domain}'"), "a host name of yours such as audit.example.com");
        }
    }
    if let Some(store) = audit.store.as_ref().filter(|store| !is_store(store)) {
        errors.add("audit.store", &format!("'{store}'"), "an absolute directory or s3://bucket/prefix");
    }
    for (key, path) in [("audit.keys", &audit.keys), ("audit.payload_keys", &audit.payload_keys)] {
        if let Some(path) = path.as_ref().filter(|path| !path.is_absolute()) {
            errors.add(key, &format!("'{}'", path.display()), "an absolute path");
        }
    }
    if audit.store.is_some() != audit.keys.is_some() {
        errors.add(
            "audit.keys",
            if audit.keys.is_some() { "set, without audit.store" } else { "nothing, with audit.store" },
            "both or neither: a log is signed, and a key signs a log",
        );
    }
    // A key beside what it signs is stolen with it.
    if let (Some(store), Some(keys)) = (&audit.store, &audit.keys)
        && (keys.starts_with(store) || Path::new(store).starts_with(keys))
    {
        errors.add(
            "audit.keys",
            &format!("'{}', with store '{store}'", keys.display()),
            "a directory outside the store",
        );
    }
    if audit.store.is_none() && !(audit.witnesses.is_empty() && audit.anchors.is_empty()) {
        errors.add("audit.store", "nothing, with witnesses or anchors", "where the log is kept that they are for");
    }
}

fn is_store(text: &str) -> bool {
    match text.strip_prefix("s3://") {
        Some(_) => {
            Url::parse(text).is_ok_and(|url| url.has_host() && url.query().is_none() && url.username().is_empty())
        }
        None => Path::new(text).is_absolute(),
    }
}

fn check_witnesses(audit: &Audit, errors: &mut Errors) {
    if audit.witnesses.len() > MAX_WITNESSES {
        errors.add("audit.witnesses", &audit.witnesses.len().to_string(), &format!("at most {MAX_WITNESSES}"));
    }
    for (i, witness) in audit.witnesses.iter().enumerate() {
        check_witness(i, witness, &audit.witnesses[..i], errors);
    }
    if audit.quorum > audit.witnesses.len() {
        let met = format!("{}, of {} witnesses", audit.quorum, audit.witnesses.len());
        errors.add("audit.quorum", &met, "at most as many as there are witnesses");
    }
    if audit.quorum == 0 && !audit.witnesses.is_empty() {
        errors.add("audit.quorum", "0, with witnesses", "at least 1: else nobody need cosign, and they show nothing");
    }
}

fn check_witness(i: usize, witness: &AuditWitness, before: &[AuditWitness], errors: &mut Errors) {
    let at = |key: &str| format!("audit.witnesses.{i}.{key}");
    check_name(&at("name"), &witness.name, before.iter().map(|one| one.name.as_str()), errors);
    if ["none", "quorum"].contains(&witness.name.as_str()) {
        errors.add(&at("name"), &witness.name, "another name: this one has a meaning in policies");
    }
    if parse_http(&witness.url).is_none() {
        errors.add(&at("url"), &witness.url, "an http or https URL with a host");
    }
    match witness.verifier_key.parse::<VerifierKey>() {
        Ok(key) if key.algorithm() != Algorithm::CosignatureV1 => {
            errors.add(&at("verifier_key"), &witness.verifier_key, "the key of a witness, not of a log");
        }
        Ok(_) if before.iter().any(|one| one.verifier_key == witness.verifier_key) => {
            errors.add(&at("verifier_key"), &witness.verifier_key, "each witness once: one key is one voice");
        }
        Ok(_) => {}
        Err(error) => errors.add(&at("verifier_key"), &witness.verifier_key, &error.to_string()),
    }
}

fn check_anchor(i: usize, anchor: &AuditAnchor, before: &[AuditAnchor], errors: &mut Errors) {
    let at = |key: &str| format!("audit.anchors.{i}.{key}");
    check_name(&at("name"), &anchor.name, before.iter().map(|one| one.name.as_str()), errors);
    let (fits, allowed) = match anchor.kind {
        AnchorKind::Store => (is_store(&anchor.location), "an absolute directory or s3://bucket/prefix"),
        AnchorKind::Rfc3161 => (parse_http(&anchor.location).is_some(), "the http or https URL of the authority"),
        AnchorKind::Git => (Path::new(&anchor.location).is_absolute(), "the absolute path of a repository"),
    };
    if !fits {
        errors.add(&at("location"), &format!("'{}'", anchor.location), allowed);
    }
    if *anchor.every < LEAST_ANCHOR_INTERVAL {
        errors.add(&at("every"), &anchor.every.to_string(), "at least 1s");
    }
}

fn check_name<'n>(key: &str, name: &str, mut before: impl Iterator<Item = &'n str>, errors: &mut Errors) {
    let good = !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !good {
        errors.add(key, &format!("'{name}'"), "1 to 63 of a-z, 0-9 and '-'");
    }
    if before.any(|one| one == name) {
        errors.add(key, name, "each name once");
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Config;

    /// The keys that are complained of.
    fn complaints(change: impl FnOnce(&mut Audit)) -> Vec<String> {
        let mut config = Config::default();
        config.audit.store = Some("/srv/muster/log".into());
        config.audit.keys = Some("/srv/muster/keys".into());
        change(&mut config.audit);
        config
            .validate()
            .err()
            .map(|errors| errors.0.iter().map(|error| error.key.clone()).collect())
            .unwrap_or_default()
    }

    fn witness(name: &str, byte: u8) -> AuditWitness {
        let key = VerifierKey::new("witness.example", Algorithm::CosignatureV1, [byte; 32]);
        AuditWitness {
            name: name.into(),
            url: "https://witness.example".into(),
            verifier_key: key.map(|key| key.to_string()).unwrap_or_default(),
        }
    }

    #[test]
    fn a_log_has_a_place_and_a_key_apart_from_it() {
        assert_eq!(complaints(|_| {}), [] as [&str; 0]);
        assert_eq!(complaints(|audit| audit.store = Some("s3://bucket/muster".into())), [] as [&str; 0]);
        assert_eq!(complaints(|audit| audit.keys = None), ["audit.keys"]);
        assert_eq!(complaints(|audit| audit.store = None), ["audit.keys"]);
        assert_eq!(complaints(|audit| audit.store = Some("log".into())), ["audit.store"]);
        assert_eq!(complaints(|audit| audit.store = Some("s3:///prefix".into())), ["audit.store"]);
        assert_eq!(complaints(|audit| audit.keys = Some(PathBuf::from("/srv/muster/log/keys"))), ["audit.keys"]);
        for domain in ["", "a b", "a+b", "a/b"] {
            assert_eq!(complaints(|audit| audit.domain = Some(domain.into())), ["audit.domain"], "{domain}");
        }
    }

    #[test]
    fn a_quorum_can_be_reached_and_means_something() {
        let with = |quorum, witnesses: Vec<AuditWitness>| {
            complaints(|audit| (audit.quorum, audit.witnesses) = (quorum, witnesses))
        };
        assert_eq!(with(1, vec![witness("customer", 1), witness("auditor", 2)]), [] as [&str; 0]);
        assert_eq!(with(2, vec![witness("customer", 1)]), ["audit.quorum"]);
        assert_eq!(with(0, vec![witness("customer", 1)]), ["audit.quorum"]);
        assert_eq!(with(2, vec![witness("a", 1), witness("b", 1)]), ["audit.witnesses.1.verifier_key"]);
        assert_eq!(with(2, vec![witness("a", 1), witness("a", 2)]), ["audit.witnesses.1.name"]);
        assert_eq!(with(1, vec![witness("quorum", 1)]), ["audit.witnesses.0.name"]);
        assert_eq!(with(1, vec![AuditWitness { url: "witness".into(), ..witness("a", 1) }]), ["audit.witnesses.0.url"]);
    }

    #[test]
    fn an_anchor_is_where_its_kind_can_be() {
        let anchor = |kind, location: &str| AuditAnchor {
            name: "worm".into(),
            kind,
            location: location.into(),
            ..AuditAnchor::default()
        };
        let with = |anchor| complaints(|audit| audit.anchors = vec![anchor]);
        assert_eq!(with(anchor(AnchorKind::Store, "/mnt/worm")), [] as [&str; 0]);
        assert_eq!(with(anchor(AnchorKind::Rfc3161, "/mnt/worm")), ["audit.anchors.0.location"]);
        assert_eq!(with(anchor(AnchorKind::Git, "relative.git")), ["audit.anchors.0.location"]);
    }
}
