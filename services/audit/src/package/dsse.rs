//! Signatures over exported documents: an in-toto statement in a DSSE envelope, in the form that `trestle verify` checks.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::key::DocumentKey;

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The predicate that compliance-trestle expects.
const OSCAL_PREDICATE: &str = "https://oscal-compass.github.io/compliance-trestle/predicates/oscal-signing/v1";
/// Our own, for a file that is signed byte for byte.
const FILE_PREDICATE: &str = "urn:muster:oscal/predicates/file/v1";

/// The envelope for an OSCAL document: over the digest of its canonical form (RFC 8785), so that white space does not matter.
pub(crate) fn of_document(key: &DocumentKey, name: &str, document: &Value) -> Result<Vec<u8>, serde_json::Error> {
    let canonical = serde_json_canonicalizer::to_vec(document)?;
    let predicate = json!({
        "canonicalization": "RFC8785", "digestAlgorithm": "sha256", "digestSource": "canonical-json", "tool": "muster",
    });
    envelope(key, name, &hex(digest(&SHA256, &canonical).as_ref()), OSCAL_PREDICATE, predicate)
}

/// The envelope for a file as it is.
pub(crate) fn of_file(key: &DocumentKey, name: &str, sha256: &str) -> Result<Vec<u8>, serde_json::Error> {
    let predicate = json!({ "digestAlgorithm": "sha256", "digestSource": "file", "tool": "muster" });
    envelope(key, name, sha256, FILE_PREDICATE, predicate)
}

fn envelope(
    key: &DocumentKey,
    name: &str,
    sha256: &str,
    predicate_type: &str,
    predicate: Value,
) -> Result<Vec<u8>, serde_json::Error> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": name, "digest": { "sha256": sha256 } }],
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    let payload = serde_json_canonicalizer::to_vec(&statement)?;
    let envelope = json!({
        "payload": BASE64.encode(&payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "keyid": key.id(), "sig": BASE64.encode(key.sign(&authenticated(&payload))) }],
    });
    let mut bytes = serde_json::to_vec_pretty(&envelope)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// DSSE's pre-authentication encoding: what is signed.
fn authenticated(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    const VECTOR: &str = include_str!("../../../../testing/oscal/examples/assessment-results.dsse.json");
    const DOCUMENT: &str = include_str!("../../../../testing/oscal/examples/assessment-results.json");

    /// The same key, the same document: byte for byte the envelope that other people's tools have accepted.
    #[test]
    fn the_envelope_is_the_one_of_the_vectors() {
        let seed = digest(&SHA256, b"muster test vector package key 1");
        let key = DocumentKey::from_seed(seed.as_ref()).unwrap();
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let envelope = of_document(&key, "assessment-results.json", &document).unwrap();
        let (ours, theirs): (Value, Value) =
            (serde_json::from_slice(&envelope).unwrap(), serde_json::from_str(VECTOR).unwrap());
        assert_eq!(ours, theirs);
    }

    #[test]
    fn the_public_key_is_written_as_openssl_reads_it() {
        let seed = digest(&SHA256, b"muster test vector package key 1");
        let pem = include_str!("../../../../testing/oscal/examples/evidence/package-key.pem");
        assert_eq!(DocumentKey::from_seed(seed.as_ref()).unwrap().public_pem(), pem);
    }
}
