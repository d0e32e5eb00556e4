import { describe, expect, it } from "vitest";
import { collect, type Progress } from "./package.ts";

const BLOCK = 512;
const utf8 = new TextEncoder();

type Piece = { path: string; chunk: Uint8Array; files: number };
const piece = (path: string, text = "", files = 0): Piece => ({ path, chunk: utf8.encode(text), files });

async function* stream(...pieces: Piece[]): AsyncIterable<Piece> {
  yield* pieces;
}

const archiveOf = async (...pieces: Piece[]) => new Uint8Array(await (await collect(stream(...pieces), () => undefined)).archive.arrayBuffer());

/** What any reader of archives finds; checks each head's sum. */
function read(tar: Uint8Array): [string, string][] {
  const found: [string, string][] = [];
  const text = (from: number, length: number) => new TextDecoder().decode(tar.subarray(from, from + length)).replace(/\0.*$/s, "");
  for (let at = 0; tar[at] !== 0; ) {
    const sum = tar.subarray(at, at + BLOCK).reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
    expect(parseInt(text(at + 148, 8), 8)).toBe(sum);
    expect(text(at + 257, 6)).toBe("ustar");
    const size = parseInt(text(at + 124, 12), 8);
    const prefix = text(at + 345, 155);
    found.push([prefix ? `${prefix}/${text(at, 100)}` : text(at, 100), text(at + BLOCK, size)]);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}

describe("a package", () => {
  it("is an archive of all its files, in their order, the same each time", async () => {
    const deep = `oscal/${"proofs-of-everything/".repeat(5)}seq-1.tlog-proof`;
    const pieces = [piece("checkpoint", "signed"), piece("tile/0/000.p/5", "a".repeat(500)), piece("", "b".repeat(200)), piece("empty"), piece(deep, "x"), piece("", "", 4)];
    const tar = await archiveOf(...pieces);
    expect(tar.length % BLOCK).toBe(0);
    expect(tar.subarray(-2 * BLOCK).every((byte) => byte === 0)).toBe(true);
    expect(read(tar)).toEqual([
      ["checkpoint", "signed"],
      ["tile/0/000.p/5", "a".repeat(500) + "b".repeat(200)],
      ["empty", ""],
      [deep, "x"],
    ]);
    expect(await archiveOf(...pieces)).toEqual(tar);
  });

  it("tells how far it is", async () => {
    const told: Progress[] = [];
    await collect(stream(piece("a", "12"), piece("", "3"), piece("b", "4"), piece("", "", 2)), (progress) => told.push(progress));
    expect(told).toEqual([
      { files: 1, bytes: 2, path: "a" },
      { files: 1, bytes: 3, path: "a" },
      { files: 2, bytes: 4, path: "b" },
    ]);
  });

  it("is kept whole or not at all", async () => {
    const refused = (...pieces: Piece[]) => expect(collect(stream(...pieces), () => undefined)).rejects;
    await refused(piece("a", "1")).toThrow(/incomplete/);
    await refused(piece("a", "1"), piece("", "", 2)).toThrow(/1 of 2 files/);
    await refused(piece("", "1"), piece("", "", 1)).toThrow(/without a file/);
    for (const path of ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a"]) await refused(piece(path, "1"), piece("", "", 1)).toThrow(/outside of the package/);
    await refused(piece(`${"x".repeat(120)}`, "1"), piece("", "", 1)).toThrow(/longer than/);
    await expect(collect(stream(piece("a", "123"), piece("", "", 1)), () => undefined, 2)).rejects.toThrow(/command line|muster audit export/);
  });
});
