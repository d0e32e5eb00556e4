// Verifies an evidence package with Go's own library for transparency logs (golang.org/x/mod/sumdb), which shares no code
// with Muster. `outside PACKAGE KEYS`, where KEYS has log.vkey and witness.vkey. Ends with 1 and says why when it refuses.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := verify(os.Args[1], os.Args[2]); err != nil {
		fmt.Println("REFUSED:", err)
		os.Exit(1)
	}
}

type tree struct {
	size int64
	root tlog.Hash
}

func verify(dir, keys string) error {
	verifiers, err := keysOf(keys)
	if err != nil {
		return err
	}
	newest, err := checkpoint(filepath.Join(dir, "checkpoint"), verifiers)
	if err != nil {
		return err
	}
	fmt.Println("checkpoint signed and witnessed:", newest.size, "leaves")

	stored, count, err := rebuild(dir, newest.size)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(count, stored)
	if err != nil {
		return err
	}
	if count != newest.size || root != newest.root {
		return fmt.Errorf("%d leaves lead to %v, and %v was signed for %d", count, root, newest.root, newest.size)
	}
	fmt.Println("root rebuilt from the entry bundles:", root)

	if err := proofs(dir, newest); err != nil {
		return err
	}
	return older(dir, verifiers, newest, stored)
}

func keysOf(dir string) ([]note.Verifier, error) {
	log, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return nil, err
	}
	first, err := note.NewVerifier(strings.TrimSpace(string(log)))
	if err != nil {
		return nil, err
	}
	second, err := os.ReadFile(filepath.Join(dir, "witness.vkey"))
	if err != nil {
		return nil, err
	}
	witness, err := newWitness(strings.TrimSpace(string(second)))
	return []note.Verifier{first, witness}, err
}

// witness verifies cosignatures: the time stands before the signature, and before the text that was signed.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if len(key) != 33 || key[0] != 4 {
		return nil, fmt.Errorf("not the key of a witness")
	}
	return &witness{parts[0], uint32(hash), key[1:]}, nil
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(w.key, []byte(signed), sig[8:])
}

func checkpoint(path string, verifiers []note.Verifier) (tree, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return tree{}, err
	}
	return opened(file, verifiers)
}

func opened(file []byte, verifiers []note.Verifier) (tree, error) {
	opened, err := note.Open(file, note.VerifierList(verifiers...))
	if err != nil {
		return tree{}, err
	}
	if len(opened.Sigs) != len(verifiers) {
		return tree{}, fmt.Errorf("signed by %d of the log and its witness", len(opened.Sigs))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifiers[0].Name() {
		return tree{}, fmt.Errorf("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tree{size, root}, err
}

// hashes is a store of all hashes of a tree, in memory.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, index := range indexes {
		if index >= int64(len(h)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		found = append(found, h[index])
	}
	return found, nil
}

// rebuild hashes every leaf of the entry bundles.
func rebuild(dir string, size int64) (hashes, int64, error) {
	var stored hashes
	count := int64(0)
	for start := int64(0); start < size; start += 256 {
		width := min(size-start, 256)
		// Height 8 is that of tlog-tiles; Go's paths name it, tlog-tiles' do not.
		path := tlog.Tile{H: 8, L: -1, N: start / 256, W: int(width)}.Path()
		path = strings.Replace(path, "tile/8/data/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, 0, err
		}
		for len(bundle) > 0 {
			length := 2 + int(binary.BigEndian.Uint16(bundle))
			if length > len(bundle) {
				return nil, 0, fmt.Errorf("%s is cut off", path)
			}
			more, err := tlog.StoredHashes(count, bundle[2:length], stored)
			if err != nil {
				return nil, 0, err
			}
			stored = append(stored, more...)
			bundle = bundle[length:]
			count++
		}
	}
	return stored, count, nil
}

func proofs(dir string, newest tree) error {
	files, err := filepath.Glob(filepath.Join(dir, "proofs", "*.tlog-proof"))
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := proof(content, newest); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	fmt.Println("inclusion proofs:", len(files))
	return nil
}

func proof(content []byte, newest tree) error {
	head, _, found := bytes.Cut(content, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 3 {
		return fmt.Errorf("not a proof")
	}
	leaf, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		path = append(path, hash)
	}
	return tlog.CheckRecord(path, newest.size, newest.root, index, tlog.RecordHash(leaf))
}

// older shows that the newest tree begins with each older one.
func older(dir string, verifiers []note.Verifier, newest tree, stored hashes) error {
	files, err := filepath.Glob(filepath.Join(dir, "checkpoint.[0-9]*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		old, err := checkpoint(file, verifiers)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		if old.size > newest.size {
			return fmt.Errorf("the log was cut off: it had %d leaves and has %d", old.size, newest.size)
		}
		path, err := tlog.ProveTree(newest.size, old.size, stored)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(path, newest.size, newest.root, old.size, old.root); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		fmt.Println("grown from", old.size, "to", newest.size)
	}
	return nil
}
