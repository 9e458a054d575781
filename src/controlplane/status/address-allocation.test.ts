import { expect, test } from "bun:test";
import { createLogger, FakeClock } from "../../base/index.ts";
import type { KubeObject, ServiceEntry } from "../../resources/index.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { FakeMesh } from "../testing/fake-mesh.ts";
import { allocateAddresses } from "./address-allocation.ts";

const COLLECTION = "/apis/networking.istio.io/v1/namespaces/shop/serviceentries";
const log = createLogger("test", { level: "none" });
const object: KubeObject = {
  apiVersion: "networking.istio.io/v1",
  kind: "ServiceEntry",
  metadata: { name: "a", namespace: "shop" },
  spec: { hosts: ["a.example.com"], resolution: "DNS" },
} as KubeObject;

test("the addresses are written into the status, and a failure is tried again", async () => {
  const api = new FakeApi();
  const mesh = new FakeMesh();
  const clock = new FakeClock(1);
  mesh.objects.set("ServiceEntry/shop/a", api.put(COLLECTION, object));
  // The fake API has no subresources: what is sent to the status is the object's own.
  let failing = true;
  const sent: unknown[] = [];
  const client = {
    ...api.client,
    patch: async (...[, name, namespace, body, subresource]: Parameters<typeof api.client.patch>) => {
      if (failing) throw new Error("unreachable");
      sent.push([`${namespace}/${name}`, subresource, body]);
      return object as never;
    },
  };
  const allocation = allocateAddresses({ client, registry: mesh.registry, clock, log });
  await Bun.sleep(1);
  expect(sent).toEqual([]);
  failing = false;
  clock.advance(5_000);
  await Bun.sleep(1);
  const version = mesh.objects.get("ServiceEntry/shop/a")?.metadata.resourceVersion;
  expect(sent).toEqual([
    [
      "shop/a",
      "status",
      {
        metadata: { resourceVersion: version },
        status: {
          addresses: [
            { value: "240.240.0.1", host: "a.example.com" },
            { value: "2001:2::1", host: "a.example.com" },
          ],
        },
      },
    ],
  ]);
  const written = mesh.objects.get("ServiceEntry/shop/a") as ServiceEntry;
  mesh.objects.set("ServiceEntry/shop/a", {
    ...written,
    status: {
      addresses: [
        { value: "240.240.0.1", host: "a.example.com" },
        { value: "2001:2::1", host: "a.example.com" },
      ],
    },
  } as KubeObject);
  mesh.change("ServiceEntry");
  await Bun.sleep(1);
  expect(sent).toHaveLength(1);
  allocation.stop();
  mesh.change("ServiceEntry");
});
