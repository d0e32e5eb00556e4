import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connection } from "./connection.ts";
import { follow, waitAfter } from "./stream.ts";

/** Streams that are given out one after the other; the last one for ever. */
function streams(...scripts: ((signal: AbortSignal) => AsyncIterable<string>)[]) {
  let next = 0;
  const open = (signal: AbortSignal) => (scripts[Math.min(next++, scripts.length - 1)] as (typeof scripts)[number])(signal);
  return { open, opened: () => next };
}

async function* says(...words: string[]) {
  yield* words;
}

async function* fails(code: Code) {
  throw new ConnectError("no", code);
}

async function* saysThenHangs(word: string, signal: AbortSignal) {
  yield word;
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new ConnectError("aborted", Code.Canceled))));
}

describe("a stream", () => {
  const stop = { controller: new AbortController() };
  beforeEach(() => {
    vi.useFakeTimers();
    stop.controller = new AbortController();
    connection.answered();
  });
  afterEach(() => {
    stop.controller.abort();
    vi.useRealTimers();
  });

  it("begins again when it breaks, and the page says meanwhile that the connection is lost", async () => {
    const heard: string[] = [];
    const { open } = streams(
      () => fails(Code.Unavailable),
      (signal) => saysThenHangs("back", signal),
    );
    void follow(open, { onMessage: (word) => heard.push(word), onError: () => heard.push("error") }, stop.controller.signal);
    await vi.advanceTimersByTimeAsync(1);
    expect([heard, connection.get().state]).toEqual([[], "lost"]);
    await vi.advanceTimersByTimeAsync(waitAfter(0));
    expect([heard, connection.get().state]).toEqual([["back"], "live"]);
  });

  it("that is silent for too long is dead, whatever the network says", async () => {
    const { open, opened } = streams((signal) => saysThenHangs("once", signal));
    void follow(open, { onMessage: () => undefined, onError: () => undefined, silenceMs: () => 12_000 }, stop.controller.signal);
    await vi.advanceTimersByTimeAsync(11_000);
    expect([opened(), connection.get().state]).toEqual([1, "live"]);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(connection.get().state).toBe("lost");
    await vi.advanceTimersByTimeAsync(waitAfter(0));
    expect(opened()).toBe(2);
  });

  it("does not ask again what is refused", async () => {
    const refused: unknown[] = [];
    const { open, opened } = streams(() => fails(Code.PermissionDenied));
    await follow(open, { onMessage: () => undefined, onError: (error) => refused.push(error) }, stop.controller.signal);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([refused.length, opened(), connection.get().state]).toEqual([1, 1, "live"]);
  });

  it("ends with the page, and leaves nothing running", async () => {
    const { open, opened } = streams(() => says("a"));
    const following = follow(open, { onMessage: () => undefined, onError: () => undefined }, stop.controller.signal);
    await vi.advanceTimersByTimeAsync(1);
    stop.controller.abort();
    await following;
    expect([opened(), vi.getTimerCount()]).toEqual([1, 0]);
  });
});

it("waits longer each time, and never longer than a quarter of a minute", () => {
  expect([0, 1, 2, 50].map(waitAfter)).toEqual([500, 1_000, 2_000, 15_000]);
});
