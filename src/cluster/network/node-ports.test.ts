import { afterAll, describe, expect, test } from "bun:test";
import { createLogger } from "../../base/index.ts";
import { connectMarked } from "../../linux/index.ts";
import { NodePorts, type PortProblem } from "./node-ports.ts";
import type { ServiceEntry } from "./service-entry.ts";
import { type Datagrams, udpSocket } from "./udp-relay.ts";

// A loopback address of this test's own, so that its ports are free.
const ADDRESS = "127.81.3.3";
const pod = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("the pod") });
const problems: PortProblem[] = [];
const asked: string[] = [];
const ports = new NodePorts({
  address: ADDRESS,
  logger: createLogger("test", { level: "none" }),
  onPortProblem: (problem) => problems.push(problem),
  connect: async (ip, port) => {
    asked.push(`${ip}:${port}`);
    return connectMarked("127.0.0.1", pod.port ?? 0, 0);
  },
  connectUdp: (onData) => udpSocket({ hostname: "127.0.0.1", port: 0 }, onData),
});
afterAll(async () => {
  ports.stop();
  await pod.stop(true);
});

function entry(key: string, clusterIP: string, port: number, nodePort: number, loadBalancer = false): ServiceEntry {
  return { key, clusterIP, externalIPs: [], loadBalancer, sticky: false, ports: [{ protocol: "tcp", port, nodePort, endpoints: [] }] };
}
const get = (port: number) => fetch(`http://${ADDRESS}:${port}/`, { headers: { connection: "close" } }).then((response) => response.text());

describe("node ports", () => {
  test("relay to the service's address, and follow it", async () => {
    ports.update([entry("a/web", "10.96.0.20", 80, 31080)]);
    expect(await get(31080)).toBe("the pod");
    ports.update([entry("a/web", "10.96.0.30", 80, 31080)]);
    expect(await get(31080)).toBe("the pod");
    expect(asked).toEqual(["10.96.0.20:80", "10.96.0.30:80"]);
    ports.update([]);
    await expect(get(31080)).rejects.toThrow();
  });

  test("a LoadBalancer's own port is served too; the first service by key has it", async () => {
    asked.length = 0;
    ports.update([entry("b/second", "10.96.0.22", 31443, 31082, true), entry("a/first", "10.96.0.21", 31443, 31081, true)]);
    await get(31443);
    expect(asked).toEqual(["10.96.0.21:31443"]);
  });

  test("a port that is taken is told once, and served as soon as it is free", async () => {
    const squatter = Bun.listen({ hostname: ADDRESS, port: 31090, socket: { data() {} } });
    const wanted = [entry("a/web", "10.96.0.20", 80, 31090)];
    ports.update(wanted);
    ports.update(wanted);
    expect(problems).toMatchObject([{ service: "a/web", port: 31090, kind: "node port" }]);
    squatter.stop(true);
    ports.update(wanted);
    expect(await get(31090)).toBe("the pod");
  });

  test("pods' own ports lead to the pod; a service's come first", async () => {
    asked.length = 0;
    const hostPort = (key: string, ip: string, port: number) => ({ key, hostPort: port, ip, port: 8080, protocol: "tcp" as const });
    ports.updateHostPorts([hostPort("z/pod", "10.244.0.9", 31095), hostPort("a/pod", "10.244.0.7", 31095), hostPort("a/pod", "10.244.0.7", 31090)]);
    for (const port of [31095, 31090]) await get(port);
    expect(asked).toEqual(["10.244.0.7:8080", "10.96.0.20:80"]);
    ports.updateHostPorts([]);
    await expect(get(31095)).rejects.toThrow();
  });

  test("by UDP, beside the same port by TCP", async () => {
    const echo = (await udpSocket({ hostname: "127.0.0.1", port: 0 }, (data, port, address) => echo.send(data, port, address))) as Datagrams & { port: number };
    const answers: string[] = [];
    const client = await udpSocket({ hostname: ADDRESS, port: 0 }, (data) => answers.push(Buffer.from(data).toString()));
    ports.updateHostPorts([
      { key: "a/dns", hostPort: 31096, ip: "127.0.0.1", port: echo.port, protocol: "udp" },
      { key: "a/dns", hostPort: 31096, ip: "10.244.0.7", port: 80, protocol: "tcp" },
    ]);
    for (const deadline = Date.now() + 10_000; answers.length === 0 && Date.now() < deadline; await Bun.sleep(5)) client.send(Buffer.from("?"), 31096, ADDRESS);
    expect(answers[0]).toBe("?");
    expect(await get(31096)).toBe("the pod");
    ports.updateHostPorts([]);
    client.close();
    echo.close();
  });

  test("a UDP port that is withdrawn before its socket is there is nobody's problem, and one that comes again is served", async () => {
    problems.length = 0;
    const echo = (await udpSocket({ hostname: "127.0.0.1", port: 0 }, (data, port, address) => echo.send(data, port, address))) as Datagrams & { port: number };
    const squatter = await udpSocket({ hostname: ADDRESS, port: 31098 }, () => {});
    const udp = (hostPort: number) => ({ key: "a/dns", hostPort, ip: "127.0.0.1", port: echo.port, protocol: "udp" as const });
    ports.updateHostPorts([udp(31098)]);
    ports.updateHostPorts([]);
    for (let round = 0; round < 5; round++) {
      ports.updateHostPorts([udp(31099)]);
      ports.updateHostPorts([]);
    }
    ports.updateHostPorts([udp(31099)]);
    const answers: string[] = [];
    const client = await udpSocket({ hostname: ADDRESS, port: 0 }, (data) => answers.push(Buffer.from(data).toString()));
    for (const deadline = Date.now() + 10_000; answers.length === 0 && Date.now() < deadline; await Bun.sleep(5)) client.send(Buffer.from("?"), 31099, ADDRESS);
    expect([answers[0], problems]).toEqual(["?", []]);
    ports.updateHostPorts([]);
    for (const socket of [client, echo, squatter]) socket.close();
  });
});
