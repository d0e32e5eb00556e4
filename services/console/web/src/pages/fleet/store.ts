// The fleet as the stream tells it, in one place for every page that shows it.

import { useEffect, useState, useSyncExternalStore } from "react";
import { live } from "../../api/clients.ts";
import { follow } from "../../api/stream.ts";
import type { WatchReadinessResponse } from "../../gen/muster/readiness/v1/monitor_service_pb.ts";
import type { ReadinessView } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import type { Seen } from "./rows.ts";

/** Every view comes again within 5 s; one that does not come for so long while others do is no longer declared. */
const GONE_AFTER_MS = 20_000;
const SILENCE_LIMIT_MS = 12_000;
/** Thousands of views arrive in bursts; more pictures a second than this nobody reads. */
const DRAW_EVERY_MS = 250;

export interface Fleet {
  /** False until the first answer. */
  begun: boolean;
  seen: ReadonlyMap<string, Seen>;
  /** What ended the stream for good. */
  error: unknown;
}

export class FleetStore {
  private fleet: Fleet = { begun: false, seen: new Map(), error: undefined };
  private next = new Map<string, Seen>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private listeners = new Set<() => void>();

  get = (): Fleet => this.fleet;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  take(views: readonly ReadinessView[], at: number) {
    for (const view of views) this.next.set(view.resource, { view, at });
    for (const [name, seen] of this.next) if (views.length > 0 && at - seen.at > GONE_AFTER_MS) this.next.delete(name);
    if (!this.fleet.begun) this.draw();
    else this.timer ??= setTimeout(() => this.draw(), DRAW_EVERY_MS);
  }

  fail(error: unknown) {
    this.fleet = { ...this.fleet, error };
    this.tell();
  }

  close() {
    clearTimeout(this.timer);
  }

  private draw() {
    this.timer = undefined;
    this.fleet = { begun: true, seen: new Map(this.next), error: undefined };
    this.tell();
  }

  private tell() {
    for (const listener of this.listeners) listener();
  }
}

export function useFleet(tenant: string): Fleet {
  const [store] = useState(() => new FleetStore());
  useEffect(() => {
    const stop = new AbortController();
    const open = (signal: AbortSignal): AsyncIterable<WatchReadinessResponse> => live.monitor.watchReadiness({ tenant }, { signal });
    void follow(
      open,
      {
        onMessage: (message) => store.take(message.resources, performance.now()),
        onError: (error) => store.fail(error),
        // An empty fleet has no news.
        silenceMs: () => (store.get().seen.size > 0 ? SILENCE_LIMIT_MS : undefined),
      },
      stop.signal,
    );
    return () => {
      stop.abort();
      store.close();
    };
  }, [store, tenant]);
  return useSyncExternalStore(store.subscribe, store.get);
}
