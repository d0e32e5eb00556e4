//! What people write: YAML, one or more documents, in words and units of people.
//!
//! Reading has two parts. `yaml` turns the text into a tree that knows its lines, within fixed limits; the readers of
//! the kinds turn the tree into the domain's documents. Both name every fault they meet, with its place. Whether the
//! documents make sense among each other is the domain's question (`muster_domain::inventory::validate`).

mod action;
mod alert;
mod approval;
mod condition;
mod data;
mod document;
mod fault;
mod fields;
mod node;
mod plan;
mod platform;
mod policy;
mod resource;
mod route;
mod scalar;
mod schedule;
mod small;
mod suggest;
mod write;
mod yaml;

#[cfg(test)]
mod tests;

pub use document::{Declaration, KINDS, kind_name};
pub use fault::{Fault, MAX_FAULTS, Place};
pub use write::{WriteError, to_value, to_yaml};

use muster_domain::TenantId;

/// Largest manifest. Five hundred resources fit; more is another kind of work.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Most documents in one manifest: each becomes an event of one atomic batch.
pub const MAX_DOCUMENTS: usize = 500;

/// Reads a manifest for a tenant. All faults that can be found are returned, at most [`MAX_FAULTS`].
pub fn parse(text: &str, tenant: &TenantId) -> Result<Vec<Declaration>, Vec<Fault>> {
    let nodes = yaml::read(text).map_err(|fault| vec![fault])?;
    let mut declarations = Vec::with_capacity(nodes.len());
    let mut faults = Vec::new();
    for (index, node) in nodes.into_iter().enumerate() {
        let (declaration, found) = document::read(index + 1, node, tenant);
        faults.extend(found);
        declarations.extend(declaration);
    }
    faults.extend(document::repeated(&declarations));
    if faults.is_empty() {
        return Ok(declarations);
    }
    faults.truncate(MAX_FAULTS);
    Err(faults)
}
