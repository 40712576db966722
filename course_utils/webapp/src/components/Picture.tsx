import { useEffect, useState } from "react";

/** A file or a data: URL as a picture; nothing where the browser cannot show it. */
export function Picture({ of: photo, alt }: { of: Blob | string; alt: string }) {
  const [url, setUrl] = useState<string>();

  useEffect(() => {
    if (typeof photo === "string") return setUrl(photo);
    const address = URL.createObjectURL(photo);
    setUrl(address);
    return () => URL.revokeObjectURL(address); // else the browser would keep the photo
  }, [photo]);

  return url && <img src={url} alt={alt} onError={() => setUrl(undefined)} />;
}
