// The fleet: what is worst now, and why.

import { useMemo, useState } from "react";
import { Environment, Tier } from "../../gen/muster/common/v1/common_pb.ts";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { useNow } from "../../lib/clock.ts";
import { toggled, listOf, useFields } from "../../lib/address.ts";
import { capital, counted } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Empty, Loading, TroubleNotice } from "../../ui/states.tsx";
import { FirstRun } from "./first.tsx";
import { useProofs } from "./proof.ts";
import { counts, ENVIRONMENTS, FILTERS, LIGHTS, LIGHT_WORDS, lightTone, matches, rowsOf, type Filters, type Row } from "./rows.ts";
import { useFleet } from "./store.ts";
import { FleetTable } from "./table.tsx";
import "./fleet.css";

export function FleetPage({ tenant }: { tenant: string }) {
  const { begun, seen, error } = useFleet(tenant);
  const [filters, change] = useFields(FILTERS);
  const proofs = useProofs(tenant);
  const here = useHere(tenant);
  const now = useNow();
  const all = useMemo(() => rowsOf(seen, performance.now()), [seen, now]);
  const shown = useMemo(() => all.filter((row) => matches(row, filters)), [all, ...FILTERS.map((name) => filters[name])]);

  if (error) {
    return (
      <>
        <h1>Fleet</h1>
        <TroubleNotice trouble={troubleOf(error)} />
      </>
    );
  }
  return (
    <>
      <div className="head">
        <h1>Fleet</h1>
        <p className="quiet" role="status">
          {begun ? summary(shown.length, all.length) : "Loading"}
        </p>
      </div>
      {!begun ? (
        <Loading what="the fleet" rows={8} />
      ) : all.length === 0 ? (
        <FirstRun here={here} />
      ) : (
        <>
          <FilterBar all={all} filters={filters} change={change} />
          {shown.length === 0 ? (
            <Empty title="No resource fits the filters">
              <button type="button" className="button" onClick={() => change({ q: "", status: "", tier: "", site: "", env: "" })}>
                Show all {all.length}
              </button>
            </Empty>
          ) : (
            <FleetTable tenant={tenant} rows={shown} proofs={proofs} />
          )}
        </>
      )}
    </>
  );
}

function summary(shown: number, all: number): string {
  if (all === 0) return "";
  return `${shown === all ? "" : `${shown} of `}${counted(all, "resource")}, worst first`;
}

function FilterBar({ all, filters, change }: { all: Row[]; filters: Filters; change: (changes: Partial<Filters>) => void }) {
  const views = all.map(({ view }) => view);
  const found = counts(all, filters);
  const pressed = listOf(filters.status);
  const sites = [...new Set(views.map((view) => view.activeSite).filter(Boolean))].sort();
  const tiers = [...new Set(views.map((view) => view.tier))].filter((tier) => tier !== Tier.TIER_UNSPECIFIED).sort();
  const several = new Set(views.map((view) => view.environment ?? Environment.UNSPECIFIED)).size > 1 || filters.env !== "";
  return (
    <search className="fields" aria-label="Filters">
      <div className="chips wide" role="group" aria-label="Status">
        {LIGHTS.map((light) => (
          <button key={light} type="button" className="chip" aria-pressed={pressed.has(light)} onClick={() => change({ status: toggled(filters.status, light) })}>
            <Light tone={lightTone(light)}>{LIGHT_WORDS[light]}</Light> <span className="count">{found[light]}</span>
          </button>
        ))}
      </div>
      <SearchField value={filters.q} onChange={(q) => change({ q })} />
      <Choice label="Tier" value={filters.tier} options={tiers.map((tier) => [String(tier), `Tier ${tier}`])} onChange={(tier) => change({ tier })} />
      <Choice label="Site" value={filters.site} options={sites.map((site) => [site, site])} onChange={(site) => change({ site })} />
      {several && (
        <Choice label="Environment" value={filters.env} options={ENVIRONMENTS.map((name) => [name, capital(name)])} onChange={(env) => change({ env })} />
      )}
    </search>
  );
}

/** Typing is never behind the list: the address follows it. */
function SearchField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const [came, setCame] = useState(value);
  if (value !== came) {
    setCame(value);
    if (value !== typed.trim()) setTyped(value);
  }
  return (
    <input
      type="search"
      aria-label="Search by name, owner or reason"
      placeholder="Name, owner or reason"
      value={typed}
      onChange={(event) => {
        setTyped(event.target.value);
        onChange(event.target.value.trim());
      }}
    />
  );
}

function Choice({ label, value, options, onChange }: { label: string; value: string; options: [string, string][]; onChange: (value: string) => void }) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{label}: all</option>
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  );
}
