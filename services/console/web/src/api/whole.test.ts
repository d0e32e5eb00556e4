import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { PageResponseSchema } from "../gen/muster/common/v1/common_pb.ts";
import { firstOf, whole } from "./whole.ts";

/** A server with so many pages of two each. */
const server = (pages: number) => {
  const asked: string[] = [];
  const ask = ({ pageToken }: { pageToken: string }) => {
    asked.push(pageToken);
    const at = Number(pageToken || "0");
    return Promise.resolve({ names: [`a${at}`, `b${at}`], page: create(PageResponseSchema, { nextPageToken: at + 1 < pages ? String(at + 1) : "" }) });
  };
  return { asked, ask };
};

describe("a list", () => {
  it("is asked for to its end", async () => {
    const { asked, ask } = server(3);
    expect(await whole(ask, ({ names }) => names)).toEqual({ items: ["a0", "b0", "a1", "b1", "a2", "b2"], more: false });
    expect(asked).toEqual(["", "1", "2"]);
  });

  it("says that there is more where it stops before the end, and only there", async () => {
    const names = (answer: { names: string[] }) => answer.names;
    expect((await whole(server(3).ask, names, 2)).more).toBe(true);
    expect((await whole(server(2).ask, names, 2)).more).toBe(false);
  });
});

describe("a search in a list", () => {
  const b1 = ({ names }: { names: string[] }) => names.find((name) => name === "b1");

  it("ends where it finds something", async () => {
    const { asked, ask } = server(3);
    expect(await firstOf(ask, b1)).toEqual({ found: "b1", more: true });
    expect(asked).toEqual(["", "1"]);
  });

  it("tells a list without it from one that it did not see whole", async () => {
    expect(await firstOf(server(1).ask, b1)).toEqual({ found: undefined, more: false });
    expect(await firstOf(server(3).ask, b1, 1)).toEqual({ found: undefined, more: true });
  });
});
