"use strict";

// How the plain pages ask a service. Whatever else answers becomes a message to a person.

// Without it, a free tunnel of ngrok answers with a page that warns of the tunnel.
const NO_WARNING_PAGE = { "ngrok-skip-browser-warning": "1" };

/** Nothing answers, or the browser keeps the answer from this page. */
class Unreachable extends Error {}

/** Ask `service` (its name in messages) for JSON; `isAnswer` says whether it has the known form. */
async function askService(service, url, isAnswer, { headers, ...options } = {}) {
  let reply, text;
  try {
    headers = { ...headers, ...NO_WARNING_PAGE };
    reply = await fetch(url, { ...options, headers, redirect: "manual" });
    text = await reply.text();
  } catch {
    throw new Unreachable(`The ${service} cannot be reached. Is it still running?`);
  }
  const said = readJson(text);
  if (reply.ok && isAnswer(said)) return said;
  throw new Error(describeRefusal(reply, said) ?? describeStranger(service, reply, text, said));
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a service says of a request that it refuses (RFC 9457); null where it is another's. */
function describeRefusal({ ok, status }, said) {
  if (ok || status === 404 || status === 405) return null; // the pages ask no such path
  const isText = (value) => typeof value === "string";
  if (!isText(said?.detail) || !Array.isArray(said.errors)) return null;
  const members = ["detail", "received", "allowed"];
  if (!said.errors.every((fault) => members.every((name) => isText(fault?.[name])))) return null;
  const faults = said.errors.map(
    ({ detail, received, allowed }) =>
      `${detail.replace(/\.?$/, ".")} Received: ${received}. Allowed: ${allowed}.`,
  );
  return faults.join(" ") || said.detail;
}

/** What has probably answered in the service's place, and what to do. */
function describeStranger(service, { status }, text, said) {
  const isPage = /^\s*</.test(text);
  const isJson = said !== undefined;
  const form = isJson ? "JSON of another form" : isPage ? "a web page" : text ? "text" : "empty";
  const what = status ? `status ${status}, ${form}` : "a redirect";
  const [who, remedy] = nameStranger(status, isPage, isJson);
  return `Something else answered in place of the ${service} (${what}): probably ${who}. ${remedy}`;
}

/** Status 0: the browser shows no page where a redirect leads. */
function nameStranger(status, isPage, isJson) {
  const start = "See that the service is running there, and use the address that it printed.";
  if (status === 0) {
    return ["a login page, or a proxy that sends requests elsewhere", start];
  }
  if (status === 413) {
    return ["a proxy that lets nothing of this size pass", "Send a smaller photo."];
  }
  if (isJson || [404, 405, 501].includes(status) || (status < 300 && !isPage)) {
    return ["another program on its port, or a tunnel whose service has ended", start];
  }
  if (status >= 500) {
    return ["a proxy or tunnel that does not reach it, or another program that failed", start];
  }
  if (status >= 400) {
    return [
      "a proxy that refuses the request, as Colab’s may",
      "In Colab launch the service with public=True; elsewhere ask whoever runs the proxy.",
    ];
  }
  return [
    "the warning page of a tunnel, or the login page of a proxy",
    "Open its address in a browser tab, confirm or log in, and try again.",
  ];
}
