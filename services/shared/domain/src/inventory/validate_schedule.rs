//! `Schedule`: what is due when.

use crate::pb::inventory::v1::ScheduleSpec;

use super::TenantInventory;
use super::validate::{Finding, text};

pub(super) fn validate_schedule(found: &mut Finding, spec: &ScheduleSpec, _others: &TenantInventory) {
    text(found, "spec.description", &spec.description);
}
