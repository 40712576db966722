// Keeping the page's files for a visit without a network.

import { isEmbedded } from "./files";

export async function keepForOffline(): Promise<void> {
  if (isEmbedded() || !("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
    (await navigator.serviceWorker.ready).active?.postMessage("keep");
  } catch {
    // Some browsers refuse it in a frame of another site; the page works without.
  }
}
