//! The large built files, packed once: the pages are a megabyte, and to pack that again for each visitor takes longer than
//! everything else that a first visit asks for.

use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::app::Dist;

/// Below it, packing saves no packet on the network.
const WORTH_PACKING_BYTES: usize = 4096;

static PACKED: LazyLock<HashMap<String, Vec<u8>>> = LazyLock::new(|| {
    let large = |name: &str| Dist::get(name).filter(|file| file.data.len() >= WORTH_PACKING_BYTES);
    Dist::iter().filter_map(|name| Some((name.to_string(), gzip(&large(&name)?.data)?))).collect()
});

/// Packs everything that is not packed yet; blocks meanwhile.
pub(crate) fn pack() {
    LazyLock::force(&PACKED);
}

/// The file for a browser that takes it packed. `None`: it is sent as it is.
pub(crate) fn for_browser(name: &str, headers: &HeaderMap) -> Option<&'static [u8]> {
    if !takes_gzip(headers) {
        return None;
    }
    PACKED.get(name).map(Vec::as_slice)
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|one| {
        let (name, quality) = one.split_once(';').unwrap_or((one, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(quality.trim(), "q=0" | "q=0.0")
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]

    use std::io::Read;

    use axum::http::HeaderValue;
    use flate2::read::GzDecoder;

    use super::*;

    fn asking(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))])
    }

    #[test]
    fn packed_pages_are_the_same_pages() {
        let names: Vec<String> =
            Dist::iter().map(|name| name.to_string()).filter(|name| name.ends_with(".js")).collect();
        let large: Vec<_> = names.iter().filter_map(|name| Some((name, for_browser(name, &asking("gzip"))?))).collect();
        assert!(!large.is_empty(), "{names:?}");
        for (name, packed) in large {
            let mut whole = Vec::new();
            GzDecoder::new(packed).read_to_end(&mut whole).unwrap();
            assert_eq!(whole, Dist::get(name).unwrap().data.into_owned(), "{name}");
            assert!(packed.len() * 2 < whole.len(), "{name}: {} of {}", packed.len(), whole.len());
        }
    }

    #[test]
    fn only_who_takes_gzip_gets_it() {
        for (value, taken) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false), ("", false)]
        {
            assert_eq!(takes_gzip(&asking(value)), taken, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
