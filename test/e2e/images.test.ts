import { afterAll, describe, expect, test } from "bun:test";
import { HAS_CLUSTER, eventually, must } from "./shell.ts";

describe.if(HAS_CLUSTER)("an unknown image", () => {
  afterAll(() => must("kubectl delete pod nosuch -n default --ignore-not-found --force"));

  test("gives ErrImagePull or ImagePullBackOff, and an event that says what to do", async () => {
    await must("kubectl run nosuch -n default --image=example.invalid/no/such:1");
    await eventually(async () => expect(await must("kubectl get pod nosuch -n default --no-headers")).toMatch(/ErrImagePull|ImagePullBackOff/));
    await eventually(async () => expect(await must("kubectl get pod nosuch -n default --no-headers")).toMatch(/ImagePullBackOff/), 20_000);
    const events = await must("kubectl get events -n default --field-selector involvedObject.name=nosuch -o jsonpath='{.items[*].message}'");
    expect(events).toContain("chainmail image");
  }, 45_000);
});
