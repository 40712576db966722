// Keeps the page's files, so that a later visit needs no network.
//
// All files of a visit come from the same place. Each visit asks for model.json first. Where its
// version is the one that was kept, or there is no network, all files are the ones that were kept.
// Otherwise all come from the network, and once they have, the page asks to keep them.

interface Extended extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetched extends Extended {
  request: Request;
  clientId: string;
  resultingClientId: string;
  respondWith(reply: Promise<Response>): void;
}

/** What of a service worker this script uses; TypeScript's own types exclude those of a page. */
interface Scope {
  registration: ServiceWorkerRegistration;
  clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Extended) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetched) => void): void;
  addEventListener(type: "message", listener: (event: Extended & MessageEvent) => void): void;
}

const worker = self as unknown as Scope;
const HOME = worker.registration.scope;
const ABOUT = "model.json";
const FILES = [
  "index.html",
  "page.js",
  "worker.js",
  "look.css",
  "icon.svg",
  "litert.wasm",
  "model.tflite",
  "NOTICE",
  ABOUT, // the last one: where it is kept, all are
];
const TIMEOUT_MS = 4000; // for model.json, where there is something kept
const PREFIX = `network in the page: ${HOME} `; // of a cache's name; its version follows

// Pages that were opened with a newer version than the one that is kept.
const newer = new Set<string>();

worker.addEventListener("install", (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(keep());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const name = nameFile(request.url);
  if (request.method !== "GET" || name === undefined) return;
  const isVisit = request.mode === "navigate";
  event.respondWith(isVisit ? answerVisit(event, name) : answerFile(event, name));
});

/** The file that an address names, "index.html" being the folder itself; undefined for another's. */
function nameFile(address: string): string | undefined {
  const { origin, pathname } = new URL(address);
  if (!(origin + pathname).startsWith(HOME)) return undefined;
  const name = (origin + pathname).slice(HOME.length) || "index.html";
  return FILES.includes(name) ? name : undefined;
}

async function answerVisit(event: Fetched, name: string): Promise<Response> {
  const kept = await findKept();
  const about = await fetchFresh(ABOUT, kept && TIMEOUT_MS).catch(() => undefined);
  if (kept && (!about || about.status >= 500)) return serve(kept, name);
  const version = about && (await readVersion(about));
  if (kept && version === kept.version) return serve(kept, name);
  if (about && !version) await leave();
  newer.add(event.resultingClientId);
  return fetch(event.request);
}

async function answerFile(event: Fetched, name: string): Promise<Response> {
  const kept = newer.has(event.clientId) ? undefined : await findKept();
  return kept ? serve(kept, name) : fetchFresh(name);
}

interface Kept {
  version: string;
  cache: Cache;
}

async function findKept(): Promise<Kept | undefined> {
  for (const name of (await listCaches()).reverse()) {
    const cache = await caches.open(name);
    if (await cache.match(HOME + ABOUT)) return { version: name.slice(PREFIX.length), cache };
  }
  return undefined;
}

/** The caches of this page, the newest last. */
async function listCaches(): Promise<string[]> {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX));
}

async function serve({ cache }: Kept, name: string): Promise<Response> {
  return (await cache.match(HOME + name)) ?? fetchFresh(name);
}

/** From the network; the browser's own cache is asked only whether the file has changed. */
function fetchFresh(name: string, timeout?: number): Promise<Response> {
  const signal = timeout === undefined ? null : AbortSignal.timeout(timeout);
  const address = name === "index.html" ? HOME : HOME + name;
  return fetch(address, { cache: "no-cache", signal });
}

async function readVersion(reply: Response): Promise<string | undefined> {
  const about: { version?: string } | undefined = await reply.clone().json().catch(() => undefined);
  return reply.ok ? about?.version : undefined;
}

/** Fetch all files and keep them, in the place of those of another version. */
async function keep(): Promise<void> {
  const version = await readVersion(await fetchFresh(ABOUT));
  if (!version || version === (await findKept())?.version) return;
  const old = await listCaches();
  const cache = await caches.open(PREFIX + version);
  for (const name of FILES) {
    const reply = await fetchFresh(name);
    const isWhole = reply.ok && !reply.redirected;
    // A new version may have come meanwhile: the next visit will try again.
    if (!isWhole || (name === ABOUT && (await readVersion(reply)) !== version)) return;
    await cache.put(HOME + name, reply);
  }
  await Promise.all(old.map((name) => name !== PREFIX + version && caches.delete(name)));
}

/** Something else is at this address now: keep nothing of this page, and see no more requests. */
async function leave(): Promise<void> {
  await Promise.all((await listCaches()).map((name) => caches.delete(name)));
  await worker.registration.unregister();
}

export {};
