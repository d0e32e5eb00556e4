//! What approvals and proofs bind to.
//!
//! The bytes that are hashed, in this order. A text is its length in bytes as 8 bytes big-endian, then its UTF-8; a
//! number is 8 bytes big-endian.
//!
//! | part | is |
//! |---|---|
//! | text | `muster plan hash 1` |
//! | text | the plan's name; empty for a built-in plan |
//! | text | the plan's spec in protobuf's encoding: fields in order of their numbers, defaults left out. It has no maps, so it is the same bytes each time. Empty for a built-in plan |
//! | text, number | the group's name and version; an empty text and 0 for a single resource |
//! | number | how many members follow |
//! | text, number | each member's name and version, in dependency order |
//!
//! Member documents go in by version and not by content: they hold maps, and a version is changed by every declaration.

use std::fmt::Write;

use prost::Message;
use sha2::{Digest, Sha256};

use super::scope::{Scope, spec_of};
use crate::pb::inventory::v1::Document;
use crate::pb::plan::v1::PlanRef;

/// First of the hashed bytes: another form gets another number.
const FORM: &str = "muster plan hash 1";

/// The exact text and what it moves. Without a plan document it is the built-in plan's: empty name, version 0.
pub fn hash(plan: Option<&Document>, scope: &Scope<'_>) -> PlanRef {
    let name = plan.map(|document| document.name.as_str()).unwrap_or_default();
    let spec = plan.and_then(spec_of).map(Message::encode_to_vec).unwrap_or_default();
    let group = scope.group.map(|(document, _)| (document.name.as_str(), document.version)).unwrap_or_default();

    let mut digest = Sha256::new();
    text(&mut digest, FORM.as_bytes());
    text(&mut digest, name.as_bytes());
    text(&mut digest, &spec);
    text(&mut digest, group.0.as_bytes());
    number(&mut digest, group.1);
    number(&mut digest, scope.members.len() as u64);
    for member in &scope.members {
        text(&mut digest, member.document.name.as_bytes());
        number(&mut digest, member.document.version);
    }
    PlanRef {
        name: name.to_owned(),
        version: plan.map_or(0, |document| document.version),
        hash: hexadecimal(&digest.finalize()),
    }
}

fn text(digest: &mut Sha256, bytes: &[u8]) {
    number(digest, bytes.len() as u64);
    digest.update(bytes);
}

fn number(digest: &mut Sha256, number: u64) {
    digest.update(number.to_be_bytes());
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
