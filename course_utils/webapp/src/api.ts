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
  return ask("api/model", isModel, { signal });
}

/** Send a photo as a form does. */
export function classifyPhoto(photo: Blob, signal: AbortSignal): Promise<Answer> {
  const body = new FormData();
  body.append("image", photo);
  return ask("api/image", isAnswer, { method: "POST", body, signal });
}

/** Send a photo's address; the service fetches the photo. */
export function classifyUrl(url: string, signal: AbortSignal): Promise<Answer> {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ url });
  return ask("api/image?thumbnail=1", isAnswer, { method: "POST", headers, body, signal });
}

// Without it, a free tunnel of ngrok answers with a page that warns of the tunnel.
const NO_WARNING_PAGE = { "ngrok-skip-browser-warning": "1" };

async function ask<T>(
  path: string,
  isKnown: (json: any) => json is T,
  init: RequestInit,
): Promise<T> {
  const headers = { ...init.headers, ...NO_WARNING_PAGE };
  let response: Response | undefined;
  let text = "";
  try {
    response = await fetch(path, { ...init, headers, redirect: "manual" });
    text = await response.text();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the page has ended the request
    if (!response) throw new Unreachable();
    // Else the answer cannot be decoded, or it breaks off.
  }
  const { ok, status } = response;
  const json = readJson(text);
  if (ok && isKnown(json)) return json;
  // The page asks no path that is missing: who says so is another service.
  if (!ok && status !== 404 && status !== 405 && isProblem(json)) throw new Refusal(status, json);
  throw new Stranger(status, json !== undefined ? "json" : /^\s*</.test(text) ? "html" : "other");
}

function readJson(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isModel(json: any): json is Model {
  return (
    isText(json?.name) &&
    Number.isFinite(json.classes) &&
    Number.isFinite(json.max_bytes) &&
    Array.isArray(json.formats) &&
    json.formats.every(isText)
  );
}

function isAnswer(json: any): json is Answer {
  const pred = json?.pred;
  return (
    Array.isArray(pred) &&
    pred.length > 0 &&
    pred.every((each) => isText(each?.name) && isShare(each.prob))
  );
}

function isProblem(json: any): json is ProblemDetails {
  const isFault = (fault: any) =>
    ["pointer", "detail", "received", "allowed"].every((name) => isText(fault?.[name]));
  return (
    isText(json?.detail) && json.detail !== "" && Array.isArray(json.errors) && json.errors.every(isFault)
  );
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
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

/** Something answered, but not the image service. Its status is 0 where that is a redirect. */
export class Stranger extends Error {
  constructor(
    readonly status: number,
    readonly form: "json" | "html" | "other",
  ) {
    super(`status ${status}`);
  }
}
