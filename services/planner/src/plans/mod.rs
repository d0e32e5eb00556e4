//! The life of recovery plans: judged, reviewed, published, proven.
//!
//! | file | is |
//! |---|---|
//! | `surroundings` | what a plan is judged among: its scope, sites and policies, from the tables or from the log |
//! | `judge` | the linter's findings, with what this process can say about secrets and commands |
//! | `view` | where a plan stands, for people |
//! | `decide` | submit, return, publish |
//! | `read` | get, list, lint |
//! | `render` | the documents of a plan, made now |
//! | `proof` | runs and changes that prove a plan, or end its proof |
//! | `lapse` | the proof's time is over |
//! | `api` | gRPC |

pub(crate) mod api;
mod decide;
mod judge;
pub(crate) mod lapse;
pub(crate) mod proof;
mod read;
mod render;
mod surroundings;
mod view;

use muster_domain::{
    AggregateId, Refusal,
    pb::plan::v1::PlanRef,
    refusal::{field_refusal, refusal},
};
use muster_runtime::{Context, refused, status::IntoStatus, status::RefusalClass};
use tonic::Status;

use crate::error::CommandError;

/// What every part works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Plans {
    pub(crate) ctx: Context,
}

impl Plans {
    /// A rule that said no is part of the record; a typing mistake or a busy moment is not.
    async fn answer<T>(&self, call: &muster_runtime::Call<T>, error: CommandError, plan: &str) -> Status {
        match error {
            CommandError::Refused(refusal) if is_attempt(&refusal) => {
                self.ctx.deny(call, &refusal, &format!("plan/{plan}"), "").await
            }
            CommandError::Refused(refusal) => refused(&refusal),
            error => error.into_status(),
        }
    }
}

/// Publishing another text than the one that was reviewed is more than a slip.
fn is_attempt(refusal: &Refusal) -> bool {
    RefusalClass::of(refusal) == RefusalClass::State || refusal.code == "PLAN_CHANGED"
}

/// The aggregate of a plan's life.
fn plan_id(name: &str) -> Result<AggregateId, Refusal> {
    name.parse::<AggregateId>().map_err(|error| {
        field_refusal(
            "name",
            "FIELD_INVALID",
            "a plan is named",
            error.value,
            error.rule,
            "use the name of its document",
        )
    })
}

fn not_found(name: &str) -> Refusal {
    refusal(
        "PLAN_NOT_FOUND",
        "there is no such plan in use in this tenant",
        name.chars().take(80).collect::<String>(),
        "a declared plan",
        "list them with `muster plan list`, or declare it with `muster apply`",
    )
}

/// "shop-to-ams version 3"
fn named(plan: &PlanRef) -> String {
    format!("{} version {}", plan.name, plan.version)
}
