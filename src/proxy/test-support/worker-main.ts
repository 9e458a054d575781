import { createLogger, systemClock } from "../../base/index.ts";
import { connectMarked } from "../../linux/index.ts";
import { runWorker } from "../workers/index.ts";

/** A worker of a test's proxy, with the kernel's own sockets. */
await runWorker({
  sockets: {
    listen: ({ address, port }) => ({ hostname: address, port }),
    connect: (target) => connectMarked(target.address, target.port, 0),
    originalDestination: () => undefined,
  },
  accessLog: () => ({ write() {} }),
  clock: systemClock,
  random: Math.random,
  log: createLogger("worker", { level: "error" }),
});
