// What a page shows when it has nothing to show yet, nothing at all, or no right to.

import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode } from "react";
import { type Trouble, troubleOf } from "../api/trouble.ts";
import { stepUpAddress } from "../api/session.ts";
import { capital } from "../lib/words.ts";

export function Loading({ what, rows = 6 }: { what: string; rows?: number }) {
  return (
    <div role="status" className="skeletons">
      <span className="visually-hidden">Loading {what}</span>
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="skeleton" />
      ))}
    </div>
  );
}

/** `whole`: it is all that the page shows. */
export function Empty({ title, whole = false, children }: { title: string; whole?: boolean; children?: ReactNode }) {
  return (
    <div className="empty">
      {whole ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

/** Refusals that a login made for the deed, with a second factor, takes away. */
const TAKE_A_LOGIN: ReadonlySet<string> = new Set(["APPROVAL_STEP_UP_NEEDED", "INTENT_STEP_UP_NEEDED"]);

const sentence = (text: string) => (/[.!?]$/.test(text) ? capital(text) : `${capital(text)}.`);

export function TroubleNotice({ trouble, retry }: { trouble: Trouble; retry?: () => void }) {
  return (
    <div className={`notice ${trouble.kind === "unreachable" ? "unknown" : "red"}`} role="alert">
      <p>
        <strong>{trouble.title}.</strong> {sentence(trouble.text)}
      </p>
      {(trouble.value || trouble.limit) && (
        <p>
          {trouble.field && (
            <>
              Field <code>{trouble.field}</code>.{" "}
            </>
          )}
          Found: <strong>{trouble.value || "nothing"}</strong>. Allowed: <strong>{trouble.limit || "nothing"}</strong>.
        </p>
      )}
      {trouble.nextAction && <p>What to do: {sentence(trouble.nextAction)}</p>}
      {trouble.kind === "not-allowed" && !trouble.nextAction && <p>What to do: ask an admin of the tenant for the role.</p>}
      {trouble.code && TAKE_A_LOGIN.has(trouble.code) && (
        <p>
          <a className="button small-button" href={stepUpAddress(location.pathname + location.search)}>
            Log in again
          </a>
        </p>
      )}
      {trouble.code && (
        <p className="small">
          Code <code>{trouble.code}</code>
        </p>
      )}
      {retry && trouble.kind !== "not-allowed" && trouble.kind !== "not-found" && (
        <button type="button" className="button small-button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Whether a list has to give way to its error. While Muster does not answer it stays, and the banner says from when it is. */
export function hides({ error, data }: { error: unknown; data: unknown }): boolean {
  return Boolean(error) && (data === undefined || troubleOf(error).kind !== "unreachable");
}

interface Answered<T> {
  query: UseQueryResult<T>;
  what: string;
  rows?: number;
  /** The page's heading, where it is part of the answer itself. */
  heading?: string;
  children: (data: T) => ReactNode;
}

/** The states of one answer: loading, refused or broken, or what it says. */
export function Answer<T>({ query, what, rows, heading, children }: Answered<T>) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  return (
    <div className="stack">
      {heading && <h1>{heading}</h1>}
      {query.error ? <TroubleNotice trouble={troubleOf(query.error)} retry={() => void query.refetch()} /> : <Loading what={what} rows={rows} />}
    </div>
  );
}
