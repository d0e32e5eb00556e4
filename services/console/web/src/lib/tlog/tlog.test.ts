// Against files that a real log wrote, and against each way to tamper with them.

import { describe, expect, it } from "vitest";
import { type Bytes, concat, fromBase64, sha256, toBase64, toHex, utf8 } from "./bytes.ts";
import { knowsEd25519, parseKey, parseNote, signedBy, type VerifierKey } from "./note.ts";
import { parsePolicy, suffices } from "./policy.ts";
import { isIncluded, leafHash, parseLeaf, parseProof, rootOf } from "./proof.ts";
import file from "./testdata/seq-9.tlog-proof?raw";
import policyText from "./testdata/policy?raw";

const proof = () => {
  const found = parseProof(utf8(file));
  if (!found) throw new Error("the kept proof cannot be read");
  return found;
};
const policy = async () => {
  const found = await parsePolicy(policyText);
  if (!found) throw new Error("the kept policy cannot be read");
  return found;
};
const flipped = (bytes: Bytes, at = 0): Bytes => Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ 1 : byte));

describe("a proof that a real log made", () => {
  it("leads from its leaf to the checkpoint, which the log and its witness signed", async () => {
    const { leaf, index, note, checkpoint } = proof();
    expect(await isIncluded(proof())).toBe(true);
    expect(parseLeaf(leaf)).toMatchObject({ sequence: 9n, log: checkpoint.origin, subject: expect.stringContaining("acme") });
    expect(index).toBe(9n);
    expect(await knowsEd25519()).toBe(true);
    const { logs, witnesses, quorum } = await policy();
    expect((await signedBy(note, logs[0]!.key)).state).toBe("good");
    const cosigned = await signedBy(note, witnesses[0]!.key);
    expect(cosigned).toMatchObject({ state: "good", at: expect.closeTo(Date.parse("2026-11-22") / 1000, -7) });
    expect(quorum).not.toBe("none");
  });

  it("fails for any other leaf, place, path or root", async () => {
    const good = proof();
    expect(await isIncluded({ ...good, leaf: flipped(good.leaf, 40) })).toBe(false);
    for (let index = 0n; index < good.checkpoint.size + 2n; index += 1n) if (index !== good.index) expect(await isIncluded({ ...good, index })).toBe(false);
    for (let at = 0; at < good.hashes.length; at += 1) {
      expect(await isIncluded({ ...good, hashes: good.hashes.map((hash, place) => (place === at ? flipped(hash) : hash)) })).toBe(false);
    }
    expect(await isIncluded({ ...good, hashes: good.hashes.slice(1) })).toBe(false);
    expect(await isIncluded({ ...good, hashes: [...good.hashes, good.hashes[0]!] })).toBe(false);
    expect(await isIncluded({ ...good, checkpoint: { ...good.checkpoint, root: flipped(good.checkpoint.root) } })).toBe(false);
  });

  it("is not signed when the text, the signature or the key is another", async () => {
    const { note } = proof();
    const { logs, witnesses } = await policy();
    for (const key of [logs[0]!.key, witnesses[0]!.key]) {
      expect((await signedBy({ ...note, text: note.text.replace("\n", "\n1") }, key)).state).toBe("bad");
      const forged = { ...note, signatures: note.signatures.map((signature) => ({ ...signature, bytes: flipped(signature.bytes, 10) })) };
      expect((await signedBy(forged, key)).state).toBe("bad");
      expect((await signedBy({ ...note, signatures: [] }, key)).state).toBe("absent");
      expect((await signedBy(note, { ...key, publicKey: flipped(key.publicKey) })).state).toBe("bad");
    }
    // The time of a witness is part of what it signed.
    const earlier = { ...note, signatures: note.signatures.map((signature) => ({ ...signature, bytes: flipped(signature.bytes, 7) })) };
    expect((await signedBy(earlier, witnesses[0]!.key)).state).toBe("bad");
  });
});

describe("files that are not what they say", () => {
  it("are no proof", () => {
    for (const broken of ["", file.slice(1), file.replace("index 9", "index 09"), file.replace("index 9", "index -9"), file.replace("extra ", ""), file.slice(0, file.indexOf("\n\n") + 2), file.trimEnd()]) {
      expect(parseProof(utf8(broken))).toBeUndefined();
    }
    expect(parseProof(Uint8Array.of(0xff, 0xfe))).toBeUndefined();
    expect(parseNote("text without signatures\n")).toBeUndefined();
    expect(parseLeaf(utf8("muster-audit-gap/v1\n"))).toBeUndefined();
  });

  it("are no key: the id is a digest over name and key", async () => {
    const { logs } = await policy();
    const [name, id, blob] = logs[0]!.key.text.split("+").reduce<[string, string, string]>((all, part, at) => (at < 2 ? (all.splice(at, 1, part), all) : [all[0], all[1], all[2] ? `${all[2]}+${part}` : part]), ["", "", ""]);
    expect(((await parseKey(`${name}+${id}+${blob}`)) as VerifierKey).id).toBe(id);
    expect(await parseKey(`${name}x+${id}+${blob}`)).toMatch(/does not belong/);
    expect(await parseKey(`${name}+${id}`)).toMatch(/is written as/);
    expect(await parseKey("")).toMatch(/is written as/);
  });

  it("are no base64 in a second spelling", () => {
    expect(toBase64(fromBase64("aGk=") ?? new Uint8Array())).toBe("aGk=");
    for (const text of ["aGl=", "aGk", "aG k=", "aGk=="]) expect(fromBase64(text)).toBeUndefined();
  });
});

describe("a tree of any size", () => {
  it("is proven at every place by its own path and by no other", async () => {
    const node = (left: Bytes, right: Bytes) => sha256(concat(Uint8Array.of(1), left, right));
    const largest = (size: number) => 2 ** Math.floor(Math.log2(size - 1));
    async function tree(leaves: Bytes[]): Promise<Bytes> {
      if (leaves.length === 1) return leaves[0]!;
      const split = largest(leaves.length);
      return node(await tree(leaves.slice(0, split)), await tree(leaves.slice(split)));
    }
    async function path(at: number, leaves: Bytes[]): Promise<Bytes[]> {
      if (leaves.length === 1) return [];
      const split = largest(leaves.length);
      const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
      return at < split ? [...(await path(at, left)), await tree(right)] : [...(await path(at - split, right)), await tree(left)];
    }
    for (let size = 1; size <= 20; size += 1) {
      const leaves = await Promise.all(Array.from({ length: size }, (_, at) => leafHash(utf8(`leaf ${at}`))));
      const root = toHex(await tree(leaves));
      for (let at = 0; at < size; at += 1) {
        const way = await path(at, leaves);
        const found = await rootOf(leaves[at]!, BigInt(at), BigInt(size), way);
        expect(found && toHex(found)).toBe(root);
        if (way.length > 0) expect(await rootOf(leaves[at]!, BigInt(at), BigInt(size), way.slice(1))).toBeUndefined();
      }
    }
  });
});

describe("a quorum of witnesses", () => {
  it("is met by a witness, a group, a group of groups, and by nobody where the policy says so", async () => {
    const { witnesses } = await policy();
    const [key] = witnesses;
    const all = (quorum: string) => ({
      logs: [],
      witnesses: ["a", "b", "c"].map((name) => ({ name, key: key!.key })),
      groups: [
        { name: "two", threshold: 2, members: ["a", "b", "c"] },
        { name: "both", threshold: 2, members: ["two", "c"] },
        { name: "circle", threshold: 1, members: ["circle"] },
      ],
      quorum,
    });
    const says = (quorum: string, ...good: string[]) => suffices(all(quorum), new Set(good));
    expect([says("none"), says("a", "a"), says("a", "b"), says("two", "a"), says("two", "a", "c")]).toEqual([true, true, false, false, true]);
    expect([says("both", "a", "b"), says("both", "a", "c"), says("circle", "a"), says("nobody", "nobody")]).toEqual([false, true, false, false]);
  });

  it("is not guessed from a text that is no policy", async () => {
    for (const text of ["", "quorum", "log nonsense\nquorum none", "group g 3 a b\nquorum g", "quorum none\nquorum none"]) expect(await parsePolicy(text)).toBeUndefined();
  });
});
