//! `Contact` and `MessageTemplate`: who is asked, and in which words.

use crate::pb::inventory::v1::{ContactSpec, MessageTemplateSpec};

use super::validate::{Finding, text};

pub(super) fn validate_contact(found: &mut Finding, spec: &ContactSpec) {
    text(found, "spec.displayName", &spec.display_name);
}

pub(super) fn validate_template(found: &mut Finding, spec: &MessageTemplateSpec) {
    text(found, "spec.language", &spec.language);
}
