//! Rebuilding the root of a transparency log from its entry bundles, on one core, beside the raw rate of SHA-256 in the
//! same run. One long message is hashed block after block, each waiting for the one before; leaves do not wait for each other,
//! so that a share above 1 is possible.

use std::{hint::black_box, time::Duration};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest;
use muster_tlog::{
    Frontier, Hash, Leaf,
    bundle::{decode_bundle, encode_bundle, leaf_hashes},
    leaf::{Event, Genesis},
    tile::TILE_WIDTH,
    verify::{LeafWalk, Tolerance},
};
use sha2::{Digest, Sha256};

use crate::{
    report::{self, count, median, ratio},
    settings::Settings,
};

const ORIGIN: &str = "0198a1f2-7f6e-7c3a-9d64-0f2b6f0e4c11/01KA8Z6J0M3Q5V7X9B1D3F5H7K/record/1";
/// SHA-256 works on blocks of this size, and appends at least nine bytes.
const BLOCK_BYTES: usize = 64;
const PADDING_BYTES: usize = 9;
const NODE_BYTES: usize = 65;
const RAW_BYTES: usize = 64 << 20;
/// What is asked for: the root of a million events in half a second.
const GOAL: f64 = 2_000_000.0;

/// A file of the log, and how many leaves its name says.
struct Bundle {
    bytes: Vec<u8>,
    leaves: usize,
}

/// The root, and how long it took.
type Kind = fn(&[Bundle]) -> Result<(Hash, Duration)>;

pub(crate) fn run(settings: &Settings) -> Result<()> {
    let leaves = settings.tlog_leaves;
    report::title(&format!("tlog: the root of {} leaves, on one core", count(leaves as f64)));
    let (bundles, leaf_bytes) = bundles(leaves)?;
    let (expected, _) = rebuild(&bundles)?;
    let raw = vec![0x5a; RAW_BYTES];

    let kinds: [(&str, Kind); 3] = [
        ("root from entry bundles", rebuild),
        ("root from leaf hashes", from_hashes),
        ("`audit verify`'s walk over the leaves", walk),
    ];
    let mut turns: Vec<(f64, [f64; 3])> = Vec::new();
    for _ in 0..settings.turns {
        let raw_rate = raw_rate(&raw)?;
        let mut rates = [0.0; 3];
        for (rate, (name, kind)) in rates.iter_mut().zip(kinds) {
            let (root, took) = kind(&bundles)?;
            *rate = leaves as f64 / took.as_secs_f64();
            ensure!(root == expected, "{name} leads to another root");
        }
        turns.push((raw_rate, rates));
    }

    let raw_rate = median(turns.iter().map(|(raw, _)| *raw));
    let leaf_hashed = hashed(1 + leaf_bytes / leaves);
    let mut rows = vec![vec![
        "SHA-256, one long message".to_owned(),
        String::new(),
        format!("{} MB/s", count(raw_rate / 1e6)),
        ratio(1.0),
    ]];
    for (index, (name, _)) in kinds.iter().enumerate() {
        let of_kind = |rates: &[f64; 3]| rates.get(index).copied().unwrap_or(f64::NAN);
        let per_leaf = if index == 1 { hashed(NODE_BYTES) } else { leaf_hashed + hashed(NODE_BYTES) } as f64;
        let share = median(turns.iter().map(|(raw, rates)| of_kind(rates) * per_leaf / raw));
        let rate = median(turns.iter().map(|(_, rates)| of_kind(rates)));
        rows.push(vec![
            (*name).to_owned(),
            format!("{} leaves/s", count(rate)),
            format!("{} MB/s", count(rate * per_leaf / 1e6)),
            ratio(share),
        ]);
    }
    report::table(&["kind", "leaves", "hashed", "share of raw SHA-256"], rows);
    let rate = median(turns.iter().map(|(_, rates)| rates[0]));
    println!(
        "\nA leaf has {} bytes here; with its node {} bytes go through SHA-256. The raw rate is that of {} leaves/s; \
         the goal is {}: {}.",
        leaf_bytes / leaves,
        leaf_hashed + hashed(NODE_BYTES),
        count(raw_rate / (leaf_hashed + hashed(NODE_BYTES)) as f64),
        count(GOAL),
        if rate >= GOAL { "reached" } else { "not reached in this run" },
    );
    Ok(())
}

/// What SHA-256 works through for a message of so many bytes.
fn hashed(bytes: usize) -> usize {
    (bytes + PADDING_BYTES).div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

/// What this thread got of the processor: what others take of it says nothing about us.
fn processor_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").context("the time of this thread")?;
    let nanoseconds = stat.split(' ').next().and_then(|text| text.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.context("the time of this thread")?))
}

/// Bytes a second, by the faster of the two libraries that the product is built with.
fn raw_rate(bytes: &[u8]) -> Result<f64> {
    let rate = |hash: fn(&[u8]) -> Vec<u8>| {
        let started = processor_time()?;
        black_box(hash(black_box(bytes)));
        anyhow::Ok(bytes.len() as f64 / (processor_time()? - started).as_secs_f64())
    };
    let ours = rate(|bytes| Sha256::digest(bytes).to_vec())?;
    let theirs = rate(|bytes| digest::digest(&digest::SHA256, bytes).as_ref().to_vec())?;
    Ok(ours.max(theirs))
}

/// Entry bundles of a log as the product writes it.
fn bundles(leaves: usize) -> Result<(Vec<Bundle>, usize)> {
    let (mut bundles, mut bytes, mut texts) = (Vec::new(), 0, Vec::new());
    for index in 0..leaves as u64 {
        let text = leaf(index).to_text()?;
        bytes += text.len();
        texts.push(text);
        if texts.len() as u64 == TILE_WIDTH || index + 1 == leaves as u64 {
            bundles.push(Bundle { bytes: encode_bundle(&texts)?, leaves: texts.len() });
            texts.clear();
        }
    }
    Ok((bundles, bytes))
}

fn leaf(index: u64) -> Leaf {
    let (log, stream) = (ORIGIN.to_owned(), "record".to_owned());
    if index == 0 {
        return Leaf::Genesis(Genesis {
            log,
            stream,
            first_seq: 1,
            previous: None,
            key: format!("{ORIGIN}+e52bab12+AQ=="),
        });
    }
    let digest = Hash::of(&index.to_be_bytes());
    Leaf::Event(Event {
        log,
        stream,
        seq: index,
        subject: format!("rec.acme.request.0198a1f2-7f6e-7c3a-9d64-0f2b6f0e4c11.{index}"),
        time_ns: 1_791_190_800_000_000_000 + index * 500_000,
        headers_sha256: digest,
        payload_len: 640,
        payload_sha256: digest,
    })
}

fn rebuild(bundles: &[Bundle]) -> Result<(Hash, Duration)> {
    let started = processor_time()?;
    let mut frontier = Frontier::new();
    for bundle in bundles {
        frontier.extend(leaf_hashes(&bundle.bytes, bundle.leaves)?);
    }
    Ok((frontier.root(), processor_time()? - started))
}

/// The nodes alone: what a verifier does who has the tiles.
fn from_hashes(bundles: &[Bundle]) -> Result<(Hash, Duration)> {
    let mut hashes = Vec::new();
    for bundle in bundles {
        hashes.extend(leaf_hashes(&bundle.bytes, bundle.leaves)?);
    }
    let started = processor_time()?;
    let mut frontier = Frontier::new();
    frontier.extend(hashes);
    Ok((frontier.root(), processor_time()? - started))
}

fn walk(bundles: &[Bundle]) -> Result<(Hash, Duration)> {
    let started = processor_time()?;
    let mut walk = LeafWalk::new(ORIGIN, Tolerance::default(), Vec::new());
    for bundle in bundles {
        for leaf in decode_bundle(&bundle.bytes, bundle.leaves)? {
            black_box(walk.leaf(leaf));
        }
    }
    let (findings, frontier) = walk.finish();
    ensure!(findings.iter().len() == 0, "the walk found: {:?}", findings.iter().next());
    Ok((frontier.root(), processor_time()? - started))
}
