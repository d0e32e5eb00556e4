// A package of evidence that verifies without Muster, made here and taken away as one archive.

import { useRef, useState } from "react";
import { live } from "../../api/clients.ts";
import { troubleOf, type Trouble } from "../../api/trouble.ts";
import { ExportFormat } from "../../gen/muster/audit/v1/audit_service_pb.ts";
import { save } from "../../lib/save.ts";
import { bytes } from "../../lib/words.ts";
import { TroubleNotice } from "../../ui/states.tsx";
import { filterOf } from "../audit/search.ts";
import { NotAPackage } from "./archive.ts";
import { useLog } from "./log.tsx";
import { collect, type Progress } from "./package.ts";

const FORMS = {
  all: { word: "Everything: lists and OSCAL documents", formats: [] },
  lists: { word: "Lists only: CSV and JSON Lines", formats: [ExportFormat.CSV, ExportFormat.JSON] },
  oscal: { word: "OSCAL documents only", formats: [ExportFormat.OSCAL] },
} as const;

const NOTHING = { resource: "", request: "", from: "", to: "", epoch: "" };
type Narrowed = typeof NOTHING;

export function ExportPackage({ tenant }: { tenant: string }) {
  const [form, setForm] = useState<keyof typeof FORMS>("all");
  const [narrowed, setNarrowed] = useState<Narrowed>(NOTHING);
  const set = (changes: Partial<Narrowed>) => setNarrowed((before) => ({ ...before, ...changes }));
  const making = useMaking(tenant);
  const text = (name: "resource" | "request", label: string) => (
    <label className="field">
      {label}
      <input value={narrowed[name]} autoComplete="off" spellCheck={false} onChange={(event) => set({ [name]: event.target.value.trim() })} />
    </label>
  );
  const moment = (name: "from" | "to", label: string) => (
    <label className="field">
      {label}
      <input type="datetime-local" value={narrowed[name]} onChange={(event) => set({ [name]: event.target.value })} />
    </label>
  );
  return (
    <section className="panel" aria-label="Package of evidence">
      <header>
        <h2>Package of evidence</h2>
        <span className="quiet small">verifies without Muster, offline</span>
      </header>
      <div className="body">
        <p>The events with their stored bytes, the whole log of their digests, proofs and signatures. What is left out below still shows in the log by subject and time.</p>
        <form
          className="fields audit-fields"
          onSubmit={(event) => {
            event.preventDefault();
            if (!making.progress) void making.make(narrowed, form);
          }}
        >
          <label className="field broad">
            Contents
            <select value={form} onChange={(event) => setForm(event.target.value as keyof typeof FORMS)}>
              {Object.entries(FORMS).map(([name, { word }]) => (
                <option key={name} value={name}>
                  {word}
                </option>
              ))}
            </select>
          </label>
          <Epochs tenant={tenant} chosen={narrowed.epoch} choose={(epoch) => set({ epoch })} />
          {text("resource", "Only this resource")}
          {text("request", "Only this request")}
          {moment("from", "From (your time)")}
          {moment("to", "To (your time)")}
          <button className="button primary" disabled={making.progress !== null}>
            {making.progress ? "Making it" : "Make the package"}
          </button>
        </form>
        <Told making={making} />
      </div>
    </section>
  );
}

/** A log that was begun anew has its older events in an epoch of their own: one package is of one epoch. */
function Epochs({ tenant, chosen, choose }: { tenant: string; chosen: string; choose: (epoch: string) => void }) {
  const epochs = useLog(tenant).data?.epochs ?? [];
  if (epochs.length < 2) return null;
  const newest = epochs.at(-1)?.epoch;
  return (
    <label className="field">
      Epoch of the log
      <select value={chosen} onChange={(event) => choose(event.target.value)}>
        {epochs.toReversed().map(({ epoch }) => (
          <option key={epoch} value={epoch === newest ? "" : epoch}>
            {epoch === newest ? `${epoch}, the present one` : epoch}
          </option>
        ))}
      </select>
    </label>
  );
}

function Told({ making: { progress, trouble, done, cancel } }: { making: ReturnType<typeof useMaking> }) {
  return (
    <>
      <div role="status">
        {progress && (
          <div className="actions">
            <progress aria-label="The package is being made" />
            <span>
              {progress.files} files, {bytes(BigInt(progress.bytes))} so far
            </span>
            <code className="quiet breakable">{progress.path}</code>
            <button type="button" className="button small-button" onClick={cancel}>
              Cancel
            </button>
          </div>
        )}
        {done && (
          <div className="notice green">
            <p>
              <strong>{done.name}</strong> is among your downloads: {done.files} files, {bytes(BigInt(done.bytes))}. That it was made is in the record now.
            </p>
            <p className="small">
              Whoever gets it checks it with <code>muster audit verify {done.name} --key KEY</code>, or by hand as its README.md says. Hand over the key on another way than the file.
            </p>
          </div>
        )}
      </div>
      {trouble && <TroubleNotice trouble={trouble} />}
    </>
  );
}

interface Done extends Progress {
  name: string;
}

/** One package at a time. A cancelled one leaves nothing behind. */
function useMaking(tenant: string) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [done, setDone] = useState<Done | null>(null);
  const stop = useRef<AbortController | null>(null);
  const make = async ({ resource, request, from, to, epoch }: Narrowed, form: keyof typeof FORMS) => {
    const own = new AbortController();
    stop.current = own;
    setTrouble(null);
    setDone(null);
    setProgress({ files: 0, bytes: 0, path: "" });
    try {
      const filter = filterOf({ resource, request, from, to, actor: "", kind: "" });
      const pieces = live.audit.exportPackage({ tenant, filter, formats: [...FORMS[form].formats], epoch: Number(epoch) }, { signal: own.signal });
      const { archive, ...whole } = await collect(pieces, setProgress);
      const name = `muster-evidence-${tenant}${epoch && `-epoch-${epoch}`}.tar`;
      save(archive, name);
      setDone({ ...whole, name });
    } catch (error) {
      if (!own.signal.aborted) setTrouble(error instanceof NotAPackage ? { kind: "broken", title: "No package was made", text: error.message, faults: [] } : troubleOf(error));
    }
    setProgress(null);
  };
  return { make, progress, trouble, done, cancel: () => stop.current?.abort() };
}
