/** Runs the session's command lines with one kubectl at one API server, and masks what is another at each run. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Said {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** By command line, in the order in which they were run; a line that comes again has its number behind it. */
export type Session = Record<string, Said>;

const NAMESPACE = "shop";
/** What takes longer hangs; `timeout` ends the whole of the line then, with 124. */
const COMMAND_TIMEOUT_S = 30;

export function sessionLines(): string[] {
  return readFileSync(join(import.meta.dir, "session.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

export async function runSession(kubectlFolder: string, kubeconfig: string): Promise<Session> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-session-"));
  const [home, manifests] = [join(folder, "home"), join(folder, "manifests")];
  mkdirSync(home);
  cpSync(join(import.meta.dir, "manifests"), manifests, { recursive: true });
  const env = { PATH: `${kubectlFolder}:${process.env["PATH"] ?? ""}`, HOME: home, KUBECONFIG: kubeconfig, TZ: "UTC" };
  const said: Session = {};
  try {
    for (const line of sessionLines()) {
      const child = Bun.spawn(["timeout", String(COMMAND_TIMEOUT_S), "bash", "-c", `k() { kubectl -n ${NAMESPACE} "$@"; }; ${line}`], {
        cwd: manifests,
        env,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
      let key = line;
      for (let again = 2; key in said; again++) key = `${line} #${again}`;
      said[key] = { stdout: mask(stdout), stderr: mask(stderr), exitCode };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return said;
}

/** Times, ages, uids, versions, addresses that were handed out, and the width of columns that holds them. */
function mask(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UID")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME")
    .replace(/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000/g, "TIME")
    .replace(/^[EWI]\d{4} [\d:.]+ +\d+ \w+\.go:\d+\] /gm, "LOG ")
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC/g, "TIME")
    .replace(/(resourceVersion"?: )"\d+"|(Resource Version: +)\d+/g, "$1$2RV")
    .replace(/kube-api-access-\w{5}/g, "kube-api-access-RANDOM")
    .replace(/\b10\.96\.(?!7\.)\d+\.\d+\b/g, "SERVICE-IP")
    .replace(/127\.0\.0\.1:\d+/g, "SERVER")
    .replace(/\/tmp\/[\w./-]+/g, "PATH")
    .replace(/(?<=\s|^|\()(\d+[smhd])+(?=\s|$|\))/gm, "AGE")
    .replace(/[ \t]+$/gm, "")
    .replace(/(?<=\S) {2,}/g, "  ");
}
