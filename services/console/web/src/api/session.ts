// What a page must know of its session. The token itself never comes here.

export interface Session {
  key: string;
  idleLimitSeconds: number;
  endsAt: string;
  now: string;
}

/** Reading counts too: a person who scrolls is still there. Told at most so often. */
const TELL_EVERY_MS = 60_000;

let session: Session | null = null;
let lastDeed = Date.now();

export class SessionOver extends Error {
  constructor() {
    super("The session is over.");
  }
}

export async function loadSession(): Promise<Session> {
  const answer = await fetch("/session", { headers: { accept: "application/json" } });
  if (answer.status === 401 || answer.redirected) throw new SessionOver();
  if (!answer.ok) throw new Error(`The console answered ${answer.status}.`);
  const asked = Date.now();
  session = (await answer.json()) as Session;
  clockOffsetMs = Date.parse(session.now) - asked;
  return session;
}

export function sessionKey(): string {
  return session?.key ?? "";
}

/** How far the server's clock is ahead of this device's. */
let clockOffsetMs = 0;

/** Now, by the server's clock: ages of what it tells are right even where this device's clock is not. */
export function serverNow(): number {
  return Date.now() + clockOffsetMs;
}

/** Calls made long after the last deed of a person are told as made by the page alone. */
export function inBackground(): boolean {
  return Date.now() - lastDeed > TELL_EVERY_MS;
}

/** Keeps the session alive while a person is at the page, and only then. */
export function watchDeeds(onOver: () => void): () => void {
  let told = Date.now();
  const deed = () => {
    lastDeed = Date.now();
    if (lastDeed - told < TELL_EVERY_MS) return;
    told = lastDeed;
    loadSession().catch((error: unknown) => {
      if (error instanceof SessionOver) onOver();
    });
  };
  const kinds = ["pointerdown", "keydown", "wheel", "touchmove"] as const;
  for (const kind of kinds) window.addEventListener(kind, deed, { passive: true });
  return () => {
    for (const kind of kinds) window.removeEventListener(kind, deed);
  };
}

/** To the identity provider for a login made for one decision, and back to this page. */
export function stepUpAddress(path: string): string {
  return `/login?step_up=true&back_to=${encodeURIComponent(path)}`;
}

export function loginAddress(): string {
  return `/login?back_to=${encodeURIComponent(location.pathname + location.search)}`;
}
