import { expect, test } from "bun:test";
import { createCatalogue } from "./catalogue.ts";
import { formatReference, parseReference } from "./reference.ts";
import { sampleImages } from "./samples.ts";

const digest = `sha256:${"ab".repeat(32)}`;

test("references take their long form", () => {
  const cases: [string, string | undefined][] = [
    ["busybox", "docker.io/library/busybox:latest"],
    ["curlimages/curl", "docker.io/curlimages/curl:latest"],
    ["nicholasjackson/fake-service:v0.7.8", "docker.io/nicholasjackson/fake-service:v0.7.8"],
    ["index.docker.io/library/nginx:1", "docker.io/library/nginx:1"],
    ["registry.istio.io/testing/proxyv2:latest", "registry.istio.io/testing/proxyv2:latest"],
    ["localhost:5000/a/b", "localhost:5000/a/b:latest"],
    [`a/b@${digest}`, `docker.io/a/b@${digest}`],
    [`a/b:1@${digest}`, `docker.io/a/b:1@${digest}`],
    ["", undefined],
    ["UPPER", undefined],
    ["a/b:", undefined],
    ["a/b@sha256:1", undefined],
    ["a//b", undefined],
    ["http://x/y", undefined],
    [" a", undefined],
    ["a/b:tag with space", undefined],
  ];
  for (const [text, long] of cases) {
    const parsed = parseReference(text);
    expect([text, parsed && formatReference(parsed)]).toEqual([text, long]);
  }
});

test("every tag, digest and spelling of a repository resolves to its image; others do not", () => {
  const catalogue = createCatalogue(sampleImages({ programsDir: "/p", bunPath: "/b/bun" }));
  const fake = catalogue.resolve("nicholasjackson/fake-service:v0.7.8");
  expect(fake?.files).toContainEqual({ hostPath: "/p/fake-service.js", containerPath: "/opt/chainmail/samples/fake-service.js" });
  expect(catalogue.resolve("docker.io/nicholasjackson/fake-service")).toBe(fake);
  expect(catalogue.resolve(`nicholasjackson/fake-service@${digest}`)).toBe(fake);
  expect(catalogue.resolve("curlimages/curl:8.1.2")?.user).toEqual({ uid: 100, gid: 101 });
  expect(catalogue.resolve("registry.istio.io/release/tcp-echo-server:1.3")).toBe(catalogue.resolve("docker.io/istio/tcp-echo-server:1.2"));
  expect(catalogue.resolve("docker.io/kong/httpbin")?.entrypoint.at(-1)).toBe("httpbin");
  expect(catalogue.resolve("quay.io/nicholasjackson/fake-service")).toBeUndefined();
  expect(catalogue.resolve("fake-service")).toBeUndefined();
});

test("a repository twice or misspelt is refused", () => {
  const [image] = sampleImages({ programsDir: "/p", bunPath: "/b" });
  if (!image) throw new Error("no sample image");
  expect(() => createCatalogue([image, { ...image, repository: `docker.io/${image.repository}` }])).toThrow("twice");
  expect(() => createCatalogue([{ ...image, repository: "Not Valid" }])).toThrow("not a valid name");
});
