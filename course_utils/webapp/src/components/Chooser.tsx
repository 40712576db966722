import { useState, type ChangeEvent, type FormEvent } from "react";

import type { Model } from "../api";
import { accepted } from "../complaints";
import type { Source } from "../photo";

interface Props {
  model: Model | undefined;
  onSource: (source: Source) => void;
}

/** The ways to give a photo: a file, the camera, an address. */
export function Chooser({ model, onSource }: Props) {
  const [url, setUrl] = useState("");

  function choose({ target }: ChangeEvent<HTMLInputElement>) {
    const photo = target.files?.[0];
    target.value = ""; // so that the same file can be chosen again
    if (photo) onSource({ photo });
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    onSource({ url: url.trim() });
  }

  return (
    <div className="chooser">
      <label className="button primary">
        <input type="file" accept={accepted(model)} onChange={choose} />
        Choose a photo
      </label>
      <label className="button for-touch">
        <input type="file" accept={accepted(model)} capture="environment" onChange={choose} />
        Take a photo
      </label>
      <form onSubmit={submit}>
        <label className="unseen" htmlFor="url">
          A photo’s address
        </label>
        <input
          id="url"
          type="url"
          required
          placeholder="or its address: https://…"
          autoComplete="off"
          spellCheck={false}
          value={url}
          onChange={(event) => setUrl(event.target.value)}
        />
        <button type="submit" className="button">
          Classify
        </button>
      </form>
    </div>
  );
}
