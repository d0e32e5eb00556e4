//! What steps do, and what takes them back: complete, allowed, without a secret where people read.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::SignedDuration;

use super::code::Code;
use super::findings::Findings;
use super::secrets::Secrets;
use super::url::{self, Url};
use super::{Judged, Surroundings, condition};
use crate::pb::common::v1::Role;
use crate::pb::plan::v1::{CommandAction, DnsAction, HttpAction, ManualAction, action::Kind};
use crate::time::{duration_from_pb, humane};

/// A resolver that asked just before the switch answers the old address for so long.
const LONGEST_TTL: SignedDuration = SignedDuration::from_secs(60);
const SHORTEST_TTL: SignedDuration = SignedDuration::from_secs(1);
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

pub(super) fn judge(
    found: &mut Findings,
    judged: &Judged<'_>,
    surroundings: &Surroundings<'_>,
    secrets: &mut Secrets<'_>,
) {
    let mut commands_unknown = Vec::new();
    for step in judged.steps() {
        let actions = [("", step.action.as_ref()), ("the undo: ", step.undo.as_ref())];
        for (part, action) in actions.into_iter().filter_map(|(part, action)| Some((part, action?))) {
            let place = Place { step: &step.id, part };
            match &action.kind {
                Some(Kind::Http(http)) => self::http(found, place, http, secrets),
                Some(Kind::Dns(dns)) => self::dns(found, place, dns, secrets),
                Some(Kind::Manual(manual)) => self::manual(found, place, manual),
                Some(Kind::Notify(notify)) if notify.text.trim().is_empty() => found.add(
                    Code::NotifyEmpty,
                    &step.id,
                    "a message says something",
                    &place.of("no text"),
                    "a text",
                    "write what people shall know",
                ),
                Some(Kind::Wait(wait)) => {
                    condition::judge_one(found, judged, &step.id, wait.until.as_ref());
                }
                Some(Kind::Command(command)) => match surroundings.commands {
                    None => commands_unknown.push(step.id.as_str()),
                    Some(allowed) => self::command(found, place, command, allowed),
                },
                Some(Kind::Move(_) | Kind::Notify(_)) | None => {}
            }
        }
    }
    if !commands_unknown.is_empty() {
        found.add(
            Code::NotChecked,
            "",
            "a command is one of the executor's configuration",
            &format!("not known here, for {}", commands_unknown.join(", ")),
            "a name in executor.commands",
            "see that the executor's configuration names them; the run's checks ask before anything is touched",
        );
    }
}

/// Where in the plan something was found.
#[derive(Clone, Copy)]
struct Place<'a> {
    step: &'a str,
    /// Empty, or "the undo: ".
    part: &'a str,
}

impl Place<'_> {
    fn of(&self, value: &str) -> String {
        format!("{}{value}", self.part)
    }
}

fn command(found: &mut Findings, at: Place<'_>, command: &CommandAction, allowed: &std::collections::BTreeSet<String>) {
    if !allowed.contains(&command.name) {
        let names: Vec<&str> = allowed.iter().map(String::as_str).collect();
        found.add(
            Code::CommandUnknown,
            at.step,
            "the executor runs commands of its own configuration and nothing else",
            &at.of(&format!("command {}", command.name)),
            &if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") },
            "use one of these, or have it added to executor.commands",
        );
    }
}

fn manual(found: &mut Findings, at: Place<'_>, manual: &ManualAction) {
    let fault = match manual.role() {
        Role::Unspecified => Some(("no role", "a role that confirms it", "name the role that confirms it")),
        Role::Viewer => Some(("role Viewer, which confirms nothing", "Operator or an approver", "name another role")),
        _ if manual.instructions.trim().is_empty() => {
            Some(("no instructions", "what is to be done, in words", "write what the person does and looks for"))
        }
        _ => None,
    };
    if let Some((value, limit, next)) = fault {
        found.add(
            Code::ManualIncomplete,
            at.step,
            "a person knows what to do, and Muster knows who may say that it is done",
            &at.of(value),
            limit,
            next,
        );
    }
}

fn http(found: &mut Findings, at: Place<'_>, http: &HttpAction, secrets: &mut Secrets<'_>) {
    if !http.method.is_empty() && !METHODS.iter().any(|method| method.eq_ignore_ascii_case(&http.method)) {
        found.add(
            Code::HttpIncomplete,
            at.step,
            "a call has a method",
            &at.of(&format!("method {}", http.method)),
            &format!("{}; POST when none is given", METHODS.join(", ")),
            "use one of these",
        );
    }
    if let Some(status) = http.expect_status.iter().find(|status| !(100..=599).contains(*status)) {
        found.add(
            Code::HttpIncomplete,
            at.step,
            "accepted answers are HTTP status codes",
            &at.of(&status.to_string()),
            "100 to 599",
            "correct `expectStatus`",
        );
    }
    for address in url::both(&http.url, &http.reverse_url) {
        url::judge(found, at.step, Code::HttpIncomplete, at.part, address);
        if let Some(url) = Url::parse(address)
            && !http.token_ref.is_empty()
            && !url.is_private()
        {
            found.add(
                Code::HttpUnencrypted,
                at.step,
                "a token travels encrypted",
                &at.of(&format!("a token over http to {}", url.host)),
                "https, or the same machine",
                "call it over https",
            );
        }
    }
    secrets.must_resolve(found, at.step, &at.of("tokenRef"), &http.token_ref);
}

fn dns(found: &mut Findings, at: Place<'_>, dns: &DnsAction, secrets: &mut Secrets<'_>) {
    if let Some((value, limit)) = incomplete(dns) {
        found.add(
            Code::DnsIncomplete,
            at.step,
            "a record set is named, and has its values for both sites",
            &at.of(&value),
            limit,
            "complete the record",
        );
    } else if same(&dns.from_values, &dns.to_values) {
        found.add(
            Code::DnsSameValues,
            at.step,
            "the record differs between the two sites",
            &at.of(&format!("{} on both sides", dns.to_values.join(", "))),
            "another value for each site",
            "correct `fromValues` or `toValues`, or remove the step",
        );
    }
    let ttl = duration_from_pb(dns.ttl.as_ref());
    // Without one it is a minute, which is what is allowed.
    if let Some(ttl) = ttl.filter(|ttl| *ttl > LONGEST_TTL) {
        found.add(
            Code::DnsTtlTooLong,
            at.step,
            "resolvers keep the old address for the record's TTL",
            &at.of(&format!("ttl {}", humane(ttl))),
            &format!("at most {}", humane(LONGEST_TTL)),
            "lower the TTL, in the zone too and at least one old TTL before a run",
        );
    }
    if dns.key_name.is_empty() && dns.key_ref.is_empty() {
        found.add(
            Code::DnsUnsigned,
            at.step,
            "an update is signed, or anybody who reaches the server can switch the record",
            &at.of("no key"),
            "`keyName` and `keyRef`",
            "let the server ask for a TSIG key that may change this one record, and name it",
        );
    } else if dns.key_name.is_empty() || dns.key_ref.is_empty() {
        found.add(
            Code::DnsIncomplete,
            at.step,
            "a key has a name and a secret",
            &at.of(if dns.key_name.is_empty() { "no `keyName`" } else { "no `keyRef`" }),
            "both",
            "name both",
        );
    }
    secrets.must_resolve(found, at.step, &at.of("keyRef"), &dns.key_ref);
}

/// Value and limit.
fn incomplete(dns: &DnsAction) -> Option<(String, &'static str)> {
    if url::address(&dns.server).is_none() {
        return Some((format!("server {}", dns.server), "host:port"));
    }
    if let Some(other) = dns.secondaries.iter().find(|other| url::address(other).is_none()) {
        return Some((format!("secondary {other}"), "host:port"));
    }
    if dns.zone.trim_matches('.').is_empty() || dns.name.trim_matches('.').is_empty() {
        return Some((format!("zone {}, name {}", dns.zone, dns.name), "both"));
    }
    if !is_within(&dns.name, &dns.zone) {
        return Some((format!("name {} in zone {}", dns.name, dns.zone), "the full name, ending with its zone"));
    }
    if !matches!(dns.r#type.as_str(), "A" | "AAAA" | "CNAME") {
        return Some((format!("type {}", dns.r#type), "A, AAAA or CNAME"));
    }
    if let Some(ttl) = duration_from_pb(dns.ttl.as_ref()).filter(|ttl| *ttl < SHORTEST_TTL) {
        return Some((format!("ttl {}", humane(ttl)), "at least 1 s"));
    }
    for (side, values) in [("fromValues", &dns.from_values), ("toValues", &dns.to_values)] {
        if values.is_empty() {
            return Some((format!("{side}: none"), "the values for that site"));
        }
        if dns.r#type == "CNAME" && values.len() > 1 {
            return Some((format!("{side}: {} names", values.len()), "a CNAME has one value"));
        }
        if let Some(bad) = values.iter().find(|value| !fits(&dns.r#type, value)) {
            return Some((format!("{side}: {bad}"), "IPv4 for A, IPv6 for AAAA, a name for CNAME"));
        }
    }
    None
}

fn is_within(name: &str, zone: &str) -> bool {
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let (name, zone) = (plain(name), plain(zone));
    name == zone || name.strip_suffix(&zone).is_some_and(|rest| rest.ends_with('.'))
}

fn fits(kind: &str, value: &str) -> bool {
    match kind {
        "A" => value.parse::<Ipv4Addr>().is_ok(),
        "AAAA" => value.parse::<Ipv6Addr>().is_ok(),
        _ => {
            let name = value.trim_end_matches('.');
            !name.is_empty()
                && name.len() <= 253
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    }
}

/// The same set, in whatever order and case it is written.
fn same(one: &[String], other: &[String]) -> bool {
    let set = |values: &[String]| -> std::collections::BTreeSet<String> {
        values.iter().map(|value| value.trim_end_matches('.').to_ascii_lowercase()).collect()
    };
    set(one) == set(other)
}

/// "http", "move", as a manifest names it.
pub(super) fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Move(_) => "move",
        Kind::Wait(_) => "wait",
        Kind::Http(_) => "http",
        Kind::Dns(_) => "dns",
        Kind::Command(_) => "command",
        Kind::Notify(_) => "notify",
        Kind::Manual(_) => "manual",
    }
}
