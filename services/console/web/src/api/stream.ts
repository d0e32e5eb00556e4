// A stream of the API that begins again by itself when it breaks, and says meanwhile that it is broken.

import { ConnectError, Code } from "@connectrpc/connect";
import { connection } from "./connection.ts";
import { notice } from "./clients.ts";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** Wait before the next try, after so many failures in a row. */
export function waitAfter(failures: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10));
}

interface Following<T> {
  onMessage: (message: T) => void;
  /** Hears what will not mend itself: after it, nothing more is tried. */
  onError: (error: unknown) => void;
  /** A stream that is silent for longer is dead, whatever the network says. Absent: silence is normal. */
  silenceMs?: (last: T) => number | undefined;
}

/** Calls `open` again and again until `signal` aborts. */
export async function follow<T>(open: (signal: AbortSignal) => AsyncIterable<T>, { onMessage, onError, silenceMs }: Following<T>, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop, { once: true });
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    try {
      for await (const message of open(attempt.signal)) {
        failures = 0;
        clearTimeout(watchdog);
        connection.answered();
        onMessage(message);
        const limit = silenceMs?.(message);
        if (limit !== undefined) watchdog = setTimeout(stop, limit);
      }
      // A clean end, as when the process is replaced: once more.
    } catch (error) {
      if (signal.aborted) return;
      const { code } = ConnectError.from(error);
      if (!attempt.signal.aborted) notice(error, signal);
      if (code === Code.PermissionDenied || code === Code.NotFound || code === Code.InvalidArgument || code === Code.Unauthenticated) {
        onError(error);
        return;
      }
      connection.lost();
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", stop);
    }
    await pause(waitAfter(failures++), signal);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
