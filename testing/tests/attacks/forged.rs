//! Trees and checkpoints that never were.

use muster_tlog::{Checkpoint, Hash, SigningKey};

/// Another tree of this size under this origin, signed with this key.
pub(crate) fn checkpoint(origin: &str, size: u64, key: &dyn SigningKey) -> String {
    let root = Hash::of(b"another history");
    Checkpoint::new(origin, size, root).sign(&[key]).unwrap().to_string()
}

/// A request to a witness that remembers `old`. Without a proof: there is none.
pub(crate) fn request(old: u64, note: &str) -> String {
    format!("old {old}\n\n{note}")
}
