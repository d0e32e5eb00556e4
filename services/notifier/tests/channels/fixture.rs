//! What the cases need of a channel's far side.

use muster_domain::delivery::Message;
use muster_notifier::channels::{Attempt, Channel};

/// What happens at the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Nothing,
    /// "Later": in [`RETRY_AFTER_S`] where the far side can say so.
    Throttled,
    /// It takes effect, and no answer comes.
    SilentAfterEffect,
    /// To somewhere else of the same server.
    Redirected,
}

pub(crate) const RETRY_AFTER_S: i64 = 7;

/// What an attempt after an unknown outcome means for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// They have one message: the far side, or their program, recognises a copy.
    Recognised,
    /// A page comes again and says that it is a repeat; anything else is not sent again.
    PagesOnly,
}

pub(crate) trait Fixture: Sized {
    const CHANNEL: &'static str;
    const REPEAT: Repeat;
    /// Speaks HTTP: redirects and addresses matter.
    const HTTP: bool = true;
    /// The far side says how long to wait.
    const SAYS_RETRY_AFTER: bool = true;
    /// A refused secret is told from other refusals.
    const SEES_REFUSED_SECRET: bool = true;
    /// Our own limit, in turns that are given at once; `None`: paced another way.
    const TURNS: Option<usize>;

    /// `None`: the server cannot be had here.
    async fn start() -> Option<Self>;

    /// With short time limits, and with the fake's address allowed.
    fn channel(&self) -> &dyn Channel;

    /// As the operator has it who allows nothing.
    fn strict_channel(&self) -> Box<dyn Channel>;

    /// An attempt that meets this trouble. `delivery` tells deliveries apart.
    fn attempt(&mut self, message: Message, delivery: u128, trouble: Trouble) -> Attempt;

    /// Messages that people have, copies that are recognised counted once.
    fn arrived(&self) -> usize;

    /// Everything that arrived, as one text.
    fn texts(&self) -> String;

    /// Calls that the far side saw; whether they had an effect or not.
    fn calls(&self) -> usize;

    /// The secret as it is stored now.
    fn stored_secret(&self) -> String;

    /// Stores one that the far side does not know.
    fn store_wrong_secret(&mut self);

    /// Stores the right one again, if it can at the moment when the wrong one is refused.
    fn store_right_secret_meanwhile(&mut self);

    /// What must not be in what arrived when [`hostile`](crate::support::hostile) was told, and is.
    fn escaped_from_its_place(&self) -> Vec<String>;
}
