import { describe, expect, test } from "bun:test";
import { closeFd, createMemoryFile, createPipe, writeAll } from "../../linux/index.ts";
import { enterArguments, environmentScript } from "./environment.ts";

/** Runs the script as a container does, in each shell that may be the machine's /bin/sh. */
function environmentIn(shell: string, env: Record<string, string>): Record<string, string> {
  const fd = createMemoryFile("environment", Buffer.from(environmentScript(env, "/usr/bin/env")));
  const go = createPipe();
  writeAll(go.writeFd, Buffer.from("go\n"));
  try {
    const printer = "for (const [k, v] of Object.entries(process.env)) process.stdout.write(`${k}=${v}\\0`); process.stdout.write(`CWD=${process.cwd()}`)";
    const child = Bun.spawnSync([shell, ...enterArguments("/usr"), process.execPath, "-e", printer], {
      env: {},
      stdio: ["ignore", "pipe", "inherit", "pipe", go.readFd, "ignore", fd],
    });
    return Object.fromEntries(
      child.stdout
        .toString()
        .split("\0")
        .filter(Boolean)
        .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    );
  } finally {
    for (const each of [fd, go.readFd, go.writeFd]) closeFd(each);
  }
}

describe("environment script", () => {
  const env = {
    A: "1",
    QUOTE: "it's",
    NEWLINE: "a\n'b'\n",
    DOLLAR: "$A $(id) `id` \\",
    EMPTY: "",
    "x.y": "dot",
    UID: "7",
    PPID: "8",
    SHELLOPTS: "errexit",
    OPTIND: "z",
    IFS: "1",
    LONG: "v".repeat(100_000),
  };

  test.each(["/bin/dash", "/bin/bash", "/bin/sh"].filter((shell) => Bun.file(shell).size > 0))("%s hands all of it over", (shell) => {
    expect(environmentIn(shell, env)).toMatchObject({ ...env, CWD: "/usr" });
  });

  test("nothing of the variables that a shell can set stands on a command line", () => {
    expect(environmentScript({ SECRET: "s3" }, "/usr/bin/env")).toBe("export SECRET='s3'\n");
    expect(environmentScript({ "a.b": "c" }, "/usr/bin/env")).toBe(`set -- '/usr/bin/env' 'a.b=c' "$@"\n`);
  });

  test.each([
    ["", "x"],
    ["A=B", "x"],
    ["A", "x\0y"],
    ["A\0", "x"],
  ])("%p with %p is refused", (name, value) => {
    expect(() => environmentScript({ [name]: value }, "/usr/bin/env")).toThrow("cannot be an environment variable");
  });
});
