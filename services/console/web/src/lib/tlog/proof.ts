// A .tlog-proof file (C2SP tlog-proof): one leaf, its place, and the checkpoint that it leads to (RFC 6962).

import { type Bytes, concat, fromBase64, same, sha256 } from "./bytes.ts";
import { type Checkpoint, type Note, parseCheckpoint, parseNote } from "./note.ts";

const HEADER = "c2sp.org/tlog-proof@v1";
/** A path in a tree of 2^64 leaves. */
const MAX_HASHES = 64;

export interface Proof {
  leaf: Bytes;
  index: bigint;
  hashes: Bytes[];
  note: Note;
  checkpoint: Checkpoint;
}

export function parseProof(file: Uint8Array): Proof | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(file);
  } catch {
    return undefined;
  }
  const split = text.indexOf("\n\n");
  const [header, extra = "", place = "", ...rest] = text.slice(0, Math.max(0, split)).split("\n");
  const leaf = extra.startsWith("extra ") ? fromBase64(extra.slice(6)) : undefined;
  const index = /^index (0|[1-9]\d{0,18})$/.exec(place)?.[1];
  const hashes = rest.map(fromBase64);
  const note = parseNote(text.slice(split + 2));
  const checkpoint = note && parseCheckpoint(note.text);
  if (header !== HEADER || !leaf || index === undefined || !note || !checkpoint || hashes.length > MAX_HASHES) return undefined;
  const whole = hashes.filter((hash): hash is Bytes => hash?.length === 32);
  return whole.length === hashes.length ? { leaf, index: BigInt(index), hashes: whole, note, checkpoint } : undefined;
}

export const leafHash = (leaf: Bytes): Promise<Bytes> => sha256(concat(Uint8Array.of(0), leaf));
const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> => sha256(concat(Uint8Array.of(1), left, right));

/** The root that the leaf leads to at this place; undefined where the path has not the length of this place. */
export async function rootOf(hash: Bytes, index: bigint, size: bigint, path: readonly Bytes[]): Promise<Bytes | undefined> {
  if (index >= size) return undefined;
  let [at, last, found] = [index, size - 1n, hash];
  for (const sibling of path) {
    if (last === 0n) return undefined;
    if (at % 2n === 1n || at === last) {
      found = await nodeHash(sibling, found);
      while (at % 2n === 0n && at !== 0n) [at, last] = [at / 2n, last / 2n];
    } else {
      found = await nodeHash(found, sibling);
    }
    [at, last] = [at / 2n, last / 2n];
  }
  return last === 0n ? found : undefined;
}

export async function isIncluded({ leaf, index, hashes, checkpoint }: Proof): Promise<boolean> {
  const root = await rootOf(await leafHash(leaf), index, checkpoint.size, hashes);
  return root !== undefined && same(root, checkpoint.root);
}

export interface Leaf {
  log: string;
  sequence: bigint;
  subject: string;
  payloadBytes: bigint;
  payloadSha256: string;
}

const LEAF = /^muster-audit-leaf\/v1\nlog (\S+)\nstream \S+\nseq (\d{1,19})\nsubject (\S+)\ntime \d{1,19}\nheaders sha256:[0-9a-f]{64}\npayload (\d{1,19}) sha256:([0-9a-f]{64})\n$/;

/** The leaf of an event; undefined for any other text. */
export function parseLeaf(bytes: Bytes): Leaf | undefined {
  const [, log, sequence, subject, length, digest] = LEAF.exec(new TextDecoder().decode(bytes)) ?? [];
  if (log === undefined || sequence === undefined || subject === undefined || length === undefined || digest === undefined) return undefined;
  return { log, sequence: BigInt(sequence), subject, payloadBytes: BigInt(length), payloadSha256: digest };
}
