//! A login made for one decision: what counts as one, and where an approval takes one.

use jiff::{SignedDuration, Timestamp};

use crate::pb::request::v1::ApprovalPolicy;
use crate::refusal::{Refusal, refusal};

/// A login older than this does not count as one made for this decision.
pub const FRESH_LOGIN: SignedDuration = SignedDuration::from_mins(5);
/// Clocks of identity providers may be ahead of ours by so much.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How somebody logged in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Login {
    /// As the identity provider says; `None`: it does not say.
    pub at: Option<Timestamp>,
    /// The provider says that a second factor was shown.
    pub second_factor: bool,
}

impl Login {
    /// Made for this decision, with more than a password.
    pub fn is_step_up(&self, now: Timestamp) -> bool {
        self.second_factor && self.at.is_some_and(|at| at <= now + CLOCK_SKEW && now.duration_since(at) <= FRESH_LOGIN)
    }

    /// What is known of it, for whoever is refused.
    pub(super) fn words(&self, now: Timestamp) -> String {
        match self.at {
            None => "the identity provider does not say when you logged in".to_owned(),
            Some(at) if self.second_factor => format!("logged in {} s ago", now.duration_since(at).as_secs()),
            Some(_) => "no second factor".to_owned(),
        }
    }
}

/// "a second factor, at most 5 min ago"
pub(super) fn fresh_words() -> String {
    format!("a second factor, at most {} min ago", FRESH_LOGIN.as_mins())
}

/// Where the policy asks for it, an approval takes a login made for it, by whichever way it comes. Gives back when that
/// login was, for the record.
///
/// A denial takes none: whoever can stop a move in the last second should not look for a second factor first.
pub(super) fn step_up(policy: &ApprovalPolicy, login: Login, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    if !policy.step_up {
        return Ok(None);
    }
    if login.is_step_up(now) {
        return Ok(login.at);
    }
    Err(refusal(
        "APPROVAL_STEP_UP_NEEDED",
        "the policy asks for a login made for this approval, with a second factor",
        login.words(now),
        fresh_words(),
        "log in again, on the page with \"Log in again\", by command line with `muster login --step-up`, then approve",
    ))
}

/// What the log says of an approval's login: it was made when the approval was, as [`step_up`] asks.
pub(super) fn was_stepped_up(stepped_up_at: Option<Timestamp>, approved_at: Option<Timestamp>) -> bool {
    let login = Login { at: stepped_up_at, second_factor: stepped_up_at.is_some() };
    approved_at.is_some_and(|approved_at| login.is_step_up(approved_at))
}
