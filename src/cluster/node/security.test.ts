import { expect, test } from "bun:test";
import type { Image, ImageCatalogue } from "../images/index.ts";
import type { Container, Pod } from "../../resources/index.ts";
import { processIdentity } from "./security.ts";

const catalogue = {} as ImageCatalogue;
const pod = (spec: object = {}): Pod =>
  ({ apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "ns" }, spec: { containers: [], ...spec } }) as unknown as Pod;
const container = (securityContext: object = {}): Container => ({ name: "c", securityContext }) as unknown as Container;
const program = (user: string): Image => ({ own: { user } }) as unknown as Image;

test("a program of the machine runs as its image says, unless the pod says otherwise", () => {
  const who = (user: string, context: object = {}): number[] => {
    const { uid, gid } = processIdentity(pod(), container(context), program(user), catalogue);
    return [uid, gid];
  };
  expect(who("")).toEqual([0, 0]);
  expect(who("1000")).toEqual([1000, 0]);
  expect(who("1000:2000")).toEqual([1000, 2000]);
  expect(who("1000:2000", { runAsUser: 7 })).toEqual([7, 2000]);
  expect(who("1000", { runAsNonRoot: true })).toEqual([1000, 0]);
  expect(() => who("", { runAsNonRoot: true })).toThrow("image will run as root");
  expect(() => who("somebody")).toThrow("unable to find user somebody");
});
