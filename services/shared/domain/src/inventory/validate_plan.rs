//! A plan's own form. Whether it is a good plan is the linter's question (`crate::plan`), asked before it is published.

use super::validate::{Finding, text};
use crate::pb::plan::v1::PlanSpec;

pub(super) fn validate_plan(found: &mut Finding, spec: &PlanSpec) {
    text(found, "spec.displayName", &spec.display_name);
    text(found, "spec.owner", &spec.owner);
}
