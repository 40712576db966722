// The few lines that talk to the image API. Its addresses are relative to the page's own, so
// that page and service also work behind a proxy that adds a path.

import { askService, isShare, isText } from "./shared/ask";

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

const SERVICE = "image service"; // in messages

export function fetchModel(signal: AbortSignal): Promise<Model> {
  return askService(SERVICE, "api/model", isModel, { signal });
}

/** Send a photo as a form does. */
export function classifyPhoto(photo: Blob, signal: AbortSignal): Promise<Answer> {
  const body = new FormData();
  body.append("image", photo);
  return askService(SERVICE, "api/image", isAnswer, { method: "POST", body, signal });
}

/** Send a photo's address; the service fetches the photo. */
export function classifyUrl(url: string, signal: AbortSignal): Promise<Answer> {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ url });
  const options = { method: "POST", headers, body, signal };
  return askService(SERVICE, "api/image?thumbnail=1", isAnswer, options);
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
