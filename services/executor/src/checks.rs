//! The executor's own prechecks, beside the platform's: is this run what people approved, now, and alone.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Refusal,
    pb::{
        execution::v1::{Check, CheckOutcome},
        inventory::v1::Document,
        request::v1::RequestOpened,
    },
    refusal::describe,
    request::{self, Request},
    time::{from_pb, humane},
};

/// A confirmation is a "now". One that nobody acted on for longer (no executor was there) is not acted on any more.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(15);

pub(crate) fn approvals(request: &Request) -> Check {
    let found =
        request::proven(request).map(|(_, confirmed)| format!("{} approvals, phrase typed", confirmed.approvals.len()));
    judge("approvals_are_complete", "every approval of the policy", found)
}

pub(crate) fn resource(opened: &RequestOpened, newest: Option<&Document>) -> Check {
    let version = format!("version {}", opened.resource_version);
    judge("resource_is_as_approved", &version.clone(), request::unchanged(opened, newest).map(|()| version))
}

pub(crate) fn reservation(reserved: Result<(), Refusal>) -> Check {
    judge("resource_is_free", "no other run", reserved.map(|()| "reserved for this run".to_owned()))
}

pub(crate) fn confirmation(request: &Request, now: Timestamp) -> Check {
    let confirmed = request.view.confirmed.as_ref().and_then(|confirmed| from_pb(confirmed.confirmed_at.as_ref()));
    let age = confirmed.map(|at| now.duration_since(at));
    let check = Check {
        name: "confirmation_is_fresh".into(),
        limit: format!("at most {}", humane(FRESH_FOR)),
        ..Check::default()
    };
    match age {
        Some(age) if age <= FRESH_FOR => Check {
            outcome: CheckOutcome::Passed.into(),
            value: humane(age),
            text: "it was confirmed just now".into(),
            ..check
        },
        Some(age) => Check {
            outcome: CheckOutcome::Failed.into(),
            value: humane(age),
            text: "no executor was there to begin it in time, and things may have changed since: open a new request"
                .into(),
            ..check
        },
        None => Check {
            outcome: CheckOutcome::Unknown.into(),
            text: "the log does not say when it was confirmed".into(),
            ..check
        },
    }
}

fn judge(name: &str, limit: &str, found: Result<String, Refusal>) -> Check {
    let (outcome, value, text) = match found {
        Ok(value) => (CheckOutcome::Passed, value, "as it must be".to_owned()),
        Err(refusal) => (CheckOutcome::Failed, refusal.value.clone(), describe(&refusal)),
    };
    Check { name: name.into(), outcome: outcome.into(), value, limit: limit.into(), text, ..Check::default() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::{pb::request::v1::RequestConfirmed, time::to_pb};

    use super::*;

    #[test]
    fn yesterdays_confirmation_starts_nothing_today() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let confirmed_ago = |ago: SignedDuration| {
            let mut request = Request::default();
            request.view.confirmed =
                Some(RequestConfirmed { confirmed_at: Some(to_pb(now - ago)), ..Default::default() });
            confirmation(&request, now).outcome()
        };
        assert_eq!(confirmed_ago(SignedDuration::from_secs(2)), CheckOutcome::Passed);
        assert_eq!(confirmed_ago(FRESH_FOR + SignedDuration::from_secs(1)), CheckOutcome::Failed);
        assert_eq!(confirmation(&Request::default(), now).outcome(), CheckOutcome::Unknown);
    }
}
