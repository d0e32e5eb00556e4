//! Time stamps by a third party (RFC 3161), of the SHA-256 of the checkpoint file. `openssl ts -verify` checks the token;
//! here it is only checked that it answers this question, so that no other file is kept as its proof.

use std::time::Duration;

use async_trait::async_trait;
use muster_runtime::Clock;
use sha2::{Digest, Sha256};

use super::{Anchor, AnchorError, Receipt, Signed, der};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Tokens with a chain of certificates have 3 to 8 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// PKIStatus granted and grantedWithMods.
const GRANTED: [u8; 2] = [0, 1];

pub(super) struct TimeStamps {
    url: String,
    http: reqwest::Client,
    clock: Clock,
}

impl TimeStamps {
    pub(super) fn open(url: &str, clock: Clock) -> Result<Self, AnchorError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| AnchorError::failed("an HTTP client cannot be made", error))?;
        Ok(Self { url: url.to_owned(), http, clock })
    }

    async fn ask(&self, request: Vec<u8>) -> Result<Vec<u8>, AnchorError> {
        let failed = |error: reqwest::Error| AnchorError::failed("asking the time-stamping authority", error);
        let asked = self.http.post(&self.url).header("content-type", "application/timestamp-query").body(request);
        let mut answer = asked.send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(AnchorError::Failed(format!("its answer is longer than {MAX_ANSWER_BYTES} bytes")));
            }
        }
        Ok(bytes)
    }
}

#[async_trait]
impl Anchor for TimeStamps {
    fn kind(&self) -> &'static str {
        "rfc3161"
    }

    async fn keep(&self, signed: &Signed) -> Result<Receipt, AnchorError> {
        let imprint = der::imprint(&Sha256::digest(signed.note.as_bytes()).into());
        let nonce = der::nonce(self.clock.new_id().as_u64_pair().1);
        let answer = self.ask(der::request(&imprint, &nonce)).await?;
        check(&answer, &imprint, &nonce)?;
        let name = |ending: &str| format!("checkpoint.{}{ending}", signed.checkpoint.size);
        Ok(Receipt {
            location: format!("{} for {}", self.url, name("")),
            files: vec![(name(""), signed.note.clone().into_bytes()), (name(".tsr"), answer.clone())],
            bytes: answer,
        })
    }

    /// An authority keeps nothing.
    async fn largest(&self, _origin: &str) -> Result<Option<String>, AnchorError> {
        Ok(None)
    }
}

fn check(answer: &[u8], imprint: &[u8], nonce: &[u8]) -> Result<(), AnchorError> {
    let Some((status, token)) = der::answer(answer) else {
        return Err(AnchorError::Failed("its answer is no time-stamp response".to_owned()));
    };
    if !GRANTED.contains(&status) || token.is_empty() {
        return Err(AnchorError::Failed(format!("the authority refused, with status {status}")));
    }
    let contains = |part: &[u8]| token.windows(part.len()).any(|window| window == part);
    if !contains(imprint) || !contains(nonce) {
        return Err(AnchorError::Failed("its token is for another file or another question".to_owned()));
    }
    Ok(())
}
