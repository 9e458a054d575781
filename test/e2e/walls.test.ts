import { describe, expect, test } from "bun:test";
import { HAS_CLUSTER, must, sh } from "./shell.ts";

const inSleep = (command: string, namespace = "istioinaction") => sh(`kubectl exec -n ${namespace} deploy/sleep -- sh -c '${command}'`);

describe.if(HAS_CLUSTER)("walls of a pod", () => {
  test("nothing of the host's private folders is there", async () => {
    const home = process.env.CHAINMAIL_HOME ?? `${process.env.HOME}/.local/state/chainmail`;
    for (const path of ["/root", "/home", home, `${process.env.HOME}/.ssh`, process.cwd(), "/etc/shadow"]) {
      const result = await inSleep(`ls -A ${path} 2>/dev/null | head -1; test -r ${path}/clusters`);
      expect([path, result.stdout]).toEqual([path, ""]);
    }
  });

  test("a container has no capabilities and cannot get any", async () => {
    const result = await inSleep('grep -E "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)" /proc/self/status');
    const fields = Object.fromEntries(
      result.stdout
        .trim()
        .split("\n")
        .map((line) => line.split(/:\s*/)),
    );
    expect(fields).toEqual({
      CapInh: "0000000000000000",
      CapPrm: "0000000000000000",
      CapEff: "0000000000000000",
      CapBnd: "0000000000000000",
      CapAmb: "0000000000000000",
      NoNewPrivs: "1",
    });
  });

  test("the capture cannot be taken off", async () => {
    const result = await inSleep("nft flush ruleset 2>&1; ip link set eth0 down 2>&1; mount -t tmpfs none /tmp 2>&1; true");
    expect(result.stdout + result.stderr).toMatch(/not permitted|not found|denied/i);
    expect((await inSleep("curl -s -o /dev/null -w %{http_code} http://web-api.istioinaction:8080/")).stdout).toBe("200");
  });

  test("other pods' tokens and processes are out of sight", async () => {
    expect((await inSleep('ls /proc | grep -cE "^[0-9]+$"')).stdout.trim()).toMatch(/^[1-9]$/);
    const token = await inSleep("cat /var/run/secrets/kubernetes.io/serviceaccount/token");
    const claims = JSON.parse(Buffer.from(token.stdout.split(".")[1]!, "base64url").toString()) as { sub: string };
    expect(claims.sub).toBe("system:serviceaccount:istioinaction:sleep");
  });

  test("the host's own addresses do not answer", async () => {
    const api = new URL((await must("kubectl config view -o jsonpath={.clusters[0].cluster.server}")).trim());
    const result = await inSleep(`curl -sk -m 3 -o /dev/null -w %{http_code} https://${api.host}/version`, "default");
    expect(result.stdout).not.toBe("200");
  });

  test("a pod's token may do what its account may, and no more", async () => {
    const url = "https://kubernetes.default.svc/api/v1/namespaces/istio-system/secrets";
    const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
    const result = await inSleep(`curl -s --cacert ${folder}/ca.crt -H "Authorization: Bearer $(cat ${folder}/token)" ${url}`);
    expect(JSON.parse(result.stdout)).toMatchObject({ kind: "Status", code: 403, reason: "Forbidden" });
  });
});
