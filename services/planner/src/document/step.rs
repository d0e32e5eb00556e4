//! One step in words, with the commands that do the same by hand.

use muster_domain::access::role_name;
use muster_domain::pb::plan::v1::{
    Action, Condition, DnsAction, FailurePolicy, HttpAction, HttpProbe, PlanStep, action, condition,
};
use muster_domain::plan::{Direction, reversed, undo_of};
use muster_domain::time::{duration_from_pb, humane};
use serde::Serialize;

/// When the plan does not say.
const DEFAULT_TTL_SECONDS: i64 = 60;

/// As the templates show it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StepPage {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) owner: String,
    pub(crate) after: Vec<String>,
    pub(crate) timeout: String,
    pub(crate) idempotent: bool,
    pub(crate) on_failure: &'static str,
    pub(crate) only_for: Vec<String>,
    /// What it does, from `from_site` to `to_site`.
    pub(crate) forth: Work,
    /// The same the other way round. Absent: it is the same.
    pub(crate) back: Option<Work>,
    pub(crate) undo: Option<Work>,
    pub(crate) no_undo_because: String,
    pub(crate) before: Vec<String>,
    pub(crate) afterwards: Vec<String>,
    /// The resource that is moved.
    pub(crate) moves: String,
}

/// What is done, and how a person does it with a shell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Work {
    pub(crate) text: String,
    pub(crate) commands: Vec<String>,
}

impl StepPage {
    pub(crate) fn new(step: &PlanStep) -> Self {
        let forth = work(step.action.as_ref());
        let back = work(reversed(step).action.as_ref());
        Self {
            id: step.id.clone(),
            title: if step.title.is_empty() { step.id.clone() } else { step.title.clone() },
            owner: step.owner.clone(),
            after: step.after.clone(),
            timeout: duration_from_pb(step.timeout.as_ref()).map(humane).unwrap_or_default(),
            idempotent: step.idempotent,
            on_failure: on_failure(step.on_failure()),
            only_for: step.only_for.clone(),
            back: (back != forth).then_some(back),
            forth,
            undo: undo_of(step, Direction::AsWritten).map(|undo| work(Some(&undo))),
            no_undo_because: step.no_undo_because.clone(),
            before: step.prechecks.iter().map(condition_text).collect(),
            afterwards: step.postchecks.iter().map(condition_text).collect(),
            moves: match step.action.as_ref().and_then(|action| action.kind.as_ref()) {
                Some(action::Kind::Move(to_move)) => to_move.resource.clone(),
                _ => String::new(),
            },
        }
    }
}

fn on_failure(policy: FailurePolicy) -> &'static str {
    match policy {
        FailurePolicy::Continue => "it is noted, and the rest goes on",
        FailurePolicy::Undo => "what was done is taken back, newest first, where that is safe",
        FailurePolicy::Stop | FailurePolicy::Unspecified => "nothing new begins",
    }
}

fn work(action: Option<&Action>) -> Work {
    let Some(kind) = action.and_then(|action| action.kind.as_ref()) else {
        return Work { text: "nothing".to_owned(), commands: Vec::new() };
    };
    let (text, commands) = match kind {
        action::Kind::Move(to_move) => (format!("Move {}", to_move.resource), Vec::new()),
        action::Kind::Wait(wait) => {
            let until = wait.until.as_ref();
            let text = until.map_or_else(|| "nothing".to_owned(), condition_text);
            (format!("Wait until: {text}"), until.into_iter().flat_map(condition_commands).collect())
        }
        action::Kind::Http(call) => (format!("Call {} {}", call.method, call.url), vec![curl(call)]),
        action::Kind::Dns(change) => (dns_text(change), vec![nsupdate(change)]),
        action::Kind::Command(command) => (
            format!("Run the command '{}' of the executor's configuration", command.name),
            vec![
                std::iter::once(&command.name)
                    .chain(&command.arguments)
                    .map(|word| quoted(word))
                    .collect::<Vec<_>>()
                    .join(" "),
            ],
        ),
        action::Kind::Notify(notify) => (format!("Tell everybody: {}", notify.text), Vec::new()),
        action::Kind::Manual(manual) => (format!("{}: {}", role_name(manual.role()), manual.instructions), Vec::new()),
    };
    Work { text, commands }
}

/// "the answer of https://… is 200 and contains 'ok'"
fn condition_text(condition: &Condition) -> String {
    let what = match &condition.kind {
        Some(condition::Kind::Http(probe)) => {
            let body = if probe.expect_body.is_empty() {
                String::new()
            } else {
                format!(" and contains '{}'", probe.expect_body)
            };
            format!("{} answers {}{body}", probe.url, statuses(&probe.expect_status))
        }
        Some(condition::Kind::Tcp(probe)) => format!("{} accepts a connection", probe.address),
        Some(condition::Kind::Dns(probe)) => {
            format!("{} answers {} {} with {}", probe.server, probe.name, probe.r#type, probe.values.join(", "))
        }
        Some(condition::Kind::Resource(asked)) => {
            let wishes = [(asked.at_target, "runs at the target"), (asked.protected, "is protected again")];
            let wishes: Vec<&str> = wishes.into_iter().filter_map(|(asked, text)| asked.then_some(text)).collect();
            format!("{} {}", asked.resource, wishes.join(" and "))
        }
        Some(condition::Kind::Sql(asked)) => format!("{} answers {} to: {}", asked.resource, asked.expect, asked.query),
        None => "nothing".to_owned(),
    };
    if condition.text.is_empty() { what } else { format!("{} ({what})", condition.text) }
}

fn statuses(expected: &[u32]) -> String {
    if expected.is_empty() {
        return "200 to 299".to_owned();
    }
    expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn condition_commands(condition: &Condition) -> Vec<String> {
    match &condition.kind {
        Some(condition::Kind::Http(HttpProbe { url, .. })) => vec![format!("curl -sS -i {}", quoted(url))],
        Some(condition::Kind::Dns(probe)) => {
            let (host, port) = probe.server.rsplit_once(':').unwrap_or((&probe.server, "53"));
            vec![format!(
                "dig @{} -p {} {} {} +short",
                quoted(host),
                quoted(port),
                quoted(&probe.name),
                quoted(&probe.r#type)
            )]
        }
        _ => Vec::new(),
    }
}

fn curl(call: &HttpAction) -> String {
    let mut words = vec!["curl -sS -i -X".to_owned(), quoted(&call.method)];
    if !call.content_type.is_empty() {
        words.push(format!("-H {}", quoted(&format!("Content-Type: {}", call.content_type))));
    }
    if !call.token_ref.is_empty() {
        // The secret stays where it is: the card names the place.
        words.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
    }
    if !call.body.is_empty() {
        words.push(format!("--data {}", quoted(&call.body)));
    }
    words.push(quoted(&call.url));
    let command = words.join(" ");
    if call.token_ref.is_empty() {
        command
    } else {
        format!("# TOKEN: the secret {}\n{command}", one_line(&call.token_ref))
    }
}

fn dns_text(change: &DnsAction) -> String {
    format!(
        "Switch {} {} from {} to {}, at {}",
        change.name,
        change.r#type,
        change.from_values.join(", "),
        change.to_values.join(", "),
        change.server
    )
}

fn nsupdate(change: &DnsAction) -> String {
    let ttl = duration_from_pb(change.ttl.as_ref()).map_or(DEFAULT_TTL_SECONDS, |ttl| ttl.as_secs());
    let (host, port) = change.server.rsplit_once(':').unwrap_or((&change.server, "53"));
    let record = one_line(&format!("{} {}", change.name, change.r#type));
    let mut lines = Vec::new();
    let mut key = String::new();
    if !change.key_ref.is_empty() {
        lines.push(one_line(&format!("# KEY: the secret {}", change.key_ref)));
        key = format!(" -y hmac-sha256:{}:$KEY", quoted(&change.key_name));
    }
    lines.push(format!("nsupdate{key} <<'END'"));
    lines.push(one_line(&format!("server {host} {port}")));
    lines.push(one_line(&format!("zone {}", change.zone)));
    lines.extend(change.from_values.iter().map(|value| format!("prereq yxrrset {record} {}", one_line(value))));
    lines.push(format!("update delete {record}"));
    let (name, kind) = (one_line(&change.name), one_line(&change.r#type));
    lines.extend(change.to_values.iter().map(|value| format!("update add {name} {ttl} {kind} {}", one_line(value))));
    lines.push("send".to_owned());
    lines.push("END".to_owned());
    lines.join("\n")
}

/// Without what would begin another line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// One word of a shell, whatever it holds.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
