//! The update message, signed (TSIG, RFC 8945, HMAC-SHA256), and what its answer means.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::{
    op::{Message, ResponseCode, update_message::compare_and_swap},
    rr::{
        RecordSet, TSigner,
        rdata::tsig::{TsigAlgorithm, TsigError},
    },
};
use jiff::Timestamp;
use muster_domain::pb::plan::v1::DnsAction;
use muster_platform::StepError;
use muster_runtime::Owner;
use secrecy::ExposeSecret;

use super::{
    DnsError, Values,
    record::{Change, absolute},
    server::Server,
};
use crate::actions::Surroundings;

/// How far the server's clock may be from ours, in seconds. What RFC 8945 recommends.
const FUDGE_SECONDS: u16 = 300;
/// Shorter keys can be guessed (RFC 8945: at least the length of the hash is recommended; 128 bits are the least used).
const MIN_KEY_BYTES: usize = 16;

pub(super) struct Key(TSigner);

impl Key {
    /// Read at the moment of use.
    pub(super) fn resolve(action: &DnsAction, s: &Surroundings) -> Result<Self, StepError> {
        let wrong = |why: String| StepError::refused(format!("the key '{}': {why}", action.key_name));
        let name = absolute(&action.key_name).map_err(|error| wrong(error.to_string()))?;
        let secret = s.secrets.resolve(Owner::Tenant(&s.tenant), &action.key_ref);
        let secret = secret.map_err(|error| wrong(error.to_string()))?;
        let bytes = STANDARD.decode(secret.expose_secret().trim());
        let bytes = bytes.map_err(|_| wrong("its secret is not base64".to_owned()))?;
        if bytes.len() < MIN_KEY_BYTES {
            return Err(wrong(format!("its secret has {} bytes; at least {MIN_KEY_BYTES}", bytes.len())));
        }
        let signer = TSigner::new(bytes, TsigAlgorithm::HmacSha256, name, FUDGE_SECONDS);
        signer.map(Self).map_err(|error| wrong(error.to_string()))
    }
}

/// What the server said. Only reading back tells what it did.
pub(super) enum Verdict {
    NoError,
    /// The set does not hold the old value, and nothing was changed.
    PrerequisiteFailed,
    /// Nothing was changed, and the reason is known.
    Refused(String),
    NoAnswer(String),
}

impl Verdict {
    pub(super) fn words(&self) -> &str {
        match self {
            Self::NoError => "NOERROR",
            Self::PrerequisiteFailed => "the old value was not there",
            Self::Refused(why) | Self::NoAnswer(why) => why,
        }
    }
}

pub(super) async fn send(primary: &Server, change: &Change, key: &Key, now: Timestamp) -> Verdict {
    let prepared = prepare(change, key, now);
    let (message, bytes, mut verifier) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let answer = match primary.exchange(&bytes).await {
        Ok(answer) => answer,
        Err(error) => return Verdict::NoAnswer(error.to_string()),
    };
    let parsed = match Message::from_vec(&answer) {
        Ok(parsed) if parsed.id == message.id => parsed,
        Ok(_) => return Verdict::NoAnswer(primary.unreadable(&"the answer is to another question").to_string()),
        Err(error) => return Verdict::NoAnswer(primary.unreadable(&error).to_string()),
    };
    match parsed.response_code {
        // Only the holder of the key can say yes.
        ResponseCode::NoError => match verifier.verify(&answer) {
            Ok(_) => Verdict::NoError,
            Err(error) => {
                Verdict::NoAnswer(primary.unreadable(&format!("its NOERROR is not signed: {error}")).to_string())
            }
        },
        ResponseCode::NXRRSet | ResponseCode::YXRRSet | ResponseCode::NXDomain | ResponseCode::YXDomain => {
            Verdict::PrerequisiteFailed
        }
        // The journal or the disk: nothing says that it was not written before.
        ResponseCode::ServFail => Verdict::NoAnswer(format!("{primary} answers SERVFAIL")),
        code => Verdict::Refused(refusal(primary, change, &parsed, code)),
    }
}

fn refusal(primary: &Server, change: &Change, answer: &Message, code: ResponseCode) -> String {
    let tsig = answer.signature().and_then(|record| record.data.error);
    match (code, tsig) {
        (_, Some(TsigError::BadKey)) => format!("{primary} does not know the key (BADKEY): check its name"),
        (_, Some(TsigError::BadSig)) => format!("{primary} does not accept the signature (BADSIG): the secret differs"),
        (_, Some(TsigError::BadTime)) => {
            format!(
                "{primary} does not accept the time of the signature (BADTIME): the clocks differ by more than {FUDGE_SECONDS} s"
            )
        }
        (ResponseCode::Refused, _) => {
            format!("{primary} refuses (REFUSED): the key may not change {} {}", change.name, change.kind)
        }
        (ResponseCode::NotAuth, _) => format!("{primary} is not the primary of {} (NOTAUTH)", change.zone),
        (ResponseCode::NotZone, _) => format!("{} is not in the zone {} (NOTZONE)", change.name, change.zone),
        (code, _) => format!("{primary} answers {code} to the update"),
    }
}

type Prepared = (Message, Vec<u8>, hickory_proto::rr::TSigVerifier);

fn prepare(change: &Change, key: &Key, now: Timestamp) -> Result<Prepared, DnsError> {
    let mut message =
        compare_and_swap(set(change, &change.from)?, set(change, &change.to)?, change.zone.clone(), false);
    let failed = |error: hickory_proto::ProtoError| DnsError::Form(format!("the update cannot be written: {error}"));
    let time = u64::try_from(now.as_second()).unwrap_or_default();
    let verifier = message.finalize(&key.0, time).map_err(failed)?;
    let verifier = verifier.ok_or_else(|| DnsError::Form("the update was not signed".to_owned()))?;
    let bytes = message.to_vec().map_err(failed)?;
    Ok((message, bytes, verifier))
}

fn set(change: &Change, values: &Values) -> Result<RecordSet, DnsError> {
    let mut set = RecordSet::with_ttl(change.name.clone(), change.kind.record_type(), change.ttl);
    for value in values {
        set.add_rdata(change.kind.rdata(value)?);
    }
    Ok(set)
}
