// Whatever goes wrong, as a message to a person: what it was, and what to do.

import { Refusal, Stranger, Unreachable } from "./api";

export interface Problem {
  title: string;
  details: string[];
  received?: string[];
  allowed?: string[];
  retry: boolean; // whether the same request may succeed later
}

/** A photo that the page itself does not take. */
export class Complaint extends Error {
  constructor(
    readonly title: string,
    detail: string,
    readonly allowed?: string[],
  ) {
    super(detail);
  }
}

/** The service took too long. */
export class TooSlow extends Error {}

export function explain(error: unknown): Problem {
  if (error instanceof Complaint) {
    return { title: error.title, details: [error.message], allowed: error.allowed, retry: false };
  }
  if (error instanceof Refusal) return refused(error);
  if (error instanceof Unreachable) {
    return again(
      "The server does not answer",
      "It may have been stopped. Start it again, with “make demo” or “course serve image”.",
    );
  }
  if (error instanceof TooSlow) {
    return again(
      "The server takes too long",
      `No answer came within ${error.message}. It may be busy: wait a little.`,
    );
  }
  if (error instanceof Stranger) {
    const status = error.status ? `status ${error.status}` : "a redirect";
    const [who, remedy] = nameStranger(error);
    const detail = `Something else answered in its place (${status}): probably ${who}. ${remedy}`;
    const problem = again("This is not the image service’s answer", detail);
    return { ...problem, retry: error.status !== 413 }; // the same photo would be rejected again
  }
  return again("Something went wrong on this page", String(error));
}

/** What has probably answered in the service's place, and what to do. */
function nameStranger({ status, form }: Stranger): [who: string, remedy: string] {
  const start = "See that the service runs, and open this page at the address that it printed.";
  const logIn = "Reload this page, confirm or log in, and try again.";
  if ([401, 407, 511].includes(status)) return ["the login page of a proxy", logIn];
  if (status === 0 || (status >= 300 && status < 400)) {
    return ["a login page, or a proxy that sends requests elsewhere", start];
  }
  if (status === 413) {
    return ["a proxy that rejects requests of this size", "Choose a smaller photo."];
  }
  if (status === 429) {
    return ["a proxy that rejects many requests", "Wait a minute, and try again."];
  }
  if (form === "json" || [404, 405, 501].includes(status) || (status < 300 && form !== "html")) {
    return ["another program on its port, or a tunnel whose service has ended", start];
  }
  if (status >= 500) {
    return ["a proxy or tunnel that does not reach it, or a program that failed", start];
  }
  if (status >= 400) {
    return [
      "a proxy that refuses the request, as Colab’s may",
      "In Colab launch the app with public=True; elsewhere ask whoever runs the proxy.",
    ];
  }
  return ["the warning page of a tunnel, or the login page of a proxy", logIn];
}

function refused({ status, problem }: Refusal): Problem {
  const faults = problem.errors;
  const byAddress = faults.some(({ pointer }) => pointer === "/url");
  const titles: Record<number, string> = {
    400: byAddress ? "No photo came from this address" : "This photo cannot be read",
    413: "This photo is too large",
    503: "The service is busy",
  };
  return {
    title: titles[status] ?? (status < 500 ? "The service refuses this" : "The service failed"),
    details: faults.length ? unique(faults.map(({ detail }) => detail)) : [problem.detail],
    received: unique(faults.map(({ received }) => received)),
    allowed: unique(faults.map(({ allowed }) => allowed)),
    retry: status >= 500,
  };
}

function unique(texts: string[]): string[] {
  return [...new Set(texts)];
}

function again(title: string, detail: string): Problem {
  return { title, details: [detail], retry: true };
}
