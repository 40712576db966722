// How the pages ask a service. Whatever else answers becomes a message to a person.

// Without it, a free tunnel of ngrok answers with a page that warns of the tunnel.
export const NO_WARNING_PAGE = { "ngrok-skip-browser-warning": "1" };

const TIMEOUT_S = 30; // from the request to the answer's last byte

/** Nothing answers, or the browser keeps the answer from this page. */
export class Unreachable extends Error {}

/** The answer takes too long. */
export class TooSlow extends Error {}

/** The service refuses the request. `problem` holds its reasons (RFC 9457). */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {{detail: string, errors: {pointer: string, detail: string, received: string, allowed: string}[]}} problem
   */
  constructor(status, problem) {
    const faults = problem.errors.map(
      ({ detail, received, allowed }) =>
        `${sentence(detail)} Received: ${received}. Allowed: ${allowed}.`,
    );
    super(faults.join(" ") || problem.detail);
    this.status = status;
    this.problem = problem;
  }
}

/** Something else answered in the service's place. Its status is 0 where that is a redirect. */
export class Stranger extends Error {
  /**
   * @param {string} service
   * @param {number} status
   * @param {string} text
   * @param {any} json
   */
  constructor(service, status, text, json) {
    const isPage = /^\s*</.test(text);
    const isJson = json !== undefined;
    const form = isJson ? "JSON of another form" : isPage ? "a web page" : text ? "text" : "empty";
    const what = status ? `status ${status}, ${form}` : "a redirect";
    const [who, remedy] = nameStranger(status, isPage, isJson);
    super(
      `Something else answered in place of the ${service} (${what}): probably ${who}. ${remedy}`,
    );
    this.status = status;
  }
}

/**
 * Ask `service` (its name in messages) for JSON; `isAnswer` tells whether it has the known form.
 *
 * @template T
 * @param {string} service
 * @param {string} url
 * @param {(json: any) => json is T} isAnswer
 * @param {RequestInit} [options]
 * @returns {Promise<T>}
 */
export async function askService(service, url, isAnswer, { headers, signal, ...options } = {}) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_S * 1000);
  let reply;
  let text = "";
  try {
    reply = await fetch(url, {
      ...options,
      headers: { ...headers, ...NO_WARNING_PAGE },
      signal: signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal,
      redirect: "manual",
    });
    text = await reply.text();
  } catch (error) {
    if (signal?.aborted) throw error; // the page has ended the request
    if (timeout.signal.aborted) {
      throw new TooSlow(
        `The ${service} did not answer within ${TIMEOUT_S} seconds. It may be busy: wait a little, and try again.`,
      );
    }
    if (!reply) throw new Unreachable(`The ${service} cannot be reached. Is it still running?`);
    // Else the answer cannot be decoded, or it breaks off.
  } finally {
    clearTimeout(timer);
  }
  const { ok, status } = reply;
  const json = readJson(text);
  if (ok && isAnswer(json)) return json;
  // The pages ask no path that is missing: who says so is another service.
  if (!ok && status !== 404 && status !== 405 && isProblem(json)) throw new Refusal(status, json);
  throw new Stranger(service, status, text, json);
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @returns {value is string} */
export function isText(value) {
  return typeof value === "string";
}

/** @returns {value is number} */
export function isShare(value) {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function isProblem(json) {
  if (!isText(json?.detail) || !json.detail || !Array.isArray(json.errors)) return false;
  const members = ["pointer", "detail", "received", "allowed"];
  return json.errors.every((fault) => members.every((name) => isText(fault?.[name])));
}

/** What a fault says, as a sentence. @param {string} detail */
export function sentence(detail) {
  return detail.charAt(0).toUpperCase() + detail.slice(1).replace(/\.?$/, ".");
}

/** What has probably answered, and what to do. Status 0: the browser shows no redirect's page. */
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
