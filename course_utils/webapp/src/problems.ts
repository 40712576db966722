// Whatever goes wrong, as a message to a person: what it was, and what to do.

import { Complaint } from "./complaints";
import { Refusal, sentence, Stranger, TooSlow, Unreachable } from "./shared/ask";

export interface Problem {
  title: string;
  details: string[];
  received?: string[];
  allowed?: string[];
  retry: boolean; // whether the same request may succeed later
}

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
  if (error instanceof TooSlow) return again("The server takes too long", error.message);
  if (error instanceof Stranger) {
    const problem = again("This is not the image service’s answer", error.message);
    return { ...problem, retry: error.status !== 413 }; // the same photo would be rejected again
  }
  return again("Something went wrong on this page", String(error));
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
    details: faults.length ? unique(faults.map(({ detail }) => sentence(detail))) : [problem.detail],
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
