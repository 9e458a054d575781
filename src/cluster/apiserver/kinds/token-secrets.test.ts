import { expect, test } from "bun:test";
import { startTestServer } from "../testing.ts";

test("a service account's Secret is filled, its token is good until the Secret goes, and it goes with the account", async () => {
  const api = await startTestServer();
  try {
    const secrets = "/api/v1/namespaces/default/secrets";
    const accounts = "/api/v1/namespaces/default/serviceaccounts";
    const body = { metadata: { name: "t", annotations: { "kubernetes.io/service-account.name": "robot" } }, type: "kubernetes.io/service-account-token" };
    await api.call("POST", secrets, { body });
    expect((await api.call("GET", `${secrets}/t`)).body.data).toBeUndefined();
    const account = await api.call("POST", accounts, { body: { metadata: { name: "robot" } } });
    await Bun.sleep(20);
    const filled = (await api.call("GET", `${secrets}/t`)).body as { data: Record<string, string>; metadata: { annotations: Record<string, string> } };
    const text = (key: string) => Buffer.from(filled.data[key] ?? "", "base64").toString();
    expect(filled.metadata.annotations["kubernetes.io/service-account.uid"]).toBe((account.body.metadata as { uid: string }).uid);
    expect([text("namespace"), text("ca.crt")]).toEqual(["default", api.pki.caCert]);
    const verdict = api.server.tokens.verify(text("token"));
    expect("user" in verdict && verdict.user.username).toBe("system:serviceaccount:default:robot");

    await api.call("POST", secrets, { body: { ...body, metadata: { ...body.metadata, name: "u" } } });
    await api.call("DELETE", `${secrets}/t`);
    expect(api.server.tokens.verify(text("token"))).toHaveProperty("error");
    await Bun.sleep(20);
    await api.call("DELETE", `${accounts}/robot`);
    await Bun.sleep(20);
    expect((await api.call("GET", `${secrets}/u`)).status).toBe(404);
  } finally {
    await api.close();
  }
});
