// One schedule: when it is due next, what came of it so far, and how its drills compare with real moves.

import { useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import { schedules } from "../../api/clients.ts";
import { type Here, useHere } from "../../api/person.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import type { Occurrence, ScheduleView } from "../../gen/muster/schedule/v1/schedule_pb.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { capital, movesNothing, occurrenceState, requestState, requestType } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { stateTone } from "../requests/tones.ts";
import { COMPARED, isDrill, OCCURRENCE_TONES, owed, scopeOf, useNextDates, useRuns, useSchedule } from "./data.ts";
import "./schedules.css";

const NEXT_DATES = 10;

export function SchedulePage({ tenant, name }: { tenant: string; name: string }) {
  const query = useSchedule(tenant, name);
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/schedules`}>Drills and schedules</Link> / {name}
      </p>
      <Answer query={query} what="the schedule" heading={name}>
        {({ schedule, occurrences }) => (schedule ? <Schedule tenant={tenant} schedule={schedule} occurrences={occurrences} /> : <Empty whole title="There is no such schedule" />)}
      </Answer>
    </>
  );
}

function Schedule({ tenant, schedule, occurrences }: { tenant: string; schedule: ScheduleView; occurrences: Occurrence[] }) {
  const here = useHere(tenant);
  const spec = schedule.spec;
  return (
    <div className="stack">
      <div className="head">
        <h1>{schedule.name}</h1>
        {schedule.overdue && <Light tone="red">Overdue</Light>}
        {spec?.suspended && <Light tone="neutral">Suspended</Light>}
        <span className="grow" />
        <Link className="button small-button" href={`/t/${tenant}/settings/schedule/${schedule.name}`}>
          {here.may("PlannerService/Apply") ? "Change" : "As declared"}
        </Link>
      </div>
      <p className="quiet">
        {capital((spec?.what ?? "").replaceAll("-", " "))} of {scopeOf(spec ?? {})} · {schedule.inWords}
        {spec?.description && ` · ${spec.description}`}
      </p>
      <Review here={here} schedule={schedule} occurrence={owed(spec?.what ?? "", occurrences)} />
      <div className="columns">
        <Next tenant={tenant} schedule={schedule} />
        <Terms schedule={schedule} />
      </div>
      <History tenant={tenant} occurrences={occurrences} />
      <Compared tenant={tenant} schedule={schedule} />
    </div>
  );
}

function Review({ here, schedule, occurrence }: { here: Here; schedule: ScheduleView; occurrence: Occurrence | undefined }) {
  const queries = useQueryClient();
  if (!occurrence) return null;
  return (
    <section className="notice yellow" aria-label="Review">
      <p>
        A review is owed: it was due <Moment at={occurrence.dueAt} />.
      </p>
      {here.may("ScheduleService/RecordReview") ? (
        <AskButton
          label="Record the review"
          title={`Review: ${schedule.name}`}
          confirm="Record the review"
          primary
          text={{ label: "Findings", required: true, long: true, hint: "What was looked at, what was found, what follows." }}
          act={async (findings, idempotencyKey) => {
            await schedules.recordReview({ tenant: here.tenant, name: schedule.name, dueAt: occurrence.dueAt, findings, idempotencyKey });
            await queries.invalidateQueries({ queryKey: ["schedule", here.tenant, schedule.name] });
          }}
        />
      ) : (
        <p className="quiet">An approver or an admin records it.</p>
      )}
    </section>
  );
}

function Next({ tenant, schedule }: { tenant: string; schedule: ScheduleView }) {
  const next = useNextDates(tenant, schedule.name, NEXT_DATES);
  return (
    <section className="panel">
      <header>
        <h2>Next due times</h2>
        <span className="quiet small">yours, and where it counts</span>
      </header>
      <div className="body">
        <Answer query={next} what="the next due times" rows={3}>
          {(found) =>
            found.length === 0 ? (
              <p className="quiet">{schedule.spec?.suspended ? "It is suspended." : "It is never due again."}</p>
            ) : (
              <ol className="lines">
                {found.map((item) => (
                  <li key={String(item.dueAt?.seconds)}>
                    <Moment at={item.dueAt} /> <span className="small quiet">{item.localTime}</span>
                    {item.note && <p className="small">{item.note}</p>}
                  </li>
                ))}
              </ol>
            )
          }
        </Answer>
      </div>
    </section>
  );
}

function Terms({ schedule }: { schedule: ScheduleView }) {
  const spec = schedule.spec;
  return (
    <section className="panel">
      <header>
        <h2>Terms</h2>
      </header>
      <div className="body">
        <dl className="facts">
          <dt>Zone</dt>
          <dd>{spec?.timeZone || "UTC"}</dd>
          <dt>Told before</dt>
          <dd>{spec?.notices.length ? spec.notices.map((before) => humane(milliseconds(before))).join(", ") : "7 d, 24 h, 1 h"}</dd>
          <dt>Lapses</dt>
          <dd>if not approved and started within {spec?.window ? humane(milliseconds(spec.window)) : "24 h"}</dd>
          <dt>Overdue</dt>
          <dd>without a success for {spec?.overdueAfter ? humane(milliseconds(spec.overdueAfter)) : "7 d"}</dd>
          <dt>Not in</dt>
          <dd>{spec?.blackouts.length ? spec.blackouts.map(({ name, reason }) => `${name}${reason && ` (${reason})`}`).join(", ") : <span className="quiet">no blackout is declared</span>}</dd>
          <dt>Last success</dt>
          <dd>{schedule.lastSuccessAt ? <Ago at={schedule.lastSuccessAt} /> : <span className="text-unknown">never</span>}</dd>
        </dl>
      </div>
    </section>
  );
}

function History({ tenant, occurrences }: { tenant: string; occurrences: Occurrence[] }) {
  return (
    <section className="panel">
      <header>
        <h2>What came of it</h2>
      </header>
      <div className="body">
        {occurrences.length === 0 ? (
          <p className="quiet">It was not due yet.</p>
        ) : (
          <ul className="lines">
            {occurrences.map((item) => (
              <li key={String(item.dueAt?.seconds)}>
                <Light tone={OCCURRENCE_TONES[item.state]}>{capital(occurrenceState(item.state))}</Light> <Moment at={item.dueAt} />{" "}
                {item.requestId && <Link href={`/t/${tenant}/requests/${item.requestId}`}>request</Link>}
                {item.note && <p className="small quiet">{item.note}</p>}
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

/** The drills of this scope beside its real moves: what was rehearsed, and what it was like. */
function Compared({ tenant, schedule }: { tenant: string; schedule: ScheduleView }) {
  const scope = { resource: schedule.spec?.resource || undefined, group: schedule.spec?.group || undefined };
  const runs = useRuns(tenant, scope);
  if (!scope.resource && !scope.group) return null;
  return (
    <section className="panel">
      <header>
        <h2>Drills and real moves</h2>
        <span className="quiet small">
          of {scopeOf(scope)}, the newest {COMPARED}
        </span>
      </header>
      <div className="body">
        <Answer query={runs} what="runs" rows={2}>
          {(found) => (found.length === 0 ? <p className="text-unknown">Nothing was rehearsed or moved yet.</p> : <RunTable tenant={tenant} runs={found} />)}
        </Answer>
      </div>
    </section>
  );
}

function RunTable({ tenant, runs }: { tenant: string; runs: RequestView[] }) {
  return (
    <Scroll label="Drills and real moves">
      <table>
        <thead>
          <tr>
            <th>When</th>
            <th>What</th>
            <th>Kind</th>
            <th>Result</th>
            <th>RTO measured</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((request) => (
            <tr key={request.requestId}>
              <td>
                <Ago at={request.opened?.openedAt} />
              </td>
              <td>
                <Link href={`/t/${tenant}/requests/${request.requestId}`}>{requestType(request.opened?.type)}</Link>
              </td>
              <td>{isDrill(request) ? "drill" : "real move"}</td>
              <td>
                <Light tone={stateTone(request.state)}>{requestState(request.state)}</Light>
              </td>
              <td className="nowrap">{movesNothing(request.opened?.type) ? <span className="quiet">nothing was moved</span> : request.state === RequestState.SUCCEEDED ? humane(milliseconds(request.execution?.succeeded?.rtoMeasured)) : <span className="quiet">none</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
