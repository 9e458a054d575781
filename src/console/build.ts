import { ChainmailError } from "../base/index.ts";
import { join } from "node:path";

/** Builds the web app's files (index.html, hashed scripts and styles) into `outdir`. Runs where the sources are. */
export async function buildWebApp(outdir: string): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(import.meta.dir, "web/index.html")],
    outdir,
    target: "browser",
    minify: true,
    publicPath: "/kiali/",
    define: { "process.env.NODE_ENV": '"production"' },
    throw: false,
  });
  if (!result.success) throw new ChainmailError("WEB_APP_BUILD_FAILED", `the console's pages could not be built: ${result.logs.map(String).join("; ")}`, { hint: "npm ci, then try again" });
}
