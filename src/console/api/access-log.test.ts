import { describe, expect, test } from "bun:test";
import { logEntry, parseAccessLog } from "./access-log.ts";

const addresses = {
  workloadByIp: (ip: string) => (ip === "10.244.1.14" ? { cluster: "c", namespace: "shop", workload: "sleep", app: "sleep", version: "v1" } : undefined),
};
const inbound = (sni: string) =>
  `[2026-11-24T06:23:50.425Z] "GET /hello HTTP/1.1" 200 - via_upstream - "-" 0 543 0 0 "-" "curl/7.88.1 (x y)" "36e31c5f" "web-api:8080" "10.244.1.11:8081" inbound|8081|| 127.0.0.6:38900 10.244.1.11:8081 10.244.1.14:54412 ${sni} default`;
const words = (message: string) => logEntry(`2026-11-24T06:23:50Z ${message}`, "istio-proxy", addresses)?.explanation;

describe("access log", () => {
  test("Istio's text format, field by field, named as Kiali's API names them", () => {
    expect(parseAccessLog(inbound("outbound_.8080_._.web-api.shop.svc.cluster.local"))).toEqual({
      timestamp: "2026-11-24T06:23:50.425Z",
      method: "GET",
      uri_path: "/hello",
      protocol: "HTTP/1.1",
      status_code: "200",
      response_code_details: "via_upstream",
      bytes_received: "0",
      bytes_sent: "543",
      duration: "0",
      upstream_service_time: "0",
      user_agent: "curl/7.88.1 (x y)",
      request_id: "36e31c5f",
      authority: "web-api:8080",
      upstream_service: "10.244.1.11:8081",
      upstream_cluster: "inbound|8081||",
      upstream_local: "127.0.0.6:38900",
      downstream_local: "10.244.1.11:8081",
      downstream_remote: "10.244.1.14:54412",
      requested_server: "outbound_.8080_._.web-api.shop.svc.cluster.local",
      route_name: "default",
    });
  });

  test("Istio's JSON format; lines of other kinds are no access log", () => {
    expect(
      parseAccessLog(
        '{"start_time":"2026-11-24T06:23:50Z","response_code":503,"response_flags":"UF","upstream_cluster":"outbound|80||a.b.svc.cluster.local","method":"GET","path":"/"}',
      ),
    ).toMatchObject({ status_code: "503", response_flags: "UF", uri_path: "/" });
    for (const line of ['{"msg":"hello"}', "{", "2026-11-24 info hello", '[x] "GET / HTTP/1.1"']) expect(parseAccessLog(line)).toBeUndefined();
    expect(logEntry("no time", "app", addresses)).toBeUndefined();
  });

  test("in words: who called, over what, and why it was refused", () => {
    expect(words(inbound("outbound_.8080_._.web-api.shop.svc.cluster.local"))).toMatchObject({
      verdict: "ok",
      direction: "inbound",
      transport: "mtls",
      from: "sleep.shop",
    });
    expect(words(inbound("-"))).toMatchObject({ transport: "plaintext", summary: "GET /hello from sleep.shop answered 200 in 0 ms in plaintext" });
    const refused = words(
      '[2026-11-24T06:23:50.425Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.244.1.11:8081 10.244.9.9:5 - -',
    );
    expect(refused).toMatchObject({ verdict: "refused", from: "10.244.9.9" });
    expect(refused!.reasons.join()).toContain("STRICT");
    const denied = words(
      '[2026-11-24T06:23:50.425Z] "GET / HTTP/1.1" 403 - rbac_access_denied_matched_policy[ns[shop]-policy[deny-all]-rule[0]] - "-" 0 19 0 - "-" "c" "i" "web" "-" inbound|80|| - 10.0.0.1:80 10.244.1.14:1 outbound_.80_._.web.shop.svc.cluster.local default',
    );
    expect(denied).toMatchObject({ verdict: "refused", reasons: ["Rule 1 of AuthorizationPolicy shop/deny-all denied it."] });
  });
});
