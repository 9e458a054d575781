import { systemClock } from "../../base/index.ts";
import { GrpcClient, tcpDial } from "../../proxy/grpc/index.ts";
import { connectToApp, type AppProbe } from "./app-probes.ts";

/** grpc.health.v1.Health/Check: true for SERVING. The two messages are a string field and an enum field. */
export async function probeGrpc(probe: AppProbe, podIp: string): Promise<boolean> {
  const dial = tcpDial({ host: podIp, port: probe.port, connect: ({ address, port }) => connectToApp(address, port), timeoutMs: probe.timeoutMs });
  const client = await GrpcClient.connect({ dial, authority: `${podIp}:${probe.port}`, scheme: "http", clock: systemClock });
  try {
    const service = Buffer.from(probe.service, "utf8");
    // Field 1, length-delimited; a service's name is below 128 bytes in all but hostile manifests.
    const request = service.length === 0 || service.length > 127 ? new Uint8Array(0) : Buffer.concat([Uint8Array.of(0x0a, service.length), service]);
    const answer = await client.unary("grpc.health.v1.Health/Check", [], request, probe.timeoutMs);
    return answer[0] === 0x08 && answer[1] === SERVING;
  } finally {
    client.close();
  }
}

const SERVING = 1;
