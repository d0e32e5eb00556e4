// Whether one record is what the transparency log holds: recomputed in this browser, step by step. The server only hands
// over files; what they say is not believed before it was checked.

import type { AuditRecord } from "../../gen/muster/audit/v1/audit_pb.ts";
import { knowsEd25519, parseKey, sameKey, type Signed, signedBy, type VerifierKey } from "../../lib/tlog/note.ts";
import { parsePolicy, type Policy, suffices } from "../../lib/tlog/policy.ts";
import { isIncluded, parseLeaf, parseProof, type Proof } from "../../lib/tlog/proof.ts";
import { toHex } from "../../lib/tlog/bytes.ts";

export interface Finding {
  /** "unknown": it could not be checked here; never shown as good. */
  state: "good" | "bad" | "unknown";
  what: string;
  text: string;
}

export interface Checked {
  findings: Finding[];
  /** What an auditor keeps: where it stands, and under which root. */
  place?: { index: bigint; size: bigint; root: string; origin: string; key: string };
}

const finding = (state: Finding["state"], what: string, text: string): Finding => ({ state, what, text });

type Named = Pick<AuditRecord, "sequence" | "payloadSha256" | "aggregate" | "aggregateVersion" | "tenant">;

/** `given`: the verifier key that the person was handed on another way; empty: the one that this Muster shows. */
export async function check(record: Named, file: Uint8Array, policyText: string, given: string): Promise<Checked> {
  const proof = parseProof(file);
  if (!proof) return { findings: [finding("bad", "The proof", "What the server gave is no proof file.")] };
  const policy = await parsePolicy(policyText);
  const log = await logKey(proof, policy, given);
  const findings = [leafOf(record, proof), await included(proof), log.finding, await witnessed(proof, policy)];
  const { checkpoint, index } = proof;
  return { findings, place: { index, size: checkpoint.size, root: toHex(checkpoint.root), origin: checkpoint.origin, key: log.key?.text ?? "" } };
}

/** That the leaf is the one of this record: its place in the stream, its name, and the digest of its bytes. */
function leafOf(record: Named, proof: Proof): Finding {
  const what = "The leaf is of this event";
  const leaf = parseLeaf(proof.leaf);
  if (!leaf) return finding("bad", what, "The leaf is not one of an event.");
  const subject = `rec.${record.tenant}.${record.aggregate.replace("/", ".")}.${record.aggregateVersion}`;
  const pairs: [string, string, string][] = [
    ["sequence", String(leaf.sequence), String(record.sequence)],
    ["aggregate and version", leaf.subject, subject],
    ["SHA-256 of the stored bytes", leaf.payloadSha256, record.payloadSha256],
    ["log", leaf.log, proof.checkpoint.origin],
  ];
  const differs = pairs.find(([, inLeaf, shown]) => inLeaf !== shown);
  if (differs) return finding("bad", what, `The ${differs[0]} differs: the leaf says ${differs[1]}, and ${differs[2]} is shown here.`);
  return finding("good", what, `Sequence ${leaf.sequence}, ${leaf.subject}, ${leaf.payloadBytes} bytes with the digest that is shown above.`);
}

async function included(proof: Proof): Promise<Finding> {
  const what = "It is in the log, at its place";
  const { index, hashes, checkpoint } = proof;
  return (await isIncluded(proof))
    ? finding("good", what, `Leaf ${index} of ${checkpoint.size}: ${hashes.length} hashes lead from it to the root of the checkpoint.`)
    : finding("bad", what, `Leaf ${index} does not lead to the root of the checkpoint of ${checkpoint.size} leaves.`);
}

const SIGNATURE = "The log signed the checkpoint";

async function logKey(proof: Proof, policy: Policy | undefined, given: string): Promise<{ finding: Finding; key?: VerifierKey }> {
  const { note, checkpoint } = proof;
  const known = given.trim() ? await parseKey(given) : undefined;
  if (typeof known === "string") return { finding: finding("unknown", SIGNATURE, known) };
  // A key that was taken back does not vouch for what came after.
  const listed = (policy?.logs ?? []).filter(({ endsAt }) => endsAt === undefined || checkpoint.size <= endsAt).map(({ key }) => key);
  const candidates = known ? [known] : listed;
  for (const key of candidates) {
    if (key.name !== checkpoint.origin) continue;
    const signed = await signedBy(note, key);
    if (signed.state === "absent") continue;
    return { finding: judged(signed, known !== undefined), key };
  }
  const listsIt = known && policy?.logs.some(({ key }) => sameKey(key, known));
  const why = known ? `It is not signed by the key that you were given${listsIt ? "" : ", and this Muster does not show that key"}.` : "It is signed by none of the keys that count.";
  return { finding: finding("bad", SIGNATURE, why) };
}

function judged(signed: Signed, handed: boolean): Finding {
  if (signed.state === "cannot") return finding("unknown", SIGNATURE, NO_ED25519);
  if (signed.state !== "good") return finding("bad", SIGNATURE, "The signature is not over this checkpoint.");
  return finding("good", SIGNATURE, handed ? "By the key that you were given." : "By the key that this Muster shows. Compare it with the one that you were given on another way.");
}

const NO_ED25519 = "This browser has no Ed25519, so signatures could not be checked. Use a newer one, or `muster audit verify`.";
const WITNESSES = "Witnesses saw it";

async function witnessed({ note }: Proof, policy: Policy | undefined): Promise<Finding> {
  if (!policy) return finding("unknown", WITNESSES, "The policy that says whose signatures count cannot be read here.");
  if (policy.quorum === "none") return finding("unknown", WITNESSES, "No witness is asked for: only the log itself vouches for it.");
  if (!(await knowsEd25519())) return finding("unknown", WITNESSES, NO_ED25519);
  const signed = await Promise.all(policy.witnesses.map(async ({ name, key }) => ({ name, signed: await signedBy(note, key) })));
  const wrong = signed.find(({ signed: { state } }) => state === "bad");
  if (wrong) return finding("bad", WITNESSES, `The cosignature of ${wrong.name} is not over this checkpoint.`);
  const good = signed.flatMap(({ name, signed: one }) => (one.state === "good" ? [{ name, at: one.at ?? 0 }] : []));
  if (!suffices(policy, new Set(good.map(({ name }) => name)))) return finding("unknown", WITNESSES, "Not enough of them have cosigned it yet. Ask again in a moment.");
  return finding("good", WITNESSES, good.map(({ name, at }) => `${name} at ${new Date(at * 1000).toISOString()}`).join(", "));
}

/** One word for all: bad as soon as anything is, good only when everything is. */
export function verdictOf(findings: readonly Finding[]): Finding["state"] {
  if (findings.some(({ state }) => state === "bad")) return "bad";
  return findings.length > 0 && findings.every(({ state }) => state === "good") ? "good" : "unknown";
}
