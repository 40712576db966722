"use strict";

// How the plain pages ask a service. Whatever else answers becomes a message to a person.

// Without it, a free tunnel of ngrok answers with a page that warns of the tunnel.
const NO_WARNING_PAGE = { "ngrok-skip-browser-warning": "1" };

const TIMEOUT_MS = 30_000; // from the request to the answer's last byte

/** Nothing answers, or the browser keeps the answer from this page. */
class Unreachable extends Error {}

/** Ask `service` (its name in messages) for JSON; `isAnswer` tells whether it has the known form. */
async function askService(service, url, isAnswer, { headers, signal, ...options } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let reply, text;
  try {
    headers = { ...headers, ...NO_WARNING_PAGE };
    signal = signal ? AbortSignal.any([signal, timeout]) : timeout;
    reply = await fetch(url, { ...options, headers, signal, redirect: "manual" });
    text = await reply.text();
  } catch {
    if (timeout.aborted) {
      throw new Error(`The ${service} takes too long. It may be busy: wait a little, and try again.`);
    }
    if (!reply) throw new Unreachable(`The ${service} cannot be reached. Is it still running?`);
    text = ""; // an answer that cannot be decoded, or that breaks off
  }
  const json = readJson(text);
  if (reply.ok && isAnswer(json)) return json;
  throw new Error(describeRefusal(reply, json) ?? describeStranger(service, reply, text, json));
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isText(value) {
  return typeof value === "string";
}

function isShare(value) {
  return typeof value === "number" && value >= 0 && value <= 1;
}

/** Why a service refuses a request (RFC 9457); null where it is no service of ours. */
function describeRefusal({ ok, status }, json) {
  if (ok || status === 404 || status === 405) return null; // the pages ask no such path
  if (!isText(json?.detail) || !json.detail || !Array.isArray(json.errors)) return null;
  const members = ["detail", "received", "allowed"];
  if (!json.errors.every((fault) => members.every((name) => isText(fault?.[name])))) return null;
  const faults = json.errors.map(
    ({ detail, received, allowed }) =>
      `${detail.replace(/\.?$/, ".")} Received: ${received}. Allowed: ${allowed}.`,
  );
  return faults.join(" ") || json.detail;
}

/** What has probably answered in the service's place, and what to do. */
function describeStranger(service, { status }, text, json) {
  const isPage = /^\s*</.test(text);
  const isJson = json !== undefined;
  const form = isJson ? "JSON of another form" : isPage ? "a web page" : text ? "text" : "empty";
  const what = status ? `status ${status}, ${form}` : "a redirect";
  const [who, remedy] = nameStranger(status, isPage, isJson);
  return `Something else answered in place of the ${service} (${what}): probably ${who}. ${remedy}`;
}

/** Status 0: the browser shows no page where a redirect leads. */
function nameStranger(status, isPage, isJson) {
  const start = "See that the service is running there, and use the address that it printed.";
  const logIn = "Open its address in a browser tab, confirm or log in, and try again.";
  if ([401, 407, 511].includes(status)) return ["the login page of a proxy", logIn];
  if (status === 0 || (status >= 300 && status < 400)) {
    return ["a login page, or a proxy that sends requests elsewhere", start];
  }
  if (status === 413) {
    return ["a proxy that rejects requests of this size", "Send a smaller photo."];
  }
  if (status === 429) {
    return ["a proxy that rejects many requests", "Wait a minute, and try again."];
  }
  if (isJson || [404, 405, 501].includes(status) || (status < 300 && !isPage)) {
    return ["another program on its port, or a tunnel whose service has ended", start];
  }
  if (status >= 500) {
    return ["a proxy or tunnel that does not reach it, or a program that failed", start];
  }
  if (status >= 400) {
    return [
      "a proxy that refuses the request, as Colab’s may",
      "In Colab launch the service with public=True; elsewhere ask whoever runs the proxy.",
    ];
  }
  return ["the warning page of a tunnel, or the login page of a proxy", logIn];
}
