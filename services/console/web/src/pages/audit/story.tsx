// Everything about one request in causal order: what led to it, the decisions, the run, what came after.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { audit } from "../../api/clients.ts";
import type { StoryLine } from "../../gen/muster/audit/v1/audit_service_pb.ts";
import { Answer, Empty } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import { EventDetails, EventText } from "./page.tsx";
import "./audit.css";

const CHAPTERS: Record<string, string> = {
  event: "What happened",
  analysis: "How it was judged",
  gate: "Gates",
  decision: "Decisions",
  execution: "The run",
  rollback: "Taken back",
  after: "What came after",
};

export function StoryPage({ tenant, id }: { tenant: string; id: string }) {
  const story = useQuery({ queryKey: ["story", tenant, id], queryFn: async () => (await audit.getStory({ tenant, requestId: id })).lines });
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/requests`}>Requests</Link> / <Link href={`/t/${tenant}/requests/${id}`}>request</Link> / story
      </p>
      <h1>Story of a request</h1>
      <Answer query={story} what="the story">
        {(lines) =>
          lines.length === 0 ? (
            <Empty title="The record says nothing about this request" />
          ) : (
            chapters(lines).map(({ chapter, lines: inside }, index) => (
              <section key={index} className="stack">
                <h2>{CHAPTERS[chapter] ?? chapter}</h2>
                <ol className="events">
                  {inside.map((line) => (
                    <Line key={String(line.record?.sequence)} tenant={tenant} line={line} />
                  ))}
                </ol>
              </section>
            ))
          )
        }
      </Answer>
    </>
  );
}

/** Lines that follow each other in one chapter, together. */
export function chapters(lines: readonly StoryLine[]): { chapter: string; lines: StoryLine[] }[] {
  const found: { chapter: string; lines: StoryLine[] }[] = [];
  for (const line of lines) {
    const last = found.at(-1);
    if (last?.chapter === line.chapter) last.lines.push(line);
    else found.push({ chapter: line.chapter, lines: [line] });
  }
  return found;
}

const DEEPEST = 6;

function Line({ tenant, line }: { tenant: string; line: StoryLine }) {
  const [open, setOpen] = useState(false);
  const { record } = line;
  if (!record) return null;
  return (
    <li className={`event depth-${Math.min(line.depth, DEEPEST)}`}>
      <span className="quiet mono number">{String(record.sequence)}</span>
      <span className="when">
        <Moment at={record.time} />
      </span>
      <EventText tenant={tenant} record={record} />
      <button type="button" className="button bare small-button" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Less" : "More"}
        <span className="visually-hidden"> of event {String(record.sequence)}</span>
      </button>
      {open && <EventDetails record={record} />}
    </li>
  );
}
