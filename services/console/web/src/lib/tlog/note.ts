// Signed notes (C2SP signed-note) and their keys, checked by the browser itself.

import { type Bytes, concat, fromBase64, same, sha256, toHex, utf8 } from "./bytes.ts";

const ED25519 = 1;
/** A witness' cosignature (tlog-cosignature): over the time and the text. */
const COSIGNATURE = 4;

export interface VerifierKey {
  text: string;
  name: string;
  id: string;
  algorithm: number;
  publicKey: Bytes;
}

export interface Note {
  text: string;
  signatures: { name: string; id: string; bytes: Bytes }[];
}

/** "name+id+base64", or what is wrong with it. */
export async function parseKey(text: string): Promise<VerifierKey | string> {
  const [name = "", id = "", ...rest] = text.trim().split("+");
  const blob = fromBase64(rest.join("+"));
  if (!name || !/^[0-9a-f]{8}$/.test(id) || blob?.length !== 33) return "A verifier key is written as name+key id+base64.";
  const algorithm = blob[0] ?? 0;
  if (algorithm !== ED25519 && algorithm !== COSIGNATURE) return "The key is of a kind that is not known here.";
  const right = toHex((await sha256(concat(utf8(`${name}\n`), blob))).slice(0, 4));
  if (right !== id) return `The key id ${id} does not belong to this name and key: it would be ${right}.`;
  return { text: text.trim(), name, id, algorithm, publicKey: blob.slice(1) };
}

export function parseNote(all: string): Note | undefined {
  const end = all.lastIndexOf("\n\n");
  if (end < 0 || !all.endsWith("\n")) return undefined;
  const signatures = [];
  for (const line of all.slice(end + 2, -1).split("\n")) {
    const found = /^— (\S+) (\S+)$/.exec(line);
    const blob = fromBase64(found?.[2] ?? "!");
    if (!found || !blob || blob.length <= 4) return undefined;
    signatures.push({ name: found[1] ?? "", id: toHex(blob.slice(0, 4)), bytes: blob.slice(4) });
  }
  return { text: all.slice(0, end + 1), signatures };
}

export interface Checkpoint {
  origin: string;
  size: bigint;
  root: Bytes;
}

export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin = "", size = "", root = ""] = text.split("\n");
  const hash = fromBase64(root);
  if (!origin || !/^(0|[1-9]\d{0,18})$/.test(size) || hash?.length !== 32) return undefined;
  return { origin, size: BigInt(size), root: hash };
}

export type Signed = { state: "good"; at?: number } | { state: "bad" | "absent" | "cannot" };

/** Whether this browser has Ed25519 at all: where it has not, nobody may read "good". */
export async function knowsEd25519(): Promise<boolean> {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32), "Ed25519", false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

/** Whether `key` signed the note. A witness' time is in Unix seconds. */
export async function signedBy(note: Note, key: VerifierKey): Promise<Signed> {
  const found = note.signatures.find(({ name, id }) => name === key.name && id === key.id);
  if (!found) return { state: "absent" };
  if (!(await knowsEd25519())) return { state: "cannot" };
  const witness = key.algorithm === COSIGNATURE;
  if (found.bytes.length !== (witness ? 72 : 64)) return { state: "bad" };
  const at = witness ? new DataView(found.bytes.buffer, found.bytes.byteOffset).getBigUint64(0) : undefined;
  const signature = witness ? found.bytes.slice(8) : found.bytes;
  const text = at === undefined ? note.text : `cosignature/v1\ntime ${at}\n${note.text}`;
  try {
    const imported = await crypto.subtle.importKey("raw", key.publicKey, "Ed25519", false, ["verify"]);
    const good = await crypto.subtle.verify("Ed25519", imported, signature, utf8(text));
    return good ? { state: "good", ...(at === undefined ? {} : { at: Number(at) }) } : { state: "bad" };
  } catch {
    return { state: "bad" };
  }
}

export const sameKey = (a: VerifierKey, b: VerifierKey): boolean => a.name === b.name && a.algorithm === b.algorithm && same(a.publicKey, b.publicKey);
