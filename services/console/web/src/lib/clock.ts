// One clock for the page: everything that shows an age moves together, once a second.

import { useSyncExternalStore } from "react";
import { serverNow } from "../api/session.ts";

const listeners = new Set<() => void>();
let now = serverNow();
let timer: ReturnType<typeof setInterval> | undefined;

function tick() {
  now = serverNow();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    now = serverNow();
    timer = setInterval(tick, 1000);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

/** Now by the server's clock, to the second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
