//! What must hold before and after a step: can be asked, and is about the plan's own systems.

use super::code::Code;
use super::findings::Findings;
use super::placement::speaks_sql;
use super::{Judged, url};
use crate::pb::plan::v1::{Condition, SqlCondition, condition::Kind};

pub(super) fn judge(found: &mut Findings, judged: &Judged<'_>) {
    for step in judged.steps() {
        for condition in step.prechecks.iter().chain(&step.postchecks) {
            judge_one(found, judged, &step.id, Some(condition));
        }
    }
}

/// `None`: a wait that does not say for what.
pub(super) fn judge_one(found: &mut Findings, judged: &Judged<'_>, step: &str, condition: Option<&Condition>) {
    match condition.and_then(|condition| condition.kind.as_ref()) {
        None => incomplete(found, step, "nothing to ask", "one of http, tcp, dns, resource, sql"),
        Some(Kind::Http(probe)) => {
            for address in url::both(&probe.url, &probe.reverse_url) {
                url::judge(found, step, Code::ConditionIncomplete, "", address);
            }
            if let Some(status) = probe.expect_status.iter().find(|status| !(100..=599).contains(*status)) {
                incomplete(found, step, &format!("expectStatus {status}"), "100 to 599");
            }
        }
        Some(Kind::Tcp(probe)) => {
            let mut addresses = url::both(&probe.address, &probe.reverse_address);
            if let Some(bad) = addresses.find(|address| url::address(address).is_none()) {
                incomplete(found, step, &format!("address {bad}"), "host:port");
            }
        }
        Some(Kind::Dns(probe)) => {
            if url::address(&probe.server).is_none() {
                incomplete(found, step, &format!("server {}", probe.server), "host:port");
            } else if probe.name.is_empty() || !matches!(probe.r#type.as_str(), "A" | "AAAA" | "CNAME") {
                incomplete(found, step, &format!("{} {}", probe.r#type, probe.name), "a name with A, AAAA or CNAME");
            } else if probe.values.is_empty() {
                incomplete(found, step, "no values", "the values that are expected");
            }
        }
        Some(Kind::Resource(about)) => {
            must_be_member(found, judged, step, &about.resource);
            if !about.at_target && !about.protected {
                incomplete(found, step, "neither atTarget nor protected", "at least one of the two");
            }
        }
        Some(Kind::Sql(question)) => {
            must_be_member(found, judged, step, &question.resource);
            sql(found, judged, step, question);
        }
    }
}

fn sql(found: &mut Findings, judged: &Judged<'_>, step: &str, question: &SqlCondition) {
    let query = question.query.trim().trim_end_matches(';');
    let first: String = query.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    if !matches!(first.as_str(), "select" | "with" | "values" | "table") || query.contains(';') {
        incomplete(found, step, &format!("query {query}"), "one statement that only reads, beginning with SELECT");
    } else if question.expect.is_empty() {
        incomplete(found, step, "no expected answer", "the answer as text");
    }
    let member = judged.scope.as_ref().and_then(|scope| scope.member(&question.resource));
    if let Some(member) = member.filter(|member| !speaks_sql(member.spec)) {
        found.add(
            Code::CannotAct,
            step,
            "a question is asked in a language that the system speaks",
            &format!("SQL to {}", member.document.name),
            "SQL to PostgreSQL and MariaDB",
            "ask with http, tcp or resource",
        );
    }
}

fn must_be_member(found: &mut Findings, judged: &Judged<'_>, step: &str, resource: &str) {
    let Some(scope) = &judged.scope else { return };
    if scope.member(resource).is_none() {
        found.add(
            Code::ConditionOutOfScope,
            step,
            "conditions ask the systems of the plan, whose versions approvals bind to",
            if resource.is_empty() { "no resource" } else { resource },
            &scope.member_names(),
            "correct the resource, add it to the group, or ask by http or tcp",
        );
    }
}

fn incomplete(found: &mut Findings, step: &str, value: &str, limit: &str) {
    found.add(
        Code::ConditionIncomplete,
        step,
        "a condition can be asked and has an answer that counts as yes",
        value,
        limit,
        "complete the condition",
    );
}
