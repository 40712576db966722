import { useEffect, useState, type ReactNode } from "react";

interface Props {
  of: Blob | string; // a file or a data: URL
  alt: string;
  fallback?: ReactNode; // where the browser cannot show it
}

/** A photo. */
export function Picture({ of: photo, alt, fallback }: Props) {
  const [url, setUrl] = useState<string>();
  const [broken, setBroken] = useState<Blob | string>();

  useEffect(() => {
    if (typeof photo === "string") return setUrl(photo);
    const address = URL.createObjectURL(photo);
    setUrl(address);
    return () => URL.revokeObjectURL(address); // else the browser would keep the photo
  }, [photo]);

  if (broken === photo) return fallback;
  return url && <img src={url} alt={alt} onError={() => setBroken(photo)} />;
}
