import type { Plugin } from "vite";

const FILES = ["index.html", "look.css", "page.js", "icon.svg"];

/** Makes of the page one that has its style, script and icon inside; `export.browser.pack` appends its other files. */
export function singlePage(): Plugin {
  return {
    name: "single-page",
    enforce: "post",
    async generateBundle(_, bundle) {
      const [page, style, code, icon] = FILES.map((name) => {
        const file = bundle[name]!;
        return file.type === "chunk" ? file.code : new TextDecoder().decode(Uint8Array.from(file.source as Uint8Array));
      }) as [string, string, string, string];
      const picture = `data:image/svg+xml,${encodeURIComponent(icon)}`;
      // A script in a page ends at the first such text, wherever it stands.
      const script = code
        .replaceAll("</script", "<\\/script")
        .replaceAll("<!--", "<\\!--")
        .replaceAll("icon.svg", picture);
      const changes: [string | RegExp, string][] = [
        ["script-src 'self'", `script-src ${await hash(script)}`],
        ["style-src 'self'", `style-src ${await hash(style)}`],
        ["worker-src 'self'", "worker-src blob:"],
        ["connect-src 'self'", "connect-src 'none'"],
        [/ 'self'/g, ""],
        ['<link rel="stylesheet" href="look.css" />', `<style>${style}</style>`],
        ['<script defer src="page.js"></script>', `<script type="module">${script}</script>`],
        [/icon\.svg/g, picture],
        [/<\/body>\s*<\/html>\s*$/, ""],
      ];
      const source = changes.reduce((text, [old, now]) => text.replace(old, () => now), page);
      this.emitFile({ type: "asset", fileName: "single.html", source });
    },
  };
}

/** A script or a style, as a policy allows it. */
async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}
