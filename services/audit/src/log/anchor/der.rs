//! The few DER values of a time-stamp request and its answer (RFC 3161, X.690).

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
/// The algorithm SHA-256 without parameters' value: OID 2.16.840.1.101.3.4.2.1 and NULL.
const SHA256: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
const BOOLEAN_TRUE: [u8; 3] = [0x01, 0x01, 0xff];
/// Tokens are a few KiB; three bytes of length are far more than we read.
const MAX_LENGTH_BYTES: usize = 3;

/// Tag, length, content.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short.to_le_bytes()[0]),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | bytes.len().to_le_bytes()[0]);
            out.extend(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A positive INTEGER with the fewest bytes.
fn positive(bytes: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign = if digits.first().is_none_or(|first| *first >= 0x80) { &[0_u8][..] } else { &[] };
    value(INTEGER, &[sign, &digits].concat())
}

/// `MessageImprint`: which bytes are time-stamped.
pub(super) fn imprint(sha256: &[u8; 32]) -> Vec<u8> {
    value(SEQUENCE, &[SHA256.as_slice(), &value(OCTET_STRING, sha256)].concat())
}

/// `nonce INTEGER`, so that an answer of yesterday is none for today.
pub(super) fn nonce(random: u64) -> Vec<u8> {
    positive(&random.to_be_bytes())
}

/// `TimeStampReq`, version 1, with our nonce, asking for the authority's certificate.
pub(super) fn request(imprint: &[u8], nonce: &[u8]) -> Vec<u8> {
    value(SEQUENCE, &[&positive(&[1]), imprint, nonce, &BOOLEAN_TRUE].concat())
}

/// The first value of `bytes`: its tag, its content, and what comes after it.
pub(super) fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(first) {
        short @ 0..=0x7f => (short, rest),
        long => {
            let count = long & 0x7f;
            if count == 0 || count > MAX_LENGTH_BYTES {
                return None;
            }
            let (length, rest) = rest.split_at_checked(count)?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// `TimeStampResp`: its status, and the token if one was granted.
pub(super) fn answer(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (SEQUENCE, content, []) = read(bytes)? else { return None };
    let (SEQUENCE, status_info, token) = read(content)? else { return None };
    let (INTEGER, &[status], _) = read(status_info)? else { return None };
    Some((status, token))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn numbers_have_the_fewest_bytes_and_a_positive_sign() {
        assert_eq!(nonce(0), [2, 1, 0]);
        assert_eq!(nonce(0x7f), [2, 1, 0x7f]);
        assert_eq!(nonce(0x80), [2, 2, 0, 0x80]);
        assert_eq!(nonce(u64::MAX), [2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn long_values_are_read_as_they_are_written() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let bytes = [value(OCTET_STRING, &content), vec![1, 2]].concat();
            assert_eq!(read(&bytes).unwrap(), (OCTET_STRING, content.as_slice(), [1, 2].as_slice()));
            assert!(read(&bytes[..bytes.len() - 3]).is_none(), "cut off: {length}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_or_has_more_is_none() {
        let granted = value(SEQUENCE, &[value(SEQUENCE, &positive(&[0])), value(SEQUENCE, b"token")].concat());
        let (status, token) = answer(&granted).unwrap();
        assert_eq!((status, read(token).unwrap().1), (0, b"token".as_slice()));
        assert!((0..granted.len()).all(|end| answer(&granted[..end]).is_none()));
        assert!(answer(&[granted.as_slice(), b"more"].concat()).is_none());
    }
}
