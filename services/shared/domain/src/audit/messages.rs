//! Auditor's columns of alerts that were answered for, chat accounts, intents and schedules.

use super::describe::{Description, outcome};
use crate::pb::{
    common::v1::Refusal,
    notification::v1::{ChatBindingEvent, EscalationEvent, chat_binding_event, escalation_event},
    request::v1::{IntentEvent, intent_event},
    schedule::v1::{ScheduleEvent, schedule_event},
};
use crate::refusal;

pub(super) fn escalation(event: &EscalationEvent) -> Option<Description> {
    use escalation_event::Event;
    Some(match event.event.as_ref()? {
        Event::Started(started) => Description {
            resource: started.resource.clone(),
            policy: started.rule_source.clone(),
            ..outcome("started", &started.message_kind)
        },
        Event::Stepped(stepped) => {
            let told = format!("step {}: {}", stepped.step, stepped.routes.join(", "));
            outcome("escalated", if stepped.reason.is_empty() { told } else { format!("{told}: {}", stepped.reason) })
        }
        Event::Renotified(again) => outcome("told again", format!("the {}. time", again.repetition)),
        Event::Acknowledged(acknowledged) => {
            outcome("acknowledged", format!("by {}: {}", acknowledged.via, acknowledged.note))
        }
        Event::Silenced(silenced) => outcome("silenced", &silenced.reason),
        Event::Ended(ended) => outcome("ended", &ended.because),
    })
}

pub(super) fn chat_binding(event: &ChatBindingEvent) -> Option<Description> {
    use chat_binding_event::Event;
    Some(match event.event.as_ref()? {
        Event::Asked(asked) => outcome("asked", format!("{} {} {}", asked.channel, asked.team, asked.user)),
        Event::Bound(_) => outcome("bound", ""),
        Event::Unbound(_) => outcome("unbound", ""),
    })
}

pub(super) fn intent(event: &IntentEvent) -> Option<Description> {
    use intent_event::Event;
    Some(match event.event.as_ref()? {
        Event::Issued(issued) => Description {
            request_id: issued.request_id.clone(),
            ..outcome("issued", format!("to {} by {}", issued.person, issued.channel))
        },
        Event::Used(used) => {
            Description { request_id: used.request_id.clone(), ..outcome("used", used.decision().as_str_name()) }
        }
        Event::Refused(refused) => Description {
            request_id: refused.request_id.clone(),
            ..outcome("refused", refused.refusal.as_ref().map(why).unwrap_or_default())
        },
    })
}

pub(super) fn schedule(event: &ScheduleEvent) -> Option<Description> {
    use schedule_event::Event;
    Some(match event.event.as_ref()? {
        Event::Noticed(noticed) => Description {
            resource: noticed.resource.clone(),
            ..outcome("noticed", format!("{} {} before", noticed.what, noticed.before))
        },
        Event::Fired(fired) => Description {
            resource: fired.resource.clone(),
            request_id: fired.request_id.clone(),
            ..outcome(if fired.late { "fired late" } else { "fired" }, &fired.late_because)
        },
        Event::Skipped(skipped) => outcome("skipped", &skipped.because),
        Event::Lapsed(lapsed) => {
            Description { request_id: lapsed.request_id.clone(), ..outcome("lapsed", &lapsed.because) }
        }
        Event::Succeeded(done) => Description { request_id: done.request_id.clone(), ..outcome("succeeded", "") },
        Event::Overdue(overdue) => {
            Description { resource: overdue.resource.clone(), ..outcome("overdue", &overdue.what) }
        }
        Event::Reviewed(reviewed) => outcome("reviewed", &reviewed.findings),
        Event::OpenFailed(failed) => outcome("not opened", failed.refusal.as_ref().map(why).unwrap_or_default()),
    })
}

fn why(refused: &Refusal) -> String {
    format!("{}: {}", refused.code, refusal::describe(refused))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;
    use crate::pb::request::v1::{IntentRefused, IntentUsed};

    #[test]
    fn a_link_that_was_used_or_refused_is_found_by_its_request() {
        use intent_event::Event;
        let request_id = String::from("r-1");
        for event in [
            Event::Used(IntentUsed { request_id: request_id.clone(), ..Default::default() }),
            Event::Refused(IntentRefused { request_id: request_id.clone(), ..Default::default() }),
        ] {
            assert_eq!(intent(&IntentEvent { event: Some(event) }).unwrap().request_id, request_id);
        }
    }
}
