import { expect, test } from "bun:test";
import { refuse } from "./guard.ts";

const ask = (host: string, method = "GET", origin?: string) =>
  refuse(new Request("http://x/kiali", { method, headers: { host, ...(origin && { origin }) } }), ["mesh.example.com"])?.status;

test("a name that an attacker's DNS could point here is refused", () => {
  for (const host of ["localhost:20001", "127.0.0.1:20001", "192.0.2.7", "[::1]:20001", "kiali.istio-system:20001", "mesh.example.com"])
    expect(ask(host)).toBeUndefined();
  expect(ask("evil.example.com:20001")).toBe(421);
  expect(ask("localhost.evil.example.com")).toBe(421);
});

test("a write must carry the console's own origin", () => {
  expect(ask("localhost:20001", "POST")).toBe(403);
  expect(ask("localhost:20001", "POST", "http://evil.example.com")).toBe(403);
  expect(ask("localhost:20001", "POST", "null")).toBe(403);
  expect(ask("localhost:20001", "POST", "http://localhost:20001")).toBeUndefined();
});
