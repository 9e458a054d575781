import { expect, test } from "bun:test";
import { patternedStatName, statService } from "./stat-name.ts";

const service = { hostname: "web.shop.svc.cluster.local", name: "web", namespace: "shop", registry: "Kubernetes" };

test("statistics are named by the mesh's pattern", () => {
  const subject = { ...statService(service), port: 80, portName: "http", subset: "v1", targetPort: 0 };
  expect(patternedStatName("%SERVICE%_%SERVICE_NAME%_%SERVICE_FQDN%_%SERVICE_PORT%_%SERVICE_PORT_NAME%_%SUBSET_NAME%_%TARGET_PORT%_%OTHER%", subject)).toBe(
    "web.shop_web_web.shop.svc.cluster.local_80_http_v1_0_%OTHER%",
  );
  expect(patternedStatName("", subject)).toBeUndefined();
  expect(patternedStatName(undefined, subject)).toBeUndefined();
});

test("a service that is none of Kubernetes' goes by its host name", () => {
  expect(
    patternedStatName("%SERVICE%-%TARGET_PORT%", { ...statService({ ...service, hostname: "api.example.com", registry: "External" }), port: 80, portName: "" }),
  ).toBe("api.example.com-%TARGET_PORT%");
});
