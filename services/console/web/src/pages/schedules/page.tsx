// What is due when: what is late first, then the month, then every schedule.

import { Link } from "wouter";
import { useHere } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import { troubleOf } from "../../api/trouble.ts";
import type { ScheduleView } from "../../gen/muster/schedule/v1/schedule_pb.ts";
import { useFields } from "../../lib/address.ts";
import { capital, occurrenceState } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Empty, hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { fieldOf, monthOf, moved } from "./calendar.ts";
import { byUrgency, OCCURRENCE_TONES, scopeOf, useCalendar, useSchedules } from "./data.ts";
import { MonthTable, titleOf } from "./month.tsx";
import "./schedules.css";

export function SchedulesPage({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const list = useSchedules(tenant);
  const all = [...(list.data?.items ?? [])].sort(byUrgency);
  return (
    <>
      <div className="head">
        <h1>Drills and schedules</h1>
        <p className="quiet">A schedule opens a request when it is due. People approve and start it; nothing runs by itself.</p>
        <span className="grow" />
        {here.may("PlannerService/Apply") && (
          <Link className="button small-button" href={`/t/${tenant}/settings/new?kind=Schedule`}>
            New schedule
          </Link>
        )}
      </div>
      {hides(list) ? (
        <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading what="the schedules" />
      ) : all.length === 0 ? (
        <Empty title="Nothing is scheduled yet">
          <p>A plan that nobody tests is proven by nothing. An admin declares a schedule: a monthly drill, a yearly review.</p>
        </Empty>
      ) : (
        <>
          <Overdue tenant={tenant} schedules={all.filter(({ overdue }) => overdue)} />
          <Calendar tenant={tenant} />
          <h2>All schedules</h2>
          <List tenant={tenant} schedules={all} />
          {list.data?.more && <p className="notice yellow">There are more schedules than the {all.length} that are shown here. One that is overdue may be missing: list all with <code>muster schedule list</code>.</p>}
        </>
      )}
    </>
  );
}

function Overdue({ tenant, schedules }: { tenant: string; schedules: ScheduleView[] }) {
  if (schedules.length === 0) return null;
  return (
    <section className="notice red" aria-label="Overdue">
      <ul>
        {schedules.map((schedule) => (
          <li key={schedule.name}>
            <Light tone="red">Overdue</Light> <Link href={`/t/${tenant}/schedules/${schedule.name}`}>{schedule.name}</Link>, {scopeOf(schedule.spec ?? {})}: last success{" "}
            {schedule.lastSuccessAt ? <Ago at={schedule.lastSuccessAt} /> : <strong>never</strong>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Calendar({ tenant }: { tenant: string }) {
  const [{ month: field }, change] = useFields(["month"]);
  const month = monthOf(field, serverNow());
  const calendar = useCalendar(tenant, month);
  const go = (by: number) => change({ month: fieldOf(moved(month, by)) });
  return (
    <section className="stack" aria-labelledby="month">
      <div className="head">
        <h2 id="month" aria-live="polite">
          {titleOf(month)}
        </h2>
        <div className="actions">
          <button type="button" className="button small-button" onClick={() => go(-1)}>
            Month before
          </button>
          <button type="button" className="button small-button" onClick={() => change({ month: "" })}>
            Today
          </button>
          <button type="button" className="button small-button" onClick={() => go(1)}>
            Month after
          </button>
        </div>
      </div>
      {hides(calendar) ? (
        <TroubleNotice trouble={troubleOf(calendar.error)} retry={() => void calendar.refetch()} />
      ) : !calendar.data ? (
        <Loading what="the month" rows={5} />
      ) : (
        <>
          {calendar.data.cut && <p className="notice yellow">More is due in this month than is shown here. The list below has every schedule.</p>}
          <MonthTable tenant={tenant} month={month} occurrences={calendar.data.occurrences} />
          {calendar.data.occurrences.length === 0 && <p className="quiet">Nothing is due in this month.</p>}
        </>
      )}
    </section>
  );
}

function List({ tenant, schedules }: { tenant: string; schedules: ScheduleView[] }) {
  return (
    <Scroll label="All schedules" className="panel">
      <table className="cards">
        <thead>
          <tr>
            <th>Schedule</th>
            <th>What</th>
            <th>When</th>
            <th>Next</th>
            <th>Latest</th>
            <th>Last success</th>
          </tr>
        </thead>
        <tbody>
          {schedules.map((schedule) => (
            <tr key={schedule.name}>
              <td>
                <Link href={`/t/${tenant}/schedules/${schedule.name}`}>
                  <strong>{schedule.name}</strong>
                </Link>
                <br />
                <span className="small quiet">{schedule.spec?.description}</span>
              </td>
              <td>
                {capital((schedule.spec?.what ?? "").replaceAll("-", " "))}
                <br />
                <span className="small quiet">{scopeOf(schedule.spec ?? {})}</span>
              </td>
              <td>{schedule.inWords}</td>
              <td data-label="Next">{schedule.spec?.suspended ? <Light tone="neutral">Suspended</Light> : schedule.nextDueAt ? <Moment at={schedule.nextDueAt} /> : <span className="quiet">none</span>}</td>
              <td data-label="Latest">{schedule.latest ? <Light tone={OCCURRENCE_TONES[schedule.latest.state]}>{capital(occurrenceState(schedule.latest.state))}</Light> : <span className="quiet">nothing yet</span>}</td>
              <td data-label="Last success">
                {schedule.lastSuccessAt ? <Ago at={schedule.lastSuccessAt} /> : <span className="text-unknown">never</span>}
                {schedule.overdue && <strong className="text-red"> overdue</strong>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
