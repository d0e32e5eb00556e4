import { describe, expect, it } from "vitest";
import { sizeOf } from "./checkpoint.ts";

describe("the size of a checkpoint", () => {
  it("is its second line, and is not known where there is none", () => {
    expect(sizeOf("example.com/log\n19\nroot\n\n— key sig\n")).toBe(19n);
    expect(sizeOf("example.com/log\n0\nroot\n")).toBe(0n);
    for (const unreadable of ["", "example.com/log", "a\n-1\n", "a\nnineteen\n", "a\n\n"]) expect(sizeOf(unreadable)).toBeUndefined();
  });
});
