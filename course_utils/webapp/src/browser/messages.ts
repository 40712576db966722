// What the page and its worker say to each other.

/** What model.json says of the network; `export.browser` writes it. */
export interface Model {
  kind: "photo" | "drawing" | "row";
  name: string;
  shape: number[]; // of the input tensor; its first number is 1
  labels: string[] | null;
  fields: Field[] | null; // of a row, in the order of the tensor
  output: string | null; // what the one number of a row's answer is
  files: Record<string, { bytes: number; sha256: string }>;
  version: string;
}

export interface Field {
  name: string;
  type: "integer" | "number";
  minimum: number;
  maximum: number;
  description?: string;
  value?: number;
}

/** A file as it came: its bytes, or base64 of its bytes in gzip, as one HTML file carries it. */
export type Packed = Uint8Array<ArrayBuffer> | string;

export type Task =
  | { do: "start"; runtime: Packed; network: Packed; model: Model }
  | { do: "photo" | "drawing"; file: Blob }
  | { do: "tensor"; values: Float32Array };

export interface Answer {
  outputs: number[]; // of the network; of two classes with one output both probabilities
  tensor?: Float32Array; // that was made of a drawing
  milliseconds: number; // that the network took
}

/** Why a file is not taken, in the words of the image service. */
export interface Fault {
  detail: string;
  received?: string;
  allowed?: string;
}

export type Reply = { id: number } & ({ answer: Answer | null } | { fault: Fault });
