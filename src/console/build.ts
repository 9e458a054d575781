import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
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
    metafile: true,
    throw: false,
  });
  if (!result.success)
    throw new ChainmailError("WEB_APP_BUILD_FAILED", `the console's pages could not be built: ${result.logs.map(String).join("; ")}`, {
      hint: "npm install, then try again",
    });
  const page = join(outdir, "index.html");
  writeFileSync(page, readFileSync(page, "utf8").replace("</head>", `${preloads(result.metafile?.outputs ?? {})}</head>`));
  for (const name of readdirSync(outdir)) {
    const content = readFileSync(join(outdir, name));
    if (/\.(?:js|css|html|svg)$/.test(name) && content.length >= MIN_COMPRESSED_BYTES)
      writeFileSync(join(outdir, `${name}.gz`), Bun.gzipSync(content, { level: 9 }));
  }
}

/** The page that the app opens on. */
const FIRST_PAGE = /\/pages\/graph-page\.tsx$/;

/** Links to the first page's scripts: the browser fetches them beside the app's own, not once that runs. */
function preloads(outputs: Bun.BuildMetafile["outputs"]): string {
  const wanted = new Set<string>();
  const add = (path: string) => {
    if (wanted.has(path)) return;
    wanted.add(path);
    for (const { path: other, kind } of outputs[path]?.imports ?? []) if (kind === "import-statement") add(other);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs)) if (entryPoint && FIRST_PAGE.test(entryPoint)) add(path);
  return [...wanted].map((path) => `<link rel="modulepreload" crossorigin href="/kiali/${basename(path)}">`).join("");
}
