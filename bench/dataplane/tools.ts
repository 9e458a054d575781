/** Where a load generator is; throws with how to get it. */
export function required(program: string, hint: string): string {
  const path = Bun.which(program);
  if (!path) throw new Error(`this benchmark needs ${program}: ${hint}`);
  return path;
}

/** What a tool prints; throws when it fails. */
export async function runTool(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command.join(" ")}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
}
