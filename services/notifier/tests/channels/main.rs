//! What every channel must hold, against strict fakes (`testing/fakes`) and, for mail, a real third-party server. One set of
//! cases; a channel brings a [`Fixture`](fixture::Fixture): how its far side is started, and how it is brought into trouble.
//!
//! To add a channel: a file with its fixture, and one line `compliance!(name, Fixture);` below. The cases:
//!
//! | case | what must hold |
//! |---|---|
//! | `accepted_is_not_delivered` | the receipt says who took it, and claims no more |
//! | `throttling_is_honoured` | "later", not before the far side asked for; nobody else uses the key until then |
//! | `a_timeout_after_the_effect_makes_no_second_message` | the outcome is unknown; the next attempt is one message for people, or says that it is a repeat, or is not made |
//! | `a_refused_secret_is_read_again_once` | nothing is sent with a secret that was refused a moment ago; a newer one is used |
//! | `too_much_is_cut_and_arrives` | texts of any length are cut to the far side's limits, with a sign, never refused |
//! | `what_people_typed_is_text` | no markup, mention, link, header or line of theirs gets out of its place |
//! | `redirects_are_not_followed` | |
//! | `private_addresses_are_refused` | nothing is even connected to, unless the operator allows it |
//! | `secrets_stay_secret` | neither errors nor receipts nor logs at their loudest hold a part of one |
//! | `our_own_limit_holds_for_each_key` | a recipient has so many turns; another one has its own |
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

mod cases;
mod email;
mod email_alone;
mod fixture;
mod gds_notification;
mod logs;
mod pagerduty;
mod secrets_case;
mod slack;
mod smtp_server;
mod support;
mod teams;
mod webhook;
mod webhook_alone;

use fixture::Fixture;

/// All cases for one channel. `None` from its fixture: its server cannot be had here, and it said why.
macro_rules! compliance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use crate::{cases, secrets_case};
            compliance!(@cases $fixture, cases, accepted_is_not_delivered, throttling_is_honoured,
                a_timeout_after_the_effect_makes_no_second_message, a_refused_secret_is_read_again_once,
                too_much_is_cut_and_arrives, what_people_typed_is_text, redirects_are_not_followed,
                private_addresses_are_refused, our_own_limit_holds_for_each_key);
            compliance!(@cases $fixture, secrets_case, secrets_stay_secret);
        }
    };
    (@cases $fixture:ty, $place:ident, $($case:ident),+) => {
        $(#[tokio::test]
        async fn $case() {
            if let Some(mut fixture) = <$fixture as crate::Fixture>::start().await {
                $place::$case(&mut fixture).await;
            }
        })+
    };
}

mod suite {
    compliance!(email, crate::email::Mail);
    compliance!(webhook, crate::webhook::Hook);
    compliance!(slack, crate::slack::Chat);
    compliance!(teams, crate::teams::Workflow);
    compliance!(pagerduty, crate::pagerduty::Pager);
    compliance!(gds_notification, crate::gds_notification::Ingest);
}

/// A channel that is in the product is in the suite.
#[test]
fn every_channel_is_in_the_suite() {
    let suite = [
        email::Mail::CHANNEL,
        webhook::Hook::CHANNEL,
        slack::Chat::CHANNEL,
        teams::Workflow::CHANNEL,
        pagerduty::Pager::CHANNEL,
        gds_notification::Ingest::CHANNEL,
    ];
    let (_dir, secrets) = support::secrets();
    let all = muster_notifier::channels::all(&muster_runtime::Config::default(), &secrets).unwrap();
    let product: Vec<&str> = all.iter().map(|channel| channel.name()).collect();
    assert_eq!(product, suite);
    assert_eq!(product, muster_domain::delivery::routing::CHANNELS);
}
