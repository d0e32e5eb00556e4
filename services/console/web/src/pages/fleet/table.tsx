// The rows of the fleet. Only those in sight are in the page, so that thousands scroll as ten do.

import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useRef, useState, useSyncExternalStore, useLayoutEffect } from "react";
import { Link } from "wouter";
import type { ReadinessView } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { tier } from "../../lib/words.ts";
import { useNow } from "../../lib/clock.ts";
import { Light } from "../../ui/light.tsx";
import { ProofLight } from "../../ui/proof.tsx";
import { Ago } from "../../ui/time.tsx";
import { type Proof, proofOf, type Proofs, provenAt } from "./proof.ts";
import { ageOf, isFresh, LIGHT_WORDS, lightOf, lightTone, outlived, why, type Row, type Seen } from "./rows.ts";

const DESK_ROW = 52;
const PHONE_ROW = 140;

const phone = matchMedia("(max-width: 860px)");
const usePhone = () =>
  useSyncExternalStore(
    (listener) => {
      phone.addEventListener("change", listener);
      return () => phone.removeEventListener("change", listener);
    },
    () => phone.matches,
  );

const HEADINGS = ["Status", "Resource", "Why", "RPO now / target", "Last look", "Runs on", "Tier", "Plan"];

export function FleetTable({ tenant, rows, proofs }: { tenant: string; rows: Row[]; proofs: Proofs | undefined }) {
  const place = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const small = usePhone();
  const [held, hold] = useState<string[] | null>(null);
  useLayoutEffect(() => setTop(place.current?.offsetTop ?? 0), [small]);
  const ordered = held ? asHeld(rows, held) : rows;
  const virtual = useWindowVirtualizer({
    count: ordered.length,
    estimateSize: () => (small ? PHONE_ROW : DESK_ROW),
    overscan: 8,
    scrollMargin: top,
    getItemKey: (index) => ordered[index]?.view.resource ?? index,
  });
  useLayoutEffect(() => virtual.measure(), [small, virtual]);
  useNow(); // ages grow by themselves, also when nothing comes any more

  return (
    <div
      className="fleet"
      role="table"
      aria-label="Resources, worst first"
      aria-rowcount={rows.length + 1}
      // What is pointed at stays where it is; the order is taken up again afterwards.
      onPointerEnter={(event) => event.pointerType === "mouse" && hold(rows.map(({ view }) => view.resource))}
      onPointerLeave={() => hold(null)}
      onKeyDown={(event) => moveBetweenRows(event)}
    >
      <div role="rowgroup" className="fleet-head">
        <div role="row" aria-rowindex={1} className="fleet-row">
          {HEADINGS.map((heading) => (
            <div key={heading} role="columnheader">
              {heading}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={place} className="fleet-body" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = ordered[item.index];
          return (
            row && (
              <div key={item.key} role="row" aria-rowindex={item.index + 2} className="fleet-row" style={{ transform: `translateY(${item.start - top}px)`, height: item.size }}>
                <Cells tenant={tenant} row={row} small={small} proof={proofs && (proofOf(proofs, row.view.resource) ?? "unknown")} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

/** `proof` is undefined while it is asked for. */
function Cells({ tenant, row, proof, small }: { tenant: string; row: Row; proof: Proof | "unknown" | undefined; small: boolean }) {
  const { view } = row;
  const { light } = row;
  const was = outlived(row, performance.now()) ? LIGHT_WORDS[lightOf(view.assessment?.status)].toLowerCase() : null;
  const text = why(view);
  return (
    <>
      <div role="cell" className="c-status">
        <Light tone={was ? "unknown" : lightTone(light)}>{was ? `Was ${was}` : LIGHT_WORDS[light]}</Light>
      </div>
      <div role="cell" className="c-name">
        <Link href={`/t/${tenant}/resources/${view.resource}`}>{view.resource}</Link>
        <span className="quiet small clip" title={view.displayName}>
          {[view.owner, view.displayName].filter(Boolean).join(" · ")}
        </span>
      </div>
      <div role="cell" className="c-why" title={text}>
        <span>{text}</span>
      </div>
      <div role="cell" className="c-rpo">
        <Rpo view={view} />
      </div>
      <div role="cell" className="c-age">
        <Age row={row} />
      </div>
      <div role="cell" className="c-site">
        {view.activeSite || <span className="quiet">not known</span>}
      </div>
      <div role="cell" className="c-tier">
        {tier(view.tier)}
        {small && <span className="quiet"> · runs on {view.activeSite || "a site that is not known"}</span>}
      </div>
      <div role="cell" className="c-plan small">
        {proof && <PlanProof proof={proof} />}
      </div>
    </>
  );
}

function PlanProof({ proof }: { proof: Proof | "unknown" }) {
  if (proof === "unknown") return <Light tone="unknown">not known</Light>;
  const at = provenAt(proof.plan);
  return (
    <>
      <ProofLight plan={proof.plan} />
      {at && (
        <span className="quiet clip">
          <Ago at={at} />
        </span>
      )}
    </>
  );
}

function Rpo({ view }: { view: ReadinessView }) {
  const now = milliseconds(view.assessment?.rpoNow);
  const target = milliseconds(view.rpoTarget);
  const over = now !== undefined && target !== undefined && now > target;
  return (
    <>
      <strong className={over ? "text-red" : now === undefined ? "text-unknown" : ""}>{humane(now)}</strong>
      <span className="quiet"> / {target === undefined ? "no target" : humane(target)}</span>
    </>
  );
}

function Age({ row }: { row: Seen }) {
  const now = performance.now();
  const age = ageOf(row, now);
  if (age === undefined) return <span className="text-unknown">never seen</span>;
  return isFresh(row, now) ? <>{humane(Math.round(age / 1000) * 1000)} ago</> : <strong className="text-unknown">stale, {humane(Math.round(age / 1000) * 1000)}</strong>;
}

function asHeld(rows: Row[], held: string[]): Row[] {
  const places = new Map(held.map((name, index) => [name, index]));
  const place = (row: Row) => places.get(row.view.resource) ?? held.length;
  return [...rows].sort((a, b) => place(a) - place(b));
}

/** Arrow keys go from resource to resource, as in a list. */
function moveBetweenRows(event: React.KeyboardEvent<HTMLElement>) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...event.currentTarget.querySelectorAll<HTMLAnchorElement>(".c-name a")];
  const rowOf = (link: HTMLAnchorElement) => Number(link.closest("[role=row]")?.getAttribute("aria-rowindex"));
  links.sort((a, b) => rowOf(a) - rowOf(b));
  const next = links[links.indexOf(document.activeElement as HTMLAnchorElement) + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
