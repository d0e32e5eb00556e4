//! Who decided what, when, and on what they saw.

use muster_domain::{
    access::role_name,
    pb::{
        audit::v1::AuditRecord,
        common::v1::Role,
        request::v1::{RequestEvent, request_event::Event},
    },
};

use super::{
    make::{name, time},
    model::Decision,
};

/// The request's own events, but for its opening.
pub(super) fn of(records: &[AuditRecord]) -> Vec<Decision> {
    let of_request = records.iter().filter(|record| record.r#type.starts_with("request."));
    of_request.filter_map(decision).collect()
}

fn decision(record: &AuditRecord) -> Option<Decision> {
    let event: RequestEvent = serde_json::from_str(&record.payload_json).ok()?;
    let role = |role: Role| role_name(role).to_owned();
    let said = match event.event? {
        Event::Opened(_) => return None,
        Event::Approved(e) => Decision {
            role: role(e.as_role()),
            what: if e.completes { "approved, the last that was needed".to_owned() } else { "approved".to_owned() },
            text: e.note,
            on_behalf_of: name(e.on_behalf_of.as_ref()),
            plan_hash: e.plan_hash,
            ..Decision::default()
        },
        Event::Denied(e) => plain("rejected", e.reason.clone(), role(e.as_role())),
        Event::Withdrawn(e) => plain("withdrew it", e.reason, String::new()),
        Event::Expired(e) => plain("expired", e.note, String::new()),
        Event::Confirmed(e) => {
            let what = if e.break_glass { "started it by break-glass" } else { "started it" };
            let missing =
                if e.missing.is_empty() { String::new() } else { format!("; missing: {}", e.missing.join(", ")) };
            let freeze = if e.freeze.is_empty() { String::new() } else { format!("; in a freeze: {}", e.freeze) };
            plain(what, format!("typed '{}'{missing}{freeze}", e.phrase), String::new())
        }
        Event::CheckOverridden(e) => {
            let of = if e.resource.is_empty() { String::new() } else { format!(" of {}", e.resource) };
            let role = role(e.as_role());
            plain("took the responsibility for a check", format!("{}{of}: {}", e.check, e.reason), role)
        }
        Event::Escalated(e) => plain(
            "escalated",
            format!("stage {}, missing {}, told {}", e.stage, e.missing.join(", "), e.routes.join(", ")),
            String::new(),
        ),
        Event::BreakGlassReviewed(e) => {
            let what = if e.justified {
                "reviewed the break-glass: justified"
            } else {
                "reviewed the break-glass: not justified"
            };
            plain(what, e.findings, String::new())
        }
        Event::BreakGlassReviewOverdue(e) => {
            plain("review overdue", time(e.due.as_ref()).unwrap_or_default(), String::new())
        }
        Event::BreakGlassLapsed(_) => plain("the break-glass lapsed unused", String::new(), String::new()),
    };
    let actor = record.actor.clone().unwrap_or_default();
    Some(Decision {
        at: time(record.time.as_ref()),
        who: name(record.actor.as_ref()),
        who_id: actor.id,
        sequence: record.sequence,
        ..said
    })
}

fn plain(what: &str, text: String, role: String) -> Decision {
    Decision { what: what.to_owned(), text, role, ..Decision::default() }
}
