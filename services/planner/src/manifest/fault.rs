//! What is wrong with a manifest, and exactly where.

use std::{cell::RefCell, fmt};

use muster_domain::{
    Refusal,
    refusal::{describe, field_refusal},
};

/// More faults than this are not read by anybody; the rest is counted.
pub const MAX_FAULTS: usize = 100;

/// Line and column in the manifest as sent, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

/// One thing to correct.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The document's number from 1, empty ones not counted. `None`: the manifest as a whole.
    pub document: Option<usize>,
    pub place: Option<Place>,
    /// Rule, value, allowed, next action; `field` is the path within the document.
    pub refusal: Refusal,
}

impl Fault {
    /// "document 2, line 7, column 9"
    pub fn position(&self) -> String {
        let mut parts = Vec::new();
        if let Some(document) = self.document {
            parts.push(format!("document {document}"));
        }
        if let Some(place) = self.place {
            parts.push(format!("line {}, column {}", place.line, place.column));
        }
        if parts.is_empty() { "manifest".to_owned() } else { parts.join(", ") }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position(), describe(&self.refusal))
    }
}

/// Collects the faults of one document while it is read.
#[derive(Debug)]
pub(super) struct Faults {
    document: usize,
    found: RefCell<Vec<Fault>>,
}

impl Faults {
    pub(super) fn new(document: usize) -> Self {
        Self { document, found: RefCell::new(Vec::new()) }
    }

    pub(super) fn add(&self, at: Place, field: &str, rule: &str, value: &str, allowed: &str, next: &str) {
        let refusal = field_refusal(field, "MANIFEST_INVALID", rule, value, allowed, next);
        self.found.borrow_mut().push(Fault { document: Some(self.document), place: Some(at), refusal });
    }

    pub(super) fn into_vec(self) -> Vec<Fault> {
        self.found.into_inner()
    }
}
