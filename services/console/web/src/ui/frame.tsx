// What stands around every page: where you are, who you are, and whether Muster answers.

import * as Ariakit from "@ariakit/react";
import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { Link, useLocation } from "wouter";
import { connection } from "../api/connection.ts";
import { ROLE_NAMES, rolesIn, usePerson } from "../api/person.ts";
import { loginAddress } from "../api/session.ts";
import { chooseTheme, chosenTheme, type Theme } from "../lib/theme.ts";
import { local } from "../lib/time.ts";
import { type Inbox, useInbox } from "../pages/requests/waiting.ts";
import { Empty } from "./states.tsx";

export function Frame({ tenant, title, children }: { tenant: string; title: string; children: ReactNode }) {
  const person = usePerson();
  const known = person.tenants.some((held) => held.tenant === tenant);
  useEffect(() => {
    document.title = `${title} · ${tenant} · Muster`;
  }, [title, tenant]);
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="side">
        <Link className="brand" href={`/t/${tenant}`}>
          <img src="/assets/icon.svg" alt="" />
          <span>Muster</span>
        </Link>
        {known && <Sections tenant={tenant} />}
        <Foot tenant={tenant} />
      </header>
      <main id="main" tabIndex={-1}>
        {known ? (
          children
        ) : (
          <Empty whole title="You have no role in this tenant">
            <p>
              You are logged in as {person.name}. Ask an admin of <strong>{tenant}</strong> for a role, or choose another tenant.
            </p>
            <p>
              <a href="/">Go to your own tenant</a>
            </p>
          </Empty>
        )}
      </main>
    </div>
  );
}

interface Section {
  name: string;
  href: string;
  inside: boolean;
  count: number;
  /** Not everything could be counted. */
  atLeast: boolean;
  /** Has room on a phone; the others are one tap further. */
  often: boolean;
}

function sectionsOf(tenant: string, path: string, { waiting, doubts }: Inbox): Section[] {
  const base = `/t/${tenant}`;
  const section = (name: string, parts: string[], often: boolean, count = 0, atLeast = false): Section => ({ name, href: `${base}/${parts[0]}`, inside: parts.some((part) => path.startsWith(`${base}/${part}`)), often, count, atLeast });
  return [
    { name: "Fleet", href: base, inside: path === base || path.startsWith(`${base}/resources`), count: 0, atLeast: false, often: true },
    section("Requests", ["requests", "delegations"], true, waiting?.length ?? 0, doubts.length > 0),
    section("Alerts", ["alerts", "messages"], true),
    section("Schedules", ["schedules"], true),
    section("Plans", ["plans"], false),
    section("Audit", ["audit", "gaps", "evidence"], false),
    section("Settings", ["settings"], false),
  ];
}

function Sections({ tenant }: { tenant: string }) {
  const [path] = useLocation();
  const sections = sectionsOf(tenant, path, useInbox(tenant));
  const seldom = sections.filter(({ often }) => !often);
  return (
    <nav aria-label="Sections">
      <ul>
        {sections.map(({ name, href, inside, count, atLeast, often }) => (
          <li key={name} className={often ? "" : "seldom"}>
            <Link className="nav-link" href={href} aria-current={inside ? "page" : undefined}>
              {name}
              {(count > 0 || atLeast) && (
                <span className="badge">
                  {atLeast && count === 0 ? "?" : `${count}${atLeast ? "+" : ""}`}
                  <span className="visually-hidden"> waiting for you</span>
                </span>
              )}
            </Link>
          </li>
        ))}
        <li className="more">
          <Ariakit.MenuProvider>
            <Ariakit.MenuButton className={`nav-link ${seldom.some(({ inside }) => inside) ? "inside" : ""}`}>More</Ariakit.MenuButton>
            <Ariakit.Menu className="menu" gutter={6}>
              {seldom.map(({ name, href, inside }) => (
                <Ariakit.MenuItem key={name} render={<Link href={href} />}>
                  {name}
                  {inside && <span className="quiet">here</span>}
                </Ariakit.MenuItem>
              ))}
            </Ariakit.Menu>
          </Ariakit.MenuProvider>
        </li>
      </ul>
    </nav>
  );
}

const THEMES: Theme[] = ["system", "light", "dark"];

function Foot({ tenant }: { tenant: string }) {
  const person = usePerson();
  const [theme, setTheme] = useState(chosenTheme);
  const roles = rolesIn(person, tenant).map((role) => ROLE_NAMES[role]);
  return (
    <div className="side-foot">
      <p className="small who">
        <strong>{person.name}</strong>
        <br />
        <span className="quiet">{roles.join(", ") || "no role here"}</span>
      </p>
      <Ariakit.MenuProvider>
        <Ariakit.MenuButton className="button switcher">
          {tenant} <Ariakit.MenuButtonArrow />
          <span className="visually-hidden">: tenant, theme, log out</span>
        </Ariakit.MenuButton>
        <Ariakit.Menu className="menu" gutter={6}>
          <Ariakit.MenuGroup>
            <Ariakit.MenuGroupLabel className="menu-title">
              {person.name}: {roles.join(", ") || "no role here"}
            </Ariakit.MenuGroupLabel>
          </Ariakit.MenuGroup>
          <Ariakit.MenuGroup>
            <Ariakit.MenuGroupLabel className="menu-title">Tenant</Ariakit.MenuGroupLabel>
            {person.tenants.length > 1 && <Ariakit.MenuItem render={<Link href="/everywhere" />}>All tenants, worst first</Ariakit.MenuItem>}
            {person.tenants.map((held) => (
              <Ariakit.MenuItem key={held.tenant} render={<Link href={`/t/${held.tenant}`} />}>
                {held.tenant}
                {held.tenant === tenant && <span className="quiet">here</span>}
              </Ariakit.MenuItem>
            ))}
          </Ariakit.MenuGroup>
          <Ariakit.MenuGroup>
            <Ariakit.MenuGroupLabel className="menu-title">Theme</Ariakit.MenuGroupLabel>
            {THEMES.map((choice) => (
              <Ariakit.MenuItem
                key={choice}
                hideOnClick={false}
                onClick={() => {
                  chooseTheme(choice);
                  setTheme(choice);
                }}
              >
                {choice === "system" ? "As the system" : choice === "light" ? "Light" : "Dark"}
                {choice === theme && <span className="quiet">chosen</span>}
              </Ariakit.MenuItem>
            ))}
          </Ariakit.MenuGroup>
          <form method="post" action="/logout" id="logout" hidden />
          <Ariakit.MenuItem onClick={() => (document.getElementById("logout") as HTMLFormElement | null)?.submit()}>Log out</Ariakit.MenuItem>
        </Ariakit.Menu>
      </Ariakit.MenuProvider>
    </div>
  );
}

/** Lies above the page, so that nothing moves when it comes and goes. */
export function ConnectionBanner() {
  const now = useSyncExternalStore(connection.subscribe, connection.get);
  useEffect(() => {
    document.documentElement.dataset.connection = now.state;
  }, [now.state]);
  return (
    <>
      <div role="status">
        {now.state === "lost" && (
          <div className="banner">No connection to Muster since {local(now.since)}. What you see is from then. Trying again.</div>
        )}
      </div>
      {now.state === "over" && (
        <Ariakit.Dialog open hideOnEscape={false} hideOnInteractOutside={false} onClose={() => undefined} className="dialog" backdrop={<div className="backdrop" />}>
          <Ariakit.DialogHeading render={<h2 />}>You are logged out</Ariakit.DialogHeading>
          <p>The session is over: it was ended, or nobody used it for an hour. What you see behind this is old.</p>
          <div className="actions">
            <a className="button primary" href={loginAddress()}>
              Log in again
            </a>
          </div>
        </Ariakit.Dialog>
      )}
    </>
  );
}
