import { join } from "node:path";
import { ROOT, must } from "./shell.ts";

export interface Dashboard {
  url: string;
  stop(): Promise<void>;
}

/** The console as a person opens it: through `istioctl dashboard`. */
export async function openDashboard(): Promise<Dashboard> {
  const env = (await must("env"))
    .split("\n")
    .flatMap((line) => (line.includes("=") ? [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]] : []));
  const tunnel = Bun.spawn([join(ROOT, "bin/istioctl"), "dashboard", "kiali", "--browser=false", "--address", "127.0.0.1"], {
    env: Object.fromEntries(env) as Record<string, string>,
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = tunnel.stdout.getReader();
  let text = "";
  while (!/^http:\/\/\S+$/m.test(text)) {
    const chunk = await reader.read();
    if (chunk.done) throw new Error(`istioctl dashboard ended: ${text}`);
    text += new TextDecoder().decode(chunk.value);
  }
  reader.releaseLock();
  return {
    url: /^http:\/\/\S+$/m.exec(text)![0],
    async stop() {
      tunnel.kill("SIGKILL");
      await tunnel.exited;
    },
  };
}
