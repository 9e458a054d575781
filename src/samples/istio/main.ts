import { errorText } from "../../base/errors.ts";
import { serve, type Handler } from "../serve.ts";

const [program = "", ...args] = process.argv.slice(2);
const { env } = process;
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Which program, with the arguments that its image takes; each is loaded by itself, since a pod runs one. */
const PROGRAMS: Record<string, () => Promise<void>> = {
  "go-httpbin": async () => http(await httpbin("go"), Number(env.PORT ?? 8080)),
  httpbin: async () => http(await httpbin("python"), 80),
  async helloworld() {
    const { createHelloworld } = await import("./helloworld.ts");
    http(createHelloworld(env.SERVICE_VERSION ?? "v1", env.HOSTNAME ?? ""), 5000);
  },
  async "tcp-echo"() {
    const { tcpEcho } = await import("./tcp-echo.ts");
    tcpEcho(args, (text) => void process.stdout.write(text));
  },
  async nc() {
    const { nc } = await import("./nc.ts");
    process.exit(
      await nc(args, {
        input: Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>,
        write: (chunk) => void process.stdout.write(chunk),
        complain: (line) => void process.stderr.write(`${line}\n`),
      }),
    );
  },
  async "ext-authz"() {
    const [{ createHttpCheck }, { serveGrpcCheck }] = await Promise.all([import("./ext-authz/http.ts"), import("./ext-authz/grpc.ts")]);
    const flag = (name: string, otherwise: string): string => args.find((arg) => arg.replace(/^-+/, "").startsWith(`${name}=`))?.split("=", 2)[1] ?? otherwise;
    const grpc = await serveGrpcCheck(Number(flag("grpc", "9000")), flag("allow_service_account", "a"), print);
    print(`Starting gRPC server at ${grpc.port}`);
    http(createHttpCheck(print), Number(flag("http", "8000")));
  },
  async "bookinfo-details"() {
    http((await import("./bookinfo/details.ts")).createDetails(), port());
  },
  async "bookinfo-ratings"() {
    const { createRatings } = await import("./bookinfo/ratings.ts");
    http(createRatings(env, { random: Math.random, sleep, uptime: () => performance.now() }), port());
  },
  async "bookinfo-reviews"() {
    http((await import("./bookinfo/reviews.ts")).createReviews(env, print, fetch), port());
  },
  async "bookinfo-productpage"() {
    http((await import("./bookinfo/productpage.ts")).createProductpage(env, fetch), port());
  },
};

async function httpbin(style: "go" | "python"): Promise<Handler> {
  const { createHttpbin } = await import("./httpbin/handler.ts");
  return createHttpbin(style, { random: Math.random, sleep, now: Date.now });
}

/** Bookinfo's programs take their port as argument. */
function port(): number {
  return Number(args[0] ?? 9080);
}

function http(handler: Handler, on: number): void {
  serve({ port: on, handler });
  print(`${program} listens on port ${on}`);
}

try {
  const start = PROGRAMS[program];
  if (!start) throw new Error(`no sample program is named ${JSON.stringify(program)}: ${Object.keys(PROGRAMS).join(", ")}`);
  await start();
} catch (error) {
  process.stderr.write(`${errorText(error)}\n`);
  process.exit(1);
}
