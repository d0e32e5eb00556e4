//! What only a Patroni block has: the address of each member's REST API, and an account for each of the two doors.

use std::net::IpAddr;

use super::validate::{Finding, shorten};
use crate::pb::inventory::v1::PatroniTarget;
use crate::plan::secret_in_url;

/// Longer than any address that somebody typed.
const MAX_URL: usize = 500;

pub(super) fn validate_patroni(found: &mut Finding, block: &str, target: &PatroniTarget) {
    for (index, node) in target.nodes.iter().enumerate() {
        api_url(found, &format!("{block}.nodes[{index}].apiUrl"), &node.api_url);
    }
    if let [a, b] = target.nodes.as_slice()
        && !a.api_url.is_empty()
        && a.api_url.trim_end_matches('/') == b.api_url.trim_end_matches('/')
    {
        found.fault(
            format!("{block}.nodes[1].apiUrl"),
            "each member is asked itself",
            shorten(&b.api_url),
            "the address of this member",
            "name the member's own address, not a proxy's",
        );
    }
    if target.execute.is_some() && target.database_execute.is_none() {
        found.fault(
            format!("{block}.databaseExecute"),
            "a move is proven by the databases, with an account of theirs",
            "absent",
            "user and passwordRef",
            "add the database's execution account",
        );
    }
    if let (Some(monitor), Some(execute)) = (&target.monitor, &target.database_execute)
        && monitor.user == execute.user
    {
        found.fault(
            format!("{block}.databaseExecute.user"),
            "watching and moving use different accounts",
            &execute.user,
            "another user than monitor",
            "create a second role",
        );
    }
}

fn api_url(found: &mut Finding, field: &str, url: &str) {
    let next = "give the member's address: https://host:8008";
    if secret_in_url(url).is_some() {
        // Not shown: a manifest is kept for ever and read by many.
        return found.fault(
            field,
            "no address holds a secret",
            "(not shown)",
            "no user, password or token",
            "name the account in execute",
        );
    }
    let (encrypted, host) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, host(rest)),
        (None, Some(rest)) => (false, host(rest)),
        (None, None) => (false, None),
    };
    let Some(host) = host.filter(|_| url.len() <= MAX_URL) else {
        return found.fault(field, "the address of the member's REST API", shorten(url), "https://host:8008", next);
    };
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !encrypted && !loopback {
        found.fault(
            field,
            "unencrypted only on the same machine",
            shorten(url),
            "https",
            "use https, with a certificate for that name",
        );
    }
}

/// "db.example:8008/" gives "db.example". Nothing, when it is no plain address.
fn host(rest: &str) -> Option<&str> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    (port_ok && !host.is_empty() && host.len() <= 253 && host.chars().all(plain)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::inventory::v1::{Credential, PatroniNode};

    fn faults(urls: [&str; 2], change: impl Fn(&mut PatroniTarget)) -> Vec<String> {
        let account = |user: &str| Some(Credential { user: user.into(), password_ref: format!("file:{user}") });
        let node = |url: &str| PatroniNode { api_url: url.into(), ..Default::default() };
        let mut target = PatroniTarget {
            nodes: urls.iter().map(|url| node(url)).collect(),
            monitor: account("mon"),
            execute: account("rest"),
            database_execute: account("exec"),
            ..Default::default()
        };
        change(&mut target);
        let mut found = Finding::default();
        validate_patroni(&mut found, "spec.patroni", &target);
        found.faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn addresses_are_https_or_this_machine_each_its_own_and_without_an_account() {
        for good in [
            "https://db.example:8008",
            "https://db.example/",
            "http://127.0.0.1:8008",
            "http://[::1]:8008",
            "http://localhost",
        ] {
            assert!(faults([good, "https://b:8008"], |_| {}).is_empty(), "{good}");
        }
        for bad in [
            "",
            "db.example:8008",
            "ftp://db",
            "http://db.example:8008",
            "https://u:p@db",
            "https://db:0",
            "https://db:x",
            "https:///",
            "https://a b",
            "https://db/patroni",
        ] {
            assert_eq!(faults([bad, "https://b:8008"], |_| {}), ["spec.patroni.nodes[0].apiUrl"], "{bad}");
        }
        assert_eq!(faults(["https://a:8008", "https://a:8008/"], |_| {}), ["spec.patroni.nodes[1].apiUrl"]);
    }

    #[test]
    fn a_cluster_that_can_be_moved_has_an_account_of_its_databases_that_is_not_the_watching_one() {
        let urls = ["https://a:8008", "https://b:8008"];
        assert_eq!(faults(urls, |target| target.database_execute = None), ["spec.patroni.databaseExecute"]);
        assert!(faults(urls, |target| (target.execute, target.database_execute) = (None, None)).is_empty());
        let same = faults(urls, |target| target.database_execute.clone_from(&target.monitor));
        assert_eq!(same, ["spec.patroni.databaseExecute.user"]);
        // The REST API has users of its own: a name that both have is no fault.
        assert!(
            faults(urls, |target| target.execute.as_mut().map_or((), |execute| execute.user = "x".into())).is_empty()
        );
    }
}
