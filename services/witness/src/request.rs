//! The body of `add-checkpoint`: the size that the log believes we have seen, a consistency proof from there, the
//! checkpoint.

use muster_tlog::{Checkpoint, Hash, Note};

/// As the protocol says; a proof of 2^63 leaves is no longer.
pub(crate) const MAX_PROOF_LINES: usize = 63;
/// The longest proof has 3 KiB; the rest is for a checkpoint with many signatures.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

#[derive(Debug, PartialEq)]
pub(crate) struct AddCheckpoint {
    pub(crate) old: u64,
    pub(crate) proof: Vec<Hash>,
    pub(crate) note: Note,
    pub(crate) checkpoint: Checkpoint,
}

/// What is wrong with a body, for the answer 400.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the body is not text")]
    NotText,
    #[error("the first line is not 'old' and a size")]
    Old,
    #[error("a line of the proof is not a hash in base64")]
    Proof,
    #[error("the proof has more than {MAX_PROOF_LINES} lines")]
    TooLong,
    #[error("no empty line between proof and checkpoint")]
    Unterminated,
    #[error("the checkpoint: {0}")]
    Checkpoint(String),
    #[error("the old size {old} is larger than the checkpoint's {new}")]
    Shrinks { old: u64, new: u64 },
}

pub(crate) fn parse(body: &[u8]) -> Result<AddCheckpoint, Malformed> {
    let text = str::from_utf8(body).map_err(|_| Malformed::NotText)?;
    let (first, mut rest) = text.split_once('\n').ok_or(Malformed::Old)?;
    let digits = first.strip_prefix("old ").ok_or(Malformed::Old)?;
    let old: u64 = digits.parse().map_err(|_| Malformed::Old)?;
    if old.to_string() != digits {
        return Err(Malformed::Old);
    }
    let mut proof = Vec::new();
    loop {
        let (line, after) = rest.split_once('\n').ok_or(Malformed::Unterminated)?;
        rest = after;
        if line.is_empty() {
            break;
        }
        if proof.len() == MAX_PROOF_LINES {
            return Err(Malformed::TooLong);
        }
        proof.push(Hash::from_base64(line).ok_or(Malformed::Proof)?);
    }
    let note = Note::parse(rest.as_bytes()).map_err(|error| Malformed::Checkpoint(error.to_string()))?;
    let checkpoint: Checkpoint = note.text().parse().map_err(|error| Malformed::Checkpoint(format!("{error}")))?;
    if old > checkpoint.size {
        return Err(Malformed::Shrinks { old, new: checkpoint.size });
    }
    Ok(AddCheckpoint { old, proof, note, checkpoint })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    fn body(old: &str, proof: &str, size: u64) -> String {
        format!(
            "{old}\n{proof}\nexample.com/log\n{size}\n{ROOT}\n\n\u{2014} example.com/log Az3grlgtzPICa5OS8npVmf1Myq/5\n"
        )
    }

    #[test]
    fn a_body_is_taken_apart() {
        let parsed = parse(body("old 3", &format!("{ROOT}\n{ROOT}\n"), 9).as_bytes());
        let (old, proof, size) = parsed.map(|r| (r.old, r.proof.len(), r.checkpoint.size)).unwrap_or_default();
        assert_eq!((old, proof, size), (3, 2, 9));
    }

    #[test]
    fn what_is_no_body_is_named() {
        let long = format!("{ROOT}\n").repeat(MAX_PROOF_LINES + 1);
        for (wrong, expected) in [
            (String::new(), Malformed::Old),
            (body("old 03", "", 9), Malformed::Old),
            (body("old -1", "", 9), Malformed::Old),
            (body("new 3", "", 9), Malformed::Old),
            (body("old 3", "AAAA\n", 9), Malformed::Proof),
            (body("old 3", &long, 9), Malformed::TooLong),
            (format!("old 3\n{ROOT}\n"), Malformed::Unterminated),
            (body("old 10", "", 9), Malformed::Shrinks { old: 10, new: 9 }),
        ] {
            assert_eq!(parse(wrong.as_bytes()).err(), Some(expected), "{wrong}");
        }
        assert!(matches!(parse(b"old 3\n\nno note"), Err(Malformed::Checkpoint(_))));
        assert_eq!(parse(&[0xff, 0xfe]).err(), Some(Malformed::NotText));
    }
}
