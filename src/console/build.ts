import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError } from "../base/index.ts";

/** Smaller files do not get smaller on the wire. */
const MIN_COMPRESSED_BYTES = 1_024;

/**
 * Builds the web app's files into `outdir`: index.html, hashed scripts and styles, and a `.gz` beside each that is
 * worth it. Runs where the sources are.
 */
export async function buildWebApp(outdir: string): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(import.meta.dir, "web/index.html")],
    outdir,
    target: "browser",
    minify: true,
    splitting: true,
    publicPath: "/kiali/",
    define: { "process.env.NODE_ENV": '"production"' },
    throw: false,
  });
  if (!result.success) throw new ChainmailError("WEB_APP_BUILD_FAILED", `the console's pages could not be built: ${result.logs.map(String).join("; ")}`, { hint: "npm install, then try again" });
  for (const name of readdirSync(outdir)) {
    const content = readFileSync(join(outdir, name));
    if (/\.(?:js|css|html|svg)$/.test(name) && content.length >= MIN_COMPRESSED_BYTES) writeFileSync(join(outdir, `${name}.gz`), Bun.gzipSync(content, { level: 9 }));
  }
}
