// Whether Muster answers. One state for the whole page: what is shown while it does not answer is old, and says so.

export type Connection = { state: "live" } | { state: "lost"; since: number } | { state: "over" };

type Listener = () => void;

let current: Connection = { state: "live" };
const listeners = new Set<Listener>();

function set(next: Connection) {
  current = next;
  for (const listener of listeners) listener();
}

export const connection = {
  get: (): Connection => current,
  subscribe(listener: Listener): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  answered() {
    if (current.state === "lost") set({ state: "live" });
  },
  lost() {
    if (current.state === "live") set({ state: "lost", since: Date.now() });
  },
  /** Logged out. Nothing brings it back but a new login. */
  over() {
    if (current.state !== "over") set({ state: "over" });
  },
};
