//! The steps of an isolated drill.

use muster_domain::{
    execution::{Execution, Facts},
    pb::execution::v1::Check,
};
use muster_platform::{Probe, StepDone, StepError};

use crate::{checks::failed, error::RunError, inner::CopyStep, leg::Leg, run::Run};

const NOT_YET: &str = "this version makes no copies for isolated drills";

impl Run<'_> {
    pub(crate) async fn before_copies(&self) -> Vec<Check> {
        vec![failed("copy_is_possible", "no", "yes", NOT_YET.to_owned())]
    }

    pub(crate) async fn probe_copy(&self, _: CopyStep, _: &Leg) -> Probe {
        Probe::NotDone
    }

    pub(crate) async fn copy(&self, _: CopyStep, _: &Leg, _: &Facts) -> Result<StepDone, StepError> {
        Err(StepError::refused(NOT_YET))
    }

    pub(crate) async fn remove_copies(&self, _: &Execution) -> Result<String, RunError> {
        Ok(String::new())
    }
}
