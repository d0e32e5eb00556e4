//! One question to one witness: `POST <url>/add-checkpoint`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use muster_tlog::{Note, note::parse_signature};
use reqwest::{Response, StatusCode, header::CONTENT_TYPE};

use super::Cosigner;
use crate::log::vouch::{Consistency, Signed};

/// A few signature lines, or a line of text.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
const MAX_SHOWN_CHARS: usize = 200;
const SIZE: &str = "text/x.tlog.size";

/// What it answered.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// Verified lines, without line ends, and the time that they say.
    Cosigned { lines: Vec<String>, at: Timestamp },
    /// 409: the size that it cosigned last.
    Size(u64),
}

/// Why it did not cosign.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("it has cosigned size {0}, which is more than we have signed")]
    Ahead(u64),
    #[error("it has cosigned another tree of size {0}")]
    OtherTree(u64),
    #[error("our tree does not extend the one of size {0} that it has cosigned")]
    Inconsistent(u64),
    #[error("{0}")]
    Said(String),
}

pub(super) async fn once(
    http: &reqwest::Client,
    cosigner: &Cosigner,
    signed: &Signed,
    old: u64,
    proofs: &dyn Consistency,
) -> Result<Asked, Problem> {
    let proof = proofs.consistency(old, signed.checkpoint.size).await.map_err(Problem::Said)?;
    let lines: String = proof.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
    let body = format!("old {old}\n{lines}\n{}", signed.note);
    let asked = http.post(format!("{}/add-checkpoint", cosigner.url)).body(body).send();
    let answer = asked.await.map_err(|error| unreachable(&error))?;
    let (status, is_size) = (answer.status(), is_size(&answer));
    let text = text(answer).await?;
    match status {
        StatusCode::OK => cosignatures(cosigner, signed, &text),
        StatusCode::CONFLICT if is_size => {
            let size = text.strip_suffix('\n').and_then(|digits| digits.parse().ok());
            size.map(Asked::Size).ok_or_else(|| Problem::Said("its 409 names no size".to_owned()))
        }
        // From size 0 every tree extends: then it is our request that is wrong, and nothing is known about the trees.
        StatusCode::UNPROCESSABLE_ENTITY if old > 0 => Err(Problem::Inconsistent(old)),
        StatusCode::NOT_FOUND => Err(Problem::Said(format!("it does not know this log (404): {}", shown(&text)))),
        StatusCode::FORBIDDEN => Err(Problem::Said(format!("it does not trust the log's key (403): {}", shown(&text)))),
        other => Err(Problem::Said(format!("it answered {}: {}", other.as_u16(), shown(&text)))),
    }
}

/// The lines that are this witness' own and good; those of keys that we do not know are left out.
fn cosignatures(cosigner: &Cosigner, signed: &Signed, text: &str) -> Result<Asked, Problem> {
    let wrong = |why: String| Problem::Said(format!("its cosignature cannot be used: {why}"));
    let bare = Note::parse(signed.note.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let (mut lines, mut at) = (Vec::new(), 0);
    for line in text.lines() {
        let signature = parse_signature(line).map_err(|error| wrong(error.to_string()))?;
        if signature.key_id != cosigner.key.id() || signature.name != cosigner.key.name() {
            continue;
        }
        let mut note = bare.clone();
        note.add(signature);
        let verified = note.verify(std::slice::from_ref(&cosigner.key)).map_err(|error| wrong(error.to_string()))?;
        at = verified.iter().filter_map(|one| one.cosigned_at).max().unwrap_or(at);
        lines.push(line.to_owned());
    }
    if lines.is_empty() {
        return Err(wrong(format!("none is by the key {}", cosigner.key)));
    }
    let at = i64::try_from(at).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let at = at.ok_or_else(|| wrong("its time is none".to_owned()))?;
    Ok(Asked::Cosigned { lines, at })
}

fn is_size(answer: &Response) -> bool {
    answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(SIZE.as_bytes()))
}

async fn text(mut answer: Response) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(Problem::Said(format!("its answer is longer than {MAX_ANSWER_BYTES} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::Said("its answer is no text".to_owned()))
}

fn shown(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_SHOWN_CHARS).collect()
}

/// With the cause: "error sending request" alone helps nobody.
fn unreachable(error: &reqwest::Error) -> Problem {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { "it cannot be reached".to_owned() };
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    Problem::Said(text)
}
