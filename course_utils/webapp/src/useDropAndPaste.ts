// A photo may be dropped or pasted anywhere on the page.

import { useEffect, useState } from "react";

import { sourceIn, type Source } from "./photo";

/** Returns whether something is being dragged over the page. */
export function useDropAndPaste(
  onSource: (source: Source) => void,
  onError: (error: unknown) => void,
): boolean {
  const [dragging, setDragging] = useState(false);

  useEffect(() => {
    const events = new AbortController();
    const listen = { signal: events.signal };

    function take(event: Event, data: DataTransfer | null) {
      try {
        const source = data && sourceIn(data);
        if (!source) return;
        event.preventDefault();
        onSource(source);
      } catch (error) {
        onError(error);
      }
    }

    function paste(event: ClipboardEvent) {
      const writing = event.target instanceof HTMLInputElement && !event.clipboardData?.files.length;
      if (!writing) take(event, event.clipboardData);
    }

    function drag(event: DragEvent) {
      event.preventDefault(); // else the browser would open what is dropped
      setDragging(event.type === "dragover");
      if (event.type === "drop") take(event, event.dataTransfer);
    }

    function leave(event: DragEvent) {
      if (!event.relatedTarget) setDragging(false); // it left the window, not just an element
    }

    window.addEventListener("paste", paste, listen);
    window.addEventListener("dragover", drag, listen);
    window.addEventListener("drop", drag, listen);
    window.addEventListener("dragleave", leave, listen);
    return () => events.abort();
  }, [onSource, onError]);

  return dragging;
}
