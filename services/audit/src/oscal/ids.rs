//! Identifiers. OSCAL takes version 4 and 5 only; ours are version 5, derived from what they stand for, so that an export
//! that is made again, or a year later, names the same things alike.

use std::sync::LazyLock;

use uuid::Uuid;

use super::NAMESPACE;

/// Between the parts of a name: it occurs in none of them.
const SEPARATOR: &str = "\u{1f}";

static ROOT: LazyLock<Uuid> =
    LazyLock::new(|| Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{NAMESPACE}/v1").as_bytes()));

/// `("observation", origin, event id)` for what an event shows, `("party", tenant, actor)` for what lasts.
pub(crate) fn derived(parts: &[&str]) -> String {
    Uuid::new_v5(&ROOT, parts.join(SEPARATOR).as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_frozen() {
        assert_eq!(derived(&["component", "product", "muster"]), "5b8eadcd-506e-5e47-89a1-ea4917161f46");
        assert_ne!(derived(&["a", "b"]), derived(&["ab"]));
    }
}
