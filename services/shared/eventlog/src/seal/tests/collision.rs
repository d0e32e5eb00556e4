//! Why a commitment: AES-GCM alone opens one ciphertext to two texts under two keys, when somebody who has both makes it so
//! (Dodis, Grubbs, Ristenpart, Woodage: "Fast Message Franking", CRYPTO 2018). Here it is made, and refused.

use aws_lc_rs::{aead, cipher, hkdf, hmac};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{SUBJECT, headers, key};
use crate::{
    keyring::DataKey,
    seal::{COMMIT, COMMIT_TEXT, EventKeys, KEY, SALT, SealError, associated_data, nonce, open},
};

#[test]
fn two_keys_cannot_open_one_ciphertext() {
    let keys = [key(1), key(2)];
    for committed in [0, 1] {
        let mut headers = headers();
        headers.insert(KEY, "00000000-0000-0000-0000-000000000007");
        headers.insert(SALT, BASE64.encode([9; 32]));
        headers.insert(COMMIT, BASE64.encode(EventKeys::of(&keys[committed]).unwrap().commitment()));
        let context = associated_data(SUBJECT, &headers).unwrap();
        let forged = collide(&keys, &context);
        for key in &keys {
            let mut bytes = forged.clone();
            let plain = EventKeys::of(key)
                .unwrap()
                .cipher
                .open_in_place(nonce(), aead::Aad::from(&context), &mut bytes)
                .is_ok();
            assert!(plain, "the forgery does not work, so this test shows nothing");
        }
        let other = &keys[1 - committed];
        assert_eq!(open(SUBJECT, &headers, other, &forged), Err(SealError::OtherKey));
        assert!(
            hmac::verify(
                &EventKeys::of(&keys[committed]).unwrap().commit,
                COMMIT_TEXT,
                &BASE64.decode(headers.get(COMMIT).unwrap()).unwrap()
            )
            .is_ok()
        );
    }
}

/// A ciphertext of one block, and a tag that fits under both keys.
fn collide(keys: &[DataKey; 2], context: &[u8]) -> Vec<u8> {
    let mut blocks: Vec<u128> = context.chunks(16).map(block).collect();
    blocks.push(0);
    blocks.push(u128::from(context.len() as u64 * 8) << 64 | 128);
    let parts: Vec<(u128, u128)> = keys
        .iter()
        .map(|key| {
            let h = encrypt(key, 0);
            // Of the counter block: twelve zero bytes and a one.
            (h, encrypt(key, 1) ^ hash(&blocks, h))
        })
        .collect();
    let [(h0, rest0), (h1, rest1)] = parts[..] else { unreachable!() };
    // The unknown block stands before the last one, so its weight is H squared.
    let unknown = multiply(rest0 ^ rest1, inverse(multiply(h0, h0) ^ multiply(h1, h1)));
    let tag = rest0 ^ multiply(unknown, multiply(h0, h0));
    [unknown.to_be_bytes(), tag.to_be_bytes()].concat()
}

fn block(bytes: &[u8]) -> u128 {
    let mut padded = [0; 16];
    padded[..bytes.len()].copy_from_slice(bytes);
    u128::from_be_bytes(padded)
}

/// One block of AES under the key that the event is encrypted with.
fn encrypt(key: &DataKey, plain: u128) -> u128 {
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key.expose());
    let mut bytes = [0; 32];
    prk.expand(&[b"muster-payload/v1 aes-256-gcm"], hkdf::HKDF_SHA256).unwrap().fill(&mut bytes).unwrap();
    let aes = cipher::UnboundCipherKey::new(&cipher::AES_256, &bytes).unwrap();
    let mut block = plain.to_be_bytes();
    cipher::EncryptingKey::ecb(aes).unwrap().encrypt(&mut block).unwrap();
    u128::from_be_bytes(block)
}

fn hash(blocks: &[u128], h: u128) -> u128 {
    blocks.iter().fold(0, |sum, block| multiply(sum ^ block, h))
}

/// In GF(2^128) as GCM writes it: the most significant bit is the coefficient of 1 (NIST SP 800-38D, 6.3).
fn multiply(x: u128, y: u128) -> u128 {
    let (mut product, mut shifted) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= shifted;
        }
        let carry = shifted & 1;
        shifted >>= 1;
        if carry == 1 {
            shifted ^= 0xe1 << 120;
        }
    }
    product
}

/// x^(2^128 - 2)
fn inverse(x: u128) -> u128 {
    let (mut result, mut power) = (1 << 127, x);
    for _ in 0..127 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}
