//! Signed documents: an in-toto statement over a file's digest, in a DSSE envelope beside it.

use std::io;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;

use super::{super::Files, Asked, Finding, Report};
use crate::{hash::Hash, key::PUBLIC_KEY_BYTES};

const ENVELOPE: &str = ".dsse.json";
const KEY: &str = "package-key.pem";
/// What stands before an Ed25519 public key in its standard form (SubjectPublicKeyInfo).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    sig: String,
}

#[derive(Deserialize)]
struct Statement {
    subject: Vec<Subject>,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: Digests,
}

#[derive(Deserialize)]
struct Digests {
    sha256: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    digest_source: String,
}

pub(super) fn check(files: &dyn Files, asked: &Asked, report: &mut Report) -> io::Result<()> {
    let envelopes: Vec<String> = files.paths()?.into_iter().filter(|path| path.ends_with(ENVELOPE)).collect();
    if envelopes.is_empty() {
        return Ok(());
    }
    let own = files.read(KEY)?.and_then(|pem| public_key(&String::from_utf8_lossy(&pem)));
    let Some(key) = asked.document_key.or(own) else {
        let problem = "there are signed documents, and it is not an Ed25519 public key (PEM)".to_owned();
        report.findings.push(Finding::File { path: KEY.to_owned(), problem });
        return Ok(());
    };
    report.document_key = Some(Hash::of(&[SPKI.as_slice(), &key].concat()));
    for path in envelopes {
        match document(files, &path, &key)? {
            None => report.documents += 1,
            Some(problem) => report.findings.push(Finding::Document { path, problem }),
        }
    }
    Ok(())
}

/// The public key of a PEM file.
pub fn public_key(pem: &str) -> Option<[u8; PUBLIC_KEY_BYTES]> {
    let lines = pem.lines().skip_while(|line| *line != "-----BEGIN PUBLIC KEY-----").skip(1);
    let base64: String = lines.take_while(|line| *line != "-----END PUBLIC KEY-----").collect();
    let der = BASE64_STANDARD.decode(base64).ok()?;
    der.strip_prefix(SPKI.as_slice())?.try_into().ok()
}

/// What is wrong with one document; none when it is what was signed.
fn document(files: &dyn Files, path: &str, key: &[u8; PUBLIC_KEY_BYTES]) -> io::Result<Option<String>> {
    let bytes = files.read(path)?.unwrap_or_default();
    let statement = match statement(&bytes, key) {
        Ok(statement) => statement,
        Err(problem) => return Ok(Some(problem)),
    };
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    if statement.subject.is_empty() {
        return Ok(Some("the statement is about nothing".to_owned()));
    }
    for subject in statement.subject {
        let Some(content) = files.read(&format!("{folder}{}", subject.name))? else {
            return Ok(Some(format!("there is no {folder}{}", subject.name)));
        };
        let found = match statement.predicate.digest_source.as_str() {
            "file" => Ok(Hash::of(&content)),
            "canonical-json" => canonical(&content),
            other => Err(format!("the digest is of a kind that is not known: {other}")),
        };
        match found {
            Ok(found) if found.to_hex() == subject.digest.sha256 => {}
            Ok(found) => {
                let signed = subject.digest.sha256;
                return Ok(Some(format!("{} has the digest {found}, and {signed} was signed", subject.name)));
            }
            Err(problem) => return Ok(Some(problem)),
        }
    }
    Ok(None)
}

fn canonical(content: &[u8]) -> Result<Hash, String> {
    let value: Value = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    Ok(Hash::of(&serde_json_canonicalizer::to_vec(&value).map_err(|error| error.to_string())?))
}

fn statement(envelope: &[u8], key: &[u8; PUBLIC_KEY_BYTES]) -> Result<Statement, String> {
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(|error| error.to_string())?;
    let payload = BASE64_STANDARD.decode(&envelope.payload).map_err(|error| error.to_string())?;
    let kind = &envelope.payload_type;
    // DSSE's pre-authentication encoding.
    let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    signed.extend_from_slice(&payload);
    let key = UnparsedPublicKey::new(&ED25519, key);
    let good = |one: &Signed| BASE64_STANDARD.decode(&one.sig).is_ok_and(|sig| key.verify(&signed, &sig).is_ok());
    if !envelope.signatures.iter().any(good) {
        return Err("the document key did not sign it".to_owned());
    }
    serde_json::from_slice(&payload).map_err(|error| error.to_string())
}
