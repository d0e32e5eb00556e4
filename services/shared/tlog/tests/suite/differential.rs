//! Two other implementations on random trees: Cloudflare's port of Go's `sumdb` (`tlog_tiles`, `signed_note`), and `ct-merkle`.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::collections::HashMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use muster_tlog::{
    Algorithm, Checkpoint, Frontier, Hash, Note, SigningKey, SoftwareKey, Tile, VerifierKey, leaf_hash,
    merkle::{self, HashReader, ProofError},
    node_hash,
    tile::{self, Kind},
    tile_set::{TileSet, TileSetError, TileWriter},
    tree::Subtree,
};
use proptest::{prelude::*, sample::Index};
use sha2_of_ct_merkle::Sha256;
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::tlog;

/// The leaves of the trees in these tests.
fn leaf(seed: u8, index: u64) -> Vec<u8> {
    format!("{seed} leaf {index}").into_bytes()
}

/// A tree as its definition says, with nothing remembered.
struct Naive(Vec<Hash>);

#[derive(Debug)]
struct Never;

impl From<ProofError> for Never {
    fn from(_: ProofError) -> Self {
        Self
    }
}

impl HashReader for Naive {
    type Error = Never;

    fn hash(&self, subtree: Subtree) -> Result<Hash, Never> {
        let (start, len) = (subtree.first_leaf() as usize, subtree.leaves() as usize);
        let mut level = self.0[start..start + len].to_vec();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        }
        Ok(level[0])
    }
}

/// What a log stores in their scheme.
struct Theirs(Vec<tlog::Hash>);

impl tlog::HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

impl Theirs {
    fn new(seed: u8, size: u64) -> Self {
        let mut stored = Self(Vec::new());
        for index in 0..size {
            let more = tlog::stored_hashes(index, &leaf(seed, index), &stored).unwrap();
            stored.0.extend(more);
        }
        stored
    }
}

fn ct_tree(seed: u8, size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|index| tree.push(leaf(seed, index)));
    tree
}

fn joined(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

fn our_proof(theirs: &[tlog::Hash]) -> Vec<Hash> {
    theirs.iter().map(|hash| Hash(hash.0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn roots_and_proofs_are_those_of_both_others(
        seed in any::<u8>(), size in 1_u64..600, leaf_at in any::<Index>(), old_at in any::<Index>()
    ) {
        let hashes: Vec<Hash> = (0..size).map(|index| leaf_hash(&leaf(seed, index))).collect();
        let (ours, theirs, ct) = (Naive(hashes.clone()), Theirs::new(seed, size), ct_tree(seed, size));
        let mut frontier = Frontier::new();
        frontier.extend(hashes.iter().copied());
        let root = frontier.root();
        prop_assert_eq!(root.0, tlog::tree_hash(size, &theirs).unwrap().0);
        let ct_root = ct.root();
        prop_assert_eq!(root.0.as_slice(), ct_root.as_bytes().as_slice());
        prop_assert_eq!(merkle::root(size, &ours).unwrap(), root);

        let index = leaf_at.index(size as usize) as u64;
        let inclusion = merkle::prove_inclusion(index, size, &ours).unwrap();
        prop_assert_eq!(&inclusion, &our_proof(&tlog::prove_record(size, index, &theirs).unwrap()));
        let ct_proof = ct.prove_inclusion(index as usize);
        prop_assert_eq!(joined(&inclusion), ct_proof.as_bytes());
        merkle::verify_inclusion(&inclusion, index, hashes[index as usize], size, root).unwrap();

        let old = 1 + old_at.index(size as usize) as u64;
        let old_root = merkle::root(old, &ours).unwrap();
        let consistency = merkle::prove_consistency(old, size, &ours).unwrap();
        prop_assert_eq!(&consistency, &our_proof(&tlog::prove_tree(size, old, &theirs).unwrap()));
        if old < size {
            let theirs = ct.prove_consistency((size - old) as usize);
            prop_assert_eq!(joined(&consistency), theirs.as_bytes());
        }
        merkle::verify_consistency(&consistency, (old, old_root), (size, root)).unwrap();
    }

    #[test]
    fn what_is_changed_in_a_proof_is_refused_by_us_and_by_them(
        size in 2_u64..300, leaf_at in any::<Index>(), old_at in any::<Index>(), at in any::<Index>(), bit in 0_usize..256
    ) {
        let hashes: Vec<Hash> = (0..size).map(|index| leaf_hash(&leaf(1, index))).collect();
        let tree = Naive(hashes.clone());
        let root = merkle::root(size, &tree).unwrap();
        let flip = |proof: &mut Vec<Hash>| {
            let place = at.index(proof.len());
            proof[place].0[bit / 8] ^= 1 << (bit % 8);
        };
        let index = leaf_at.index(size as usize) as u64;
        let good = merkle::prove_inclusion(index, size, &tree).unwrap();
        let mut proof = good.clone();
        flip(&mut proof);
        let leaf = hashes[index as usize];
        prop_assert!(merkle::verify_inclusion(&proof, index, leaf, size, root).is_err());
        let theirs: Vec<tlog::Hash> = proof.iter().map(|hash| tlog::Hash(hash.0)).collect();
        prop_assert!(tlog::check_record(&theirs, size, tlog::Hash(root.0), index, tlog::Hash(leaf.0)).is_err());
        // A good proof of another place, or with a hash too few or too many.
        let other = (index + 1) % size;
        prop_assert!(merkle::verify_inclusion(&good, other, leaf, size, root).is_err());
        prop_assert!(merkle::verify_inclusion(&good[1..], index, leaf, size, root).is_err());
        let longer = [good.as_slice(), &[root]].concat();
        prop_assert!(merkle::verify_inclusion(&longer, index, leaf, size, root).is_err());

        let old = 1 + old_at.index(size as usize - 1) as u64;
        let old_root = merkle::root(old, &tree).unwrap();
        let mut proof = merkle::prove_consistency(old, size, &tree).unwrap();
        flip(&mut proof);
        prop_assert!(merkle::verify_consistency(&proof, (old, old_root), (size, root)).is_err());
        let theirs: Vec<tlog::Hash> = proof.iter().map(|hash| tlog::Hash(hash.0)).collect();
        prop_assert!(tlog::check_tree(&theirs, size, tlog::Hash(root.0), old, tlog::Hash(old_root.0)).is_err());
    }

    #[test]
    fn growth_writes_the_tiles_that_they_would_write(old in 0_u64..200_000, growth in 0_u64..2_000) {
        let new = old + growth;
        let ours: Vec<String> =
            tile::grown(old, new).iter().filter(|tile| tile.kind != Kind::Entries).map(Tile::path).collect();
        let theirs: Vec<String> =
            tlog_tiles::Tile::new_tiles(8, old, new).iter().map(path_of).collect();
        // They leave a level out that did not grow to a new tile; the sets are equal.
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn tile_paths_are_theirs_and_come_back(level in 0_u8..6, index in 0_u64..5_000_000_000, width in 1_u16..=256) {
        let tile = Tile { kind: Kind::Hashes { level }, index, width };
        let theirs = tlog_tiles::Tile::new(8, level, index, width.into(), false);
        prop_assert_eq!(tile.path(), path_of(&theirs));
        prop_assert_eq!(tile.path().parse::<Tile>().unwrap(), tile);
        let entries = Tile { kind: Kind::Entries, index, width };
        prop_assert_eq!(entries.path().parse::<Tile>().unwrap(), entries);
    }

    /// Written in batches of any size, with a new process after each: the tiles are those of one go, and proofs can be
    /// made from them alone.
    #[test]
    fn tiles_written_in_batches_are_those_of_one_go(batches in prop::collection::vec(1_u64..400, 1..6), at in any::<Index>()) {
        let mut files: HashMap<String, Vec<u8>> = HashMap::new();
        let (mut size, mut frontier) = (0_u64, Frontier::new());
        for batch in batches {
            let load = |tile: Tile| files.get(&tile.path()).cloned();
            let mut writer = TileWriter::resume(size, load).unwrap();
            prop_assert_eq!(writer.root(), frontier.root());
            for index in size..size + batch {
                let hash = leaf_hash(&leaf(2, index));
                writer.push(hash);
                frontier.push(hash);
            }
            let mut written: Vec<Tile> = Vec::new();
            for (tile, bytes) in writer.take_full().into_iter().chain(writer.partial()) {
                match files.insert(tile.path(), bytes.clone()) {
                    // A partial tile above that did not grow.
                    Some(before) => prop_assert_eq!(before, bytes),
                    None => written.push(tile),
                }
            }
            let mut expected: Vec<Tile> = tile::grown(size, size + batch)
                .into_iter()
                .filter(|tile| tile.kind != Kind::Entries)
                .collect();
            written.sort();
            expected.sort();
            prop_assert_eq!(written, expected);
            size += batch;
            prop_assert_eq!(writer.frontier(), frontier.clone());
            prop_assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).unwrap(), frontier.clone());
        }
        let index = at.index(size as usize) as u64;
        let needs = merkle::inclusion_needs(index, size).unwrap();
        let mut tiles = TileSet::new(size);
        for tile in tile::tiles_of(&needs, size) {
            tiles.insert(tile, &files[&tile.path()]).unwrap();
        }
        let proof = merkle::prove_inclusion(index, size, &tiles).unwrap();
        merkle::verify_inclusion(&proof, index, leaf_hash(&leaf(2, index)), size, frontier.root()).unwrap();
        let other = Tile { kind: Kind::Hashes { level: 3 }, index: 9, width: 1 };
        let missing = tiles.hash(Subtree { level: 24, index: 9 });
        prop_assert!(matches!(missing, Err(TileSetError::Missing(tile)) if tile.index == 0 || tile == other));
    }

    #[test]
    fn notes_that_we_sign_are_read_by_them(seed in any::<[u8; 32]>(), size in any::<u64>(), root in any::<[u8; 32]>()) {
        let key = SoftwareKey::from_seed("log.example/a", Algorithm::Ed25519, &seed).unwrap();
        let note = Checkpoint::new("log.example/a", size, Hash(root)).sign(&[&key]).unwrap();
        let verifier = StandardVerifier::new(&key.verifier().to_string()).unwrap();
        let theirs = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        let (good, _) = theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
        prop_assert_eq!(good.len(), 1);
        let checkpoint = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
        prop_assert_eq!((checkpoint.size(), checkpoint.hash().0), (size, root));
        // And the other way round: their signer, from our text form of the key.
        let signer = signed_note::StandardSigner::new(&key.to_skey().unwrap()).unwrap();
        let mut signed = signed_note::Note::new(note.text().as_bytes(), &[]).unwrap();
        signed.add_sigs(&[&signer]).unwrap();
        prop_assert_eq!(signed.to_bytes(), note.to_string().into_bytes());
    }

    /// Any change of any byte of a signed checkpoint is refused, by us and by them.
    #[test]
    fn a_changed_checkpoint_is_refused(size in any::<u32>(), at in any::<Index>(), bit in 0_u8..8) {
        let key = SoftwareKey::from_seed("log.example/a", Algorithm::Ed25519, &[7; 32]).unwrap();
        let known: Vec<VerifierKey> = vec![key.verifier().clone()];
        let mut bytes = Checkpoint::new("log.example/a", size.into(), Hash([9; 32])).sign(&[&key]).unwrap().to_string().into_bytes();
        Checkpoint::open(&bytes, &known).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(Checkpoint::open(&bytes, &known).is_err());
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _: Result<_, _> = Note::parse(&bytes);
        let _: Result<_, _> = muster_tlog::TlogProof::parse(&bytes);
        let _: Result<_, _> = muster_tlog::Leaf::parse(&bytes);
        let _: Result<Vec<&[u8]>, _> = muster_tlog::bundle::decode_bundle(&bytes, 3);
        let text = String::from_utf8_lossy(&bytes);
        let _: Result<muster_tlog::Policy, _> = text.parse();
        let _: Result<Tile, _> = text.parse();
        let _: Result<VerifierKey, _> = text.parse();
        let _: Result<Checkpoint, _> = text.parse();
    }
}

/// Theirs has the height in front: `tile/8/0/x001/234.p/56`.
fn path_of(tile: &tlog_tiles::Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}
