import { describe, expect, it } from "vitest";
import { utf8 } from "../../lib/tlog/bytes.ts";
import file from "../../lib/tlog/testdata/seq-9.tlog-proof?raw";
import policy from "../../lib/tlog/testdata/policy?raw";
import { check, verdictOf } from "./check.ts";

const record = {
  sequence: 9n,
  tenant: "acme",
  aggregate: "inventory/resource-session-cache",
  aggregateVersion: 1n,
  payloadSha256: "6d089f4bead6fce0f5b5e5a4e92ce61915c76d318e9069a681985622328d920a",
};
const key = /^log (\S+)$/m.exec(policy)?.[1] ?? "";
const states = async (...[about, proof, text, given]: Parameters<typeof check>) => (await check(about, proof, text, given)).findings.map(({ state }) => state);

describe("a record", () => {
  it("is what the log holds: leaf, place, signature and witness", async () => {
    const { findings, place } = await check(record, utf8(file), policy, "");
    expect(findings.map(({ state }) => state)).toEqual(["good", "good", "good", "good"]);
    expect(verdictOf(findings)).toBe("good");
    expect(place).toMatchObject({ index: 9n, size: 19n, key });
  });

  it("is not, when anything that is shown differs from its leaf", async () => {
    for (const other of [{ sequence: 8n }, { aggregateVersion: 2n }, { aggregate: "inventory/resource-orders-db" }, { tenant: "globex" }, { payloadSha256: "0".repeat(64) }]) {
      expect(await states({ ...record, ...other }, utf8(file), policy, "")).toEqual(["bad", "good", "good", "good"]);
    }
  });

  it("is not proven by a file whose path or checkpoint was changed", async () => {
    const lines = file.split("\n");
    const other = lines.map((line, at) => (at === 3 ? lines[4] : line)).join("\n");
    expect(await states(record, utf8(other), policy, "")).toEqual(["good", "bad", "good", "good"]);
    // Another root: neither the path leads there nor is it what was signed.
    const root = lines.map((line, at) => (line === "19" ? "19" : lines[at - 1] === "19" ? lines[3] : line)).join("\n");
    expect(await states(record, utf8(root), policy, "")).toEqual(["good", "bad", "bad", "bad"]);
    expect(await states(record, utf8("nothing"), policy, "")).toEqual(["bad"]);
  });
});

describe("whose signature counts", () => {
  it("is the key that one was given, whatever the server lists", async () => {
    expect(await states(record, utf8(file), policy, key)).toEqual(["good", "good", "good", "good"]);
    const stranger = /^witness \S+ (\S+)/m.exec(policy)?.[1] ?? "";
    expect(await states(record, utf8(file), policy, stranger)).toEqual(["good", "good", "bad", "good"]);
    expect(await states(record, utf8(file), policy, "mistyped")).toEqual(["good", "good", "unknown", "good"]);
  });

  it("ends where a key was taken back", async () => {
    const id = key.split("+")[1];
    expect(await states(record, utf8(file), policy.replace("\n", `\n# log-ends ${id} 18\n`), "")).toEqual(["good", "good", "bad", "good"]);
    expect(await states(record, utf8(file), policy.replace("\n", `\n# log-ends ${id} 19\n`), "")).toEqual(["good", "good", "good", "good"]);
  });

  it("is never good where nobody watched, or where the policy cannot be read", async () => {
    expect(await states(record, utf8(file), policy.replace("quorum quorum", "quorum none"), "")).toEqual(["good", "good", "good", "unknown"]);
    expect(await states(record, utf8(file), "", key)).toEqual(["good", "good", "good", "unknown"]);
    const unsigned = `${file.split("\n").filter((line) => !line.startsWith("— local-witness")).join("\n")}`;
    expect(await states(record, utf8(unsigned), policy, "")).toEqual(["good", "good", "good", "unknown"]);
    expect(verdictOf([])).toBe("unknown");
  });
});
