// The few lines that talk to the image API. Its addresses are relative to the page's own, so
// that page and service also work behind a proxy that adds a path.

export interface Model {
  name: string;
  classes: number;
  max_bytes: number;
  formats: string[];
}

export interface Prediction {
  name: string;
  prob: number;
}

export interface Answer {
  pred: Prediction[]; // the likeliest class first
  thumbnail?: string; // a data: URL, where a photo's address was sent
}

export function fetchModel(signal: AbortSignal): Promise<Model> {
  return ask("api/model", { signal });
}

/** Send a photo as a form does. */
export function classifyPhoto(photo: Blob, signal: AbortSignal): Promise<Answer> {
  const body = new FormData();
  body.append("image", photo);
  return ask("api/image", { method: "POST", body, signal });
}

/** Send a photo's address; the service fetches the photo. */
export function classifyUrl(url: string, signal: AbortSignal): Promise<Answer> {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ url });
  return ask("api/image?thumbnail=1", { method: "POST", headers, body, signal });
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  try {
    const response = await fetch(path, init);
    if (!response.headers.get("Content-Type")?.includes("json")) {
      throw new NotTheService(response.status);
    }
    const json = await response.json();
    if (response.ok) return json as T;
    throw Array.isArray(json?.errors)
      ? new Refusal(response.status, json)
      : new NotTheService(response.status);
  } catch (error) {
    throw error instanceof TypeError ? new Unreachable() : error; // no answer, or half of one
  }
}

/** What the service says of a request that it refuses (RFC 9457). */
export interface ProblemDetails {
  detail: string;
  errors: { pointer: string; detail: string; received: string; allowed: string }[];
}

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly problem: ProblemDetails,
  ) {
    super(problem.detail);
  }
}

/** The server cannot be reached. */
export class Unreachable extends Error {}

/** Something answered, but not the image service. */
export class NotTheService extends Error {
  constructor(readonly status: number) {
    super(`status ${status}`);
  }
}
