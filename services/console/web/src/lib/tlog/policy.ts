// Whose signatures make a checkpoint count (C2SP tlog-policy): the log's keys, witnesses, and how many of them.

import { parseKey, type VerifierKey } from "./note.ts";

export interface Policy {
  logs: { key: VerifierKey; endsAt?: bigint }[];
  witnesses: { name: string; key: VerifierKey }[];
  groups: { name: string; threshold: number; members: string[] }[];
  quorum: string;
}

/** undefined: the text is not a policy that this page understands. */
export async function parsePolicy(text: string): Promise<Policy | undefined> {
  const policy: Policy = { logs: [], witnesses: [], groups: [], quorum: "" };
  const ends = new Map<string, bigint>();
  for (const line of text.split("\n")) {
    const end = /^# log-ends ([0-9a-f]{8}) (\d{1,19})$/.exec(line);
    if (end) ends.set(end[1] ?? "", BigInt(end[2] ?? 0));
    if (line.startsWith("#") || line.trim() === "") continue;
    const [word, first = "", second = "", ...rest] = line.trim().split(/\s+/);
    if (word === "log" || word === "witness") {
      const key = await parseKey(word === "log" ? first : second);
      if (typeof key === "string") return undefined;
      if (word === "log") policy.logs.push({ key });
      else policy.witnesses.push({ name: first, key });
    } else if (word === "group") {
      const members = rest;
      const threshold = second === "any" ? 1 : second === "all" ? members.length : Number(second);
      if (!Number.isInteger(threshold) || threshold < 1 || threshold > members.length) return undefined;
      policy.groups.push({ name: first, threshold, members });
    } else if (word === "quorum" && !policy.quorum) {
      policy.quorum = first;
    } else {
      return undefined;
    }
  }
  for (const log of policy.logs) {
    const end = ends.get(log.key.id);
    if (end !== undefined) log.endsAt = end;
  }
  return policy.quorum ? policy : undefined;
}

/** Whether these witnesses suffice. A name that nobody has is never satisfied. */
export function suffices(policy: Policy, good: ReadonlySet<string>, name = policy.quorum, depth = 0): boolean {
  if (name === "none") return true;
  if (policy.witnesses.some((witness) => witness.name === name)) return good.has(name);
  const group = policy.groups.find((found) => found.name === name);
  // A group that names itself: deeper than there are groups.
  if (!group || depth > policy.groups.length) return false;
  return group.members.filter((member) => suffices(policy, good, member, depth + 1)).length >= group.threshold;
}
