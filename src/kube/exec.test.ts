import { afterEach, expect, test } from "bun:test";
import { execInPod } from "./exec.ts";

let server: ReturnType<typeof Bun.serve> | undefined;
afterEach(() => server?.stop(true));

/** An API server whose exec answers with these messages: a channel's number and its bytes. */
function start(messages: [number, string][], refuse?: Response): { server: string; asked: string[] } {
  const asked: string[] = [];
  const made = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, bun) {
      asked.push(`${new URL(request.url).pathname} ${new URL(request.url).searchParams.getAll("command").join(" ")} ${request.headers.get("authorization")}`);
      if (refuse) return refuse;
      return bun.upgrade(request, { headers: { "sec-websocket-protocol": "v5.channel.k8s.io" } }) ? undefined : new Response("no upgrade", { status: 400 });
    },
    websocket: {
      open(socket) {
        for (const [channel, text] of messages) socket.sendBinary(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
        socket.close(1000);
      },
      message() {},
    },
  });
  server = made;
  return { server: `http://127.0.0.1:${made.port}`, asked };
}

const REQUEST = { namespace: "lab", pod: "sleep-1", container: "sleep", command: ["curl", "-s", "http://a/?b=c&d"], maxBytes: 1_000, timeoutMs: 10_000 };
const SUCCESS = JSON.stringify({ kind: "Status", status: "Success" });

test("output, exit code and command line", async () => {
  const { server: url, asked } = start([
    [1, ""],
    [1, "one "],
    [2, "warned"],
    [1, "two"],
    [3, SUCCESS],
  ]);
  expect(await execInPod({ server: url, token: "T" }, REQUEST)).toEqual({ stdout: "one two", stderr: "warned", exitCode: 0 });
  expect(asked).toEqual(["/api/v1/namespaces/lab/pods/sleep-1/exec curl -s http://a/?b=c&d Bearer T"]);
});

test("a command that fails tells its code, one that could not start why", async () => {
  const failed = {
    kind: "Status",
    status: "Failure",
    message: "command terminated with non-zero exit code",
    details: { causes: [{ reason: "ExitCode", message: "56" }] },
  };
  expect(
    await execInPod(
      {
        server: start([
          [2, "reset"],
          [3, JSON.stringify(failed)],
        ]).server,
      },
      REQUEST,
    ),
  ).toMatchObject({ stderr: "reset", exitCode: 56 });
  await server?.stop(true);
  await expect(
    execInPod({ server: start([[3, JSON.stringify({ kind: "Status", status: "Failure", message: "no such file: curl" })]]).server }, REQUEST),
  ).rejects.toMatchObject({ code: "EXEC_FAILED", message: "no such file: curl" });
  await server?.stop(true);
  await expect(execInPod({ server: start([[1, "half"]]).server }, REQUEST)).rejects.toMatchObject({ code: "EXEC_LOST" });
});

test("a refusal is the API server's own, and output has its limit", async () => {
  const refusal = Response.json({ kind: "Status", message: "pods/exec is forbidden", reason: "Forbidden" }, { status: 403 });
  await expect(execInPod({ server: start([], refusal).server }, REQUEST)).rejects.toMatchObject({ status: 403 });
  await server?.stop(true);
  await expect(
    execInPod(
      {
        server: start([
          [1, "x".repeat(2_000)],
          [3, SUCCESS],
        ]).server,
      },
      REQUEST,
    ),
  ).rejects.toMatchObject({ code: "EXEC_OUTPUT_TOO_LARGE" });
});
