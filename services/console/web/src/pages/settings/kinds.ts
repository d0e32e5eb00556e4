// The kinds of documents as manifests name them, as addresses name them, and how each begins.

import { Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";

export interface KindInfo {
  kind: Kind;
  /** In manifests. */
  name: string;
  /** In addresses: what the record calls it too. */
  token: string;
  plural: string;
  says: string;
}

export const KINDS: readonly KindInfo[] = [
  { kind: Kind.RESOURCE, name: "Resource", token: "resource", plural: "Resources", says: "one protected system" },
  { kind: Kind.GROUP, name: "Group", token: "group", plural: "Groups", says: "systems that move together, in order" },
  { kind: Kind.POLICY, name: "Policy", token: "policy", plural: "Policies", says: "who must approve what, limits, alerts, freezes" },
  { kind: Kind.PLAN, name: "Plan", token: "plan", plural: "Plans", says: "the steps of a move" },
  { kind: Kind.SCHEDULE, name: "Schedule", token: "schedule", plural: "Schedules", says: "when a drill or review is due" },
  { kind: Kind.NOTIFICATION_ROUTE, name: "NotificationRoute", token: "notification-route", plural: "Routes", says: "who is told what, and how" },
  { kind: Kind.CONTACT, name: "Contact", token: "contact", plural: "Contacts", says: "how a person is reached" },
  { kind: Kind.MESSAGE_TEMPLATE, name: "MessageTemplate", token: "message-template", plural: "Templates", says: "the words of messages" },
  { kind: Kind.SITE, name: "Site", token: "site", plural: "Sites", says: "a place that systems run at" },
  { kind: Kind.TENANT, name: "Tenant", token: "tenant", plural: "Tenants", says: "the customer itself" },
];

export const kindOf = (kind: Kind): KindInfo | undefined => KINDS.find((info) => info.kind === kind);
export const kindOfToken = (token: string): KindInfo | undefined => KINDS.find((info) => info.token === token);
export const kindOfName = (name: string): KindInfo | undefined => KINDS.find((info) => info.name === name);

/** Where the editor of a new document begins. Each can be checked as it stands, once the names in it exist. */
export const BEGINNINGS: Record<string, string> = {
  Resource: `kind: Resource
metadata:
  name: orders-db
spec:
  displayName: Orders of the web shop
  tier: 1
  environment: production
  owner: team-shop
  primarySite: fra
  drSite: ams
  rpo: 30s
  rto: 15m
  postgresql:
    database: shop
    tls: verify-full
    heartbeat: transactionId
    nodes:
    - {name: orders-a, site: fra, host: orders-a.example.com, port: 5432}
    - {name: orders-b, site: ams, host: orders-b.example.com, port: 5432}
    monitor: {user: muster_monitor, passwordRef: "file:monitor"}
`,
  Site: `kind: Site
metadata:
  name: fra
spec:
  displayName: Frankfurt
  region: eu-central
`,
  Group: `kind: Group
metadata:
  name: shop
spec:
  displayName: Web shop
  members:
  - resource: orders-db
`,
  Policy: `kind: Policy
metadata:
  name: approvals
spec:
  description: Two people for what is critical, one for the rest
  approvals:
  - tiers: [1]
    require:
    - {role: Approver-IT, count: 1}
    - {role: Approver-Business, count: 1}
`,
  Plan: `kind: Plan
metadata:
  name: orders-to-ams
spec:
  displayName: Orders to Amsterdam
  owner: team-shop
  resource: orders-db
  fromSite: fra
  toSite: ams
  rto: 15m
  contacts:
  - {name: Vera Lang, role: incident lead, reach: "+49 69 1234567"}
  phases:
  - name: move
    steps:
    - {id: move-orders, title: Move the order book, move: orders-db}
`,
  Schedule: `kind: Schedule
metadata:
  name: orders-monthly-drill
spec:
  description: A copy is started, asked and removed
  what: isolated-drill
  resource: orders-db
  rrule: FREQ=MONTHLY;BYDAY=3SA;BYHOUR=2;BYMINUTE=0
  timeZone: Europe/Berlin
  reason: Monthly proof
`,
  NotificationRoute: `kind: NotificationRoute
metadata:
  name: on-call-mail
spec:
  description: Alerts and requests, to the team
  events: ["*"]
  email:
    to: [oncall@example.com]
`,
  Contact: `kind: Contact
metadata:
  name: ingo
spec:
  displayName: Ingo Berg
  person: https://login.example.com|ingo
  email: ingo@example.com
  askedAs: [Approver-IT]
`,
  MessageTemplate: `kind: MessageTemplate
metadata:
  name: breach-mail
spec:
  kinds: [rpo.breached]
  language: en
  channels: [email]
  subject: "{{ resource }} is over its limit"
  text: "{{ text }}"
`,
};
