//! The hashed bytes are frozen: approvals and proofs of years ago bind to them.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use super::given::{document, shop, shop_plan};
use crate::pb::inventory::v1::{Document, Kind, document::Spec};
use crate::plan::{hash, scope};

fn plan(version: u64) -> Document {
    document(Kind::Plan, "shop-move", version, Spec::PlanSpec(shop_plan()))
}

/// If one of these changes, every published plan, approval and proof is void: give the form another number instead.
#[test]
fn vectors() {
    let inventory = shop();
    let group = scope(&inventory, "shop", "").unwrap();
    let single = scope(&inventory, "", "cart").unwrap();
    let all = [hash(Some(&plan(3)), &group), hash(None, &group), hash(None, &single)].map(|plan| plan.hash);
    assert_eq!(
        all,
        [
            "6ec969709436e045a862ecc6c01492d546d3124a2746441034f36c67c9724da2",
            "3a5a0450f5c3428a19130c25ac3fb62271a8c0f90b7fd7c118adefc139ae26af",
            "10c155eb64097aa02646dbc69708d366ef76246af6896818296d16090b5a017c",
        ]
    );
}

/// The same bytes, written down by hand after the table of the module.
#[test]
fn the_form_is_the_documented_one() {
    use sha2::{Digest, Sha256};
    let mut bytes = Vec::new();
    let text = |bytes: &mut Vec<u8>, text: &[u8]| {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text);
    };
    text(&mut bytes, b"muster plan hash 1");
    text(&mut bytes, b"shop-move");
    text(&mut bytes, &prost::Message::encode_to_vec(&shop_plan()));
    text(&mut bytes, b"shop");
    bytes.extend(1_u64.to_be_bytes());
    bytes.extend(3_u64.to_be_bytes());
    for member in [b"orders-db".as_slice(), b"ledger", b"cart"] {
        text(&mut bytes, member);
        bytes.extend(1_u64.to_be_bytes());
    }
    let expected: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let inventory = shop();
    assert_eq!(hash(Some(&plan(3)), &scope(&inventory, "shop", "").unwrap()).hash, expected);
}

#[test]
fn it_names_the_text_it_is_of() {
    let inventory = shop();
    let scope = scope(&inventory, "shop", "").unwrap();
    let written = hash(Some(&plan(3)), &scope);
    assert_eq!((written.name.as_str(), written.version, written.hash.len()), ("shop-move", 3, 64));
    let built_in = hash(None, &scope);
    assert_eq!((built_in.name.as_str(), built_in.version), ("", 0));
    assert_ne!(built_in.hash, written.hash);
    // The text counts, not how often it was declared.
    assert_eq!(hash(Some(&plan(4)), &scope).hash, written.hash);
}
