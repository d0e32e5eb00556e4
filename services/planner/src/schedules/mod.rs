//! Schedules: what is due when, and what came of it. A schedule that falls due has a request opened by the approval
//! service, which reads `schedule.fired`; nothing here starts anything.
//!
//! | file | is |
//! |---|---|
//! | `follow` | what is declared, decided or run that a schedule hears of |
//! | `look` | looks at one schedule: records what there is to record, sets the timer for the next look |
//! | `by_hand` | a drill that somebody asked for by hand, for the schedules that wait for one |
//! | `declared` | a schedule as the log has it now |
//! | `projection`, `query` | the table of due times, and its reading |
//! | `view` | what people are shown |
//! | `review` | a person records a review |
//! | `api` | gRPC |

pub(crate) mod api;
mod by_hand;
mod declared;
pub(crate) mod follow;
pub(crate) mod look;
pub(crate) mod projection;
mod query;
mod review;
mod view;

use muster_domain::{AggregateId, Refusal, refusal::refusal};
use muster_runtime::Context;

/// What every part works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Schedules {
    pub(crate) ctx: Context,
}

/// The aggregate of what became of a schedule.
fn schedule_id(name: &str) -> Result<AggregateId, Refusal> {
    name.parse::<AggregateId>().map_err(|_| not_found(name))
}

fn not_found(name: &str) -> Refusal {
    refusal(
        "SCHEDULE_NOT_FOUND",
        "there is no such schedule in use in this tenant",
        name.chars().take(80).collect::<String>(),
        "a declared schedule",
        "list them with `muster schedule list`, or declare it with `muster apply`",
    )
}
