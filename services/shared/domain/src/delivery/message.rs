//! What is told: one message made from one event, in words and as facts. Channels only dress it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::pb::common::v1::{Actor, Environment, LossStatement, Tier};

/// A subject line longer than this is cut by mail programs.
pub const MAX_SUBJECT_BYTES: usize = 200;
/// One text (reason, error, guidance) in a message. With the lists below the whole, as JSON, stays
/// below the 64 KiB that a timer carries.
pub const MAX_TEXT_BYTES: usize = 800;
/// Reasons and facts beyond this are counted, not listed: the page has them all.
pub const MAX_LIST: usize = 8;

/// The kinds of message, as routes and webhooks name them.
pub mod kind {
    pub const RPO_BREACHED: &str = "rpo.breached";
    pub const VISIBILITY_LOST: &str = "visibility.lost";
    pub const REPLICATION_BROKEN: &str = "replication.broken";
    pub const INTEGRITY_VIOLATED: &str = "integrity.violated";
    /// An alert whose kind this version does not know; better told vaguely than not at all.
    pub const ALERT_OPENED: &str = "alert.opened";
    pub const ALERT_RESOLVED: &str = "alert.resolved";
    /// Somebody looks after it; it stays open.
    pub const ALERT_ACKNOWLEDGED: &str = "alert.acknowledged";
    pub const REQUEST_CREATED: &str = "request.created";
    pub const REQUEST_APPROVED: &str = "request.approved";
    pub const REQUEST_REJECTED: &str = "request.rejected";
    pub const REQUEST_WITHDRAWN: &str = "request.withdrawn";
    pub const REQUEST_EXPIRED: &str = "request.expired";
    pub const REQUEST_CONFIRMED: &str = "request.confirmed";
    pub const REQUEST_STARTED: &str = "request.started";
    pub const REQUEST_SUCCEEDED: &str = "request.succeeded";
    pub const REQUEST_FAILED: &str = "request.failed";
    pub const REQUEST_STOPPED: &str = "request.stopped";
    /// Approvals are skipped: when it is asked for, and when it is done.
    pub const REQUEST_BREAK_GLASS: &str = "request.break_glass";
    pub const REQUEST_BREAK_GLASS_REVIEWED: &str = "request.break_glass_reviewed";
    pub const REQUEST_BREAK_GLASS_REVIEW_OVERDUE: &str = "request.break_glass_review_overdue";
    /// Nobody decided in time.
    pub const REQUEST_ESCALATED: &str = "request.escalated";
    pub const REQUEST_CHECK_OVERRIDDEN: &str = "request.check_overridden";
    pub const PLAN_NOTICE: &str = "plan.notice";
    pub const SCHEDULE_UPCOMING: &str = "schedule.upcoming";
    pub const SCHEDULE_DUE: &str = "schedule.due";
    pub const SCHEDULE_REVIEW_DUE: &str = "schedule.review_due";
    pub const SCHEDULE_OPEN_FAILED: &str = "schedule.open_failed";
    pub const SCHEDULE_LAPSED: &str = "schedule.lapsed";
    /// A drill or a review that nobody brought to a success for too long.
    pub const SCHEDULE_OVERDUE: &str = "schedule.overdue";
    /// One approver is asked, and told what became of it: see `personal`. No route asks for them.
    pub const APPROVAL_ASKED: &str = "approval.asked";
    pub const APPROVAL_OUTCOME: &str = "approval.outcome";
    /// Links of messages were tried that do not decide.
    pub const SECURITY_INTENTS_REFUSED: &str = "security.intents_refused";
    /// Another message could not be delivered; told on the other routes.
    pub const DELIVERY_FAILED: &str = "delivery.failed";
    /// Somebody tries a route.
    pub const ROUTE_TEST: &str = "route.test";
    /// The record itself: its log does not fit, its stream was changed, or nobody witnesses it.
    pub const AUDIT_ALARM: &str = "audit.alarm";

    /// All of them, for the documentation and for the check of routes.
    pub const ALL: &[&str] = &[
        RPO_BREACHED,
        VISIBILITY_LOST,
        REPLICATION_BROKEN,
        INTEGRITY_VIOLATED,
        ALERT_OPENED,
        ALERT_RESOLVED,
        ALERT_ACKNOWLEDGED,
        REQUEST_CREATED,
        REQUEST_APPROVED,
        REQUEST_REJECTED,
        REQUEST_WITHDRAWN,
        REQUEST_EXPIRED,
        REQUEST_CONFIRMED,
        REQUEST_STARTED,
        REQUEST_SUCCEEDED,
        REQUEST_FAILED,
        REQUEST_STOPPED,
        REQUEST_BREAK_GLASS,
        REQUEST_BREAK_GLASS_REVIEWED,
        REQUEST_BREAK_GLASS_REVIEW_OVERDUE,
        REQUEST_ESCALATED,
        REQUEST_CHECK_OVERRIDDEN,
        PLAN_NOTICE,
        SCHEDULE_UPCOMING,
        SCHEDULE_DUE,
        SCHEDULE_REVIEW_DUE,
        SCHEDULE_OPEN_FAILED,
        SCHEDULE_LAPSED,
        SCHEDULE_OVERDUE,
        APPROVAL_ASKED,
        APPROVAL_OUTCOME,
        SECURITY_INTENTS_REFUSED,
        DELIVERY_FAILED,
        ROUTE_TEST,
        AUDIT_ALARM,
    ];
}

/// How soon somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    /// Page class: tried again after seconds, not minutes.
    Critical,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Where a message comes from: the event, and its place in the tenant's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub tenant: String,
    pub event_id: Uuid,
    pub sequence: u64,
    pub occurred_at: Timestamp,
}

/// Who asked for a message, as the record names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    pub id: String,
    pub name: String,
    kind: i32,
    roles: Vec<i32>,
}

impl Asker {
    pub fn of(actor: &Actor) -> Self {
        let Actor { id, name, kind, roles } = actor.clone();
        Self { id, name, kind, roles }
    }

    pub fn actor(&self) -> Actor {
        let Self { id, name, kind, roles } = self.clone();
        Actor { id, name, kind, roles }
    }
}

/// One line of a message's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

/// One message. It holds no secret: it is kept in timers and sent to outsiders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub kind: String,
    pub event_id: Uuid,
    pub sequence: u64,
    pub occurred_at: Timestamp,
    pub tenant: String,
    pub severity: Severity,
    pub resource: String,
    pub tier: Tier,
    pub environment: Environment,
    /// Groups that the system is a member of, and whose it is; of a group: its members'. See `belonging`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Empty when it is about no request.
    pub request_id: String,
    /// Empty when it is about no alert.
    pub alert_id: String,
    /// The kind that announced the alert, also in the message of its end.
    #[serde(default)]
    pub alert_kind: String,
    /// The first message about this request or alert; later ones refer to it.
    pub opens_thread: bool,
    pub subject: String,
    /// What happened, in a sentence or two.
    pub summary: String,
    pub reasons: Vec<String>,
    pub facts: Vec<Fact>,
    /// What can be said about missing data, with its limits; empty when it does not apply.
    pub loss: Vec<String>,
    /// What to do now.
    pub next_step: String,
    /// Routes that are told whatever their lists say, and no others. Empty: the routes that ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_routes: Vec<String>,
    /// Where it says what to do about it; of an alert only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub runbook_url: String,
    /// How often the alert was told before: 0 is the first time.
    #[serde(default)]
    pub repetition: u32,
    /// The step of the escalation that tells it; 0: none.
    #[serde(default)]
    pub step: u32,
    /// Somebody tries a route; nothing has happened.
    #[serde(default)]
    pub test: bool,
    /// Of a test: who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Asker>,
    /// What its words are written in: "de". Empty: English.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// The message that told many together: it is that one, or tells its end. Empty: it is about one thing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group_id: String,
    /// The intent whose link the message carries. The link itself is made when it is sent, and kept nowhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub intent_id: String,
}

impl Message {
    /// An empty message about one resource, to be filled by `alert` and `lifecycle`.
    pub fn about(source: &Source, kind: &str, resource: &str, tier: i32, environment: i32) -> Self {
        Self {
            kind: kind.to_owned(),
            event_id: source.event_id,
            sequence: source.sequence,
            occurred_at: source.occurred_at,
            tenant: source.tenant.clone(),
            severity: Severity::Info,
            resource: resource.to_owned(),
            tier: Tier::try_from(tier).unwrap_or(Tier::Unspecified),
            environment: Environment::try_from(environment).unwrap_or(Environment::Unspecified),
            groups: Vec::new(),
            owners: Vec::new(),
            request_id: String::new(),
            alert_id: String::new(),
            alert_kind: String::new(),
            opens_thread: false,
            subject: String::new(),
            summary: String::new(),
            reasons: Vec::new(),
            facts: Vec::new(),
            loss: Vec::new(),
            next_step: String::new(),
            only_routes: Vec::new(),
            runbook_url: String::new(),
            repetition: 0,
            step: 0,
            test: false,
            asked_by: None,
            language: String::new(),
            group_id: String::new(),
            intent_id: String::new(),
        }
    }

    /// Says another severity, in the subject, too.
    pub(crate) fn relabel(&mut self, severity: Severity) {
        let label = |severity: Severity| format!("{}: ", severity.name().to_ascii_uppercase());
        self.subject = self.subject.replacen(&label(self.severity), &label(severity), 1);
        self.severity = severity;
    }

    /// Retried after seconds instead of minutes.
    pub fn is_page_class(&self) -> bool {
        self.severity == Severity::Critical
    }

    /// Messages with the same thread belong together in a mail program.
    pub fn thread(&self) -> Option<String> {
        match (self.request_id.is_empty(), self.alert_id.is_empty()) {
            (false, _) => Some(format!("request {}", self.request_id)),
            (true, false) => Some(format!("alert {}", self.alert_id)),
            (true, true) => None,
        }
    }

    /// Path of the page to open, below the console's address. Login and step-up happen there: no
    /// link decides anything, since mail scanners follow links.
    pub fn console_path(&self) -> String {
        if !self.request_id.is_empty() {
            return format!("/t/{}/requests/{}", self.tenant, self.request_id);
        }
        if !self.resource.is_empty() {
            return format!("/t/{}/resources/{}", self.tenant, self.resource);
        }
        format!("/t/{}", self.tenant)
    }

    /// "orders-db (tier 1, production)"
    pub fn place(&self) -> String {
        format!("{} ({}, {})", self.resource, tier_name(self.tier), environment_name(self.environment))
    }

    pub fn fact(&mut self, name: &str, value: impl Into<String>) {
        let value: String = value.into();
        if !value.is_empty() && self.facts.len() < MAX_LIST {
            self.facts.push(Fact { name: name.to_owned(), value: clip(&value, MAX_TEXT_BYTES) });
        }
    }

    pub(crate) fn set_loss(&mut self, loss: Option<&LossStatement>) {
        self.loss = match loss {
            Some(loss) if !loss.text.is_empty() => {
                let texts = std::iter::once(&loss.text).chain(loss.limits.iter().take(MAX_LIST - 1));
                texts.map(|text| clip(text, MAX_TEXT_BYTES)).collect()
            }
            _ => vec!["No statement about missing data was recorded: completeness cannot be proven.".into()],
        };
    }

    pub fn set_subject(&mut self, subject: &str) {
        self.subject = clip(subject, MAX_SUBJECT_BYTES);
    }

    pub fn set_summary(&mut self, summary: &str) {
        self.summary = clip(summary, MAX_TEXT_BYTES);
    }
}

/// A message that another one was not delivered. It is never made about itself.
pub fn delivery_failed(
    failed: &Message,
    gave_up_event: Uuid,
    route: &str,
    error: &str,
    at: Timestamp,
) -> Option<Message> {
    if failed.kind == kind::DELIVERY_FAILED {
        return None;
    }
    let mut message = failed.clone();
    message.kind = kind::DELIVERY_FAILED.into();
    message.event_id = gave_up_event;
    message.occurred_at = at;
    message.opens_thread = false;
    if !failed.test {
        // Named routes, and one person's above all, were to hear the message itself. That it did not arrive is told to
        // whoever asks for that; of a test, to nobody.
        message.only_routes.clear();
    }
    message.intent_id.clear();
    message.set_subject(&format!("NOT DELIVERED on route {route}: {}", failed.subject));
    message.set_summary(&format!(
        "The message '{}' could not be delivered on route {route} and is not tried again. {}",
        failed.subject, failed.summary
    ));
    message.reasons.insert(0, clip(error, MAX_TEXT_BYTES));
    message.reasons.truncate(MAX_LIST);
    message.next_step = clip(
        &format!("Tell the people behind route {route} another way, then mend the route. {}", failed.next_step),
        MAX_TEXT_BYTES,
    );
    Some(message)
}

/// "tier 1"
pub fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Tier1 => "tier 1",
        Tier::Tier2 => "tier 2",
        Tier::Tier3 => "tier 3",
        Tier::Unspecified => "tier unknown",
    }
}

/// "production"
pub fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Staging => "staging",
        Environment::Test => "test",
        Environment::Development => "development",
        Environment::Unspecified => "environment unknown",
    }
}

/// Control characters and line ends become spaces.
pub fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One line of at most so many bytes, cut at a character, with a sign that something is missing.
pub fn clip(text: &str, max_bytes: usize) -> String {
    const SIGN: char = '…';
    let mut line = one_line(text);
    if line.len() > max_bytes {
        line.truncate(line.floor_char_boundary(max_bytes.saturating_sub(SIGN.len_utf8())));
        line.push(SIGN);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_keeps_characters_whole_and_says_that_it_cut() {
        assert_eq!(clip("äöü", 6), "äöü");
        assert_eq!(clip("äöüß", 7), "äö…");
        assert_eq!(clip("äöüß", 6), "ä…");
        assert_eq!(clip("a\nb", 6), "a b");
    }

    #[test]
    fn a_subject_is_one_line_whatever_was_typed() {
        assert_eq!(one_line("a\r\nBcc: x@y\u{0}\tb"), "a Bcc: x@y b");
    }
}
