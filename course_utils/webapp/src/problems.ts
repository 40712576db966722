// Whatever goes wrong, as a message to a person: what it was, and what to do.

import { NotTheService, Refusal, Unreachable } from "./api";

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
  if (error instanceof NotTheService) {
    const status = error.status ? `status ${error.status}` : "a redirect";
    const [who, remedy] = nameStranger(error);
    return again(
      "This is not the image service’s answer",
      `Something else answered in its place (${status}): probably ${who}. ${remedy}`,
    );
  }
  return again("Something went wrong on this page", String(error));
}

/** What has probably answered in the service's place, and what to do. */
function nameStranger({ status, form }: NotTheService): [who: string, remedy: string] {
  const start = "See that the service runs, and open this page at the address that it printed.";
  if (status === 0) return ["a login page, or a proxy that sends requests elsewhere", start];
  if (status === 413) {
    return ["a proxy that lets nothing of this size pass", "Choose a smaller photo."];
  }
  if (form === "json" || [404, 405, 501].includes(status) || (status < 300 && form !== "html")) {
    const who = "another program on its port, a proxy, or a tunnel whose service has ended";
    return [who, start];
  }
  if (status >= 500) {
    return ["a proxy or tunnel that does not reach it, or another program that failed", start];
  }
  if (status >= 400) {
    return [
      "a proxy that refuses the request, as Colab’s may",
      "In Colab launch the app with public=True; elsewhere ask whoever runs the proxy.",
    ];
  }
  return [
    "the warning page of a tunnel, or the login page of a proxy",
    "Reload this page, confirm or log in, and try again.",
  ];
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
