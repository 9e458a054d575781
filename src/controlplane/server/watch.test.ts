import { describe, expect, test } from "bun:test";
import { XDS_TYPES } from "../../proto/index.ts";
import { applyDelta, applySotw, type DeltaRequest, type SotwRequest, type Watches } from "./watch.ts";

const sotw = (typeUrl: string, resourceNames: string[], responseNonce = "", error?: string): SotwRequest => ({ typeUrl, resourceNames, responseNonce, error });
const delta = (typeUrl: string, rest: Partial<DeltaRequest> = {}): DeltaRequest => ({
  typeUrl,
  subscribe: [],
  unsubscribe: [],
  initialVersions: {},
  responseNonce: "",
  error: undefined,
  ...rest,
});

describe("state of the world", () => {
  test("a first request is answered, its ACK is not", () => {
    const watches: Watches = new Map();
    expect(applySotw(watches, sotw(XDS_TYPES.CDS, []))).toMatchObject({ kind: "respond", names: undefined });
    const watch = watches.get(XDS_TYPES.CDS);
    if (!watch) throw new Error("no watch");
    expect(watch.wildcard).toBe(true);
    watch.nonceSent = "n1";
    expect(applySotw(watches, sotw(XDS_TYPES.CDS, [], "n1")).kind).toBe("ack");
    expect(watch.nonceAcked).toBe("n1");
  });

  test("endpoints and routes without names get no answer", () => {
    const watches: Watches = new Map();
    expect(applySotw(watches, sotw(XDS_TYPES.EDS, [])).kind).toBe("unsubscribe");
    expect(applySotw(watches, sotw(XDS_TYPES.RDS, [])).kind).toBe("unsubscribe");
    expect(watches.size).toBe(0);
  });

  test("only added names are answered; a stale nonce is ignored; no names unsubscribes", () => {
    const watches: Watches = new Map();
    applySotw(watches, sotw(XDS_TYPES.EDS, ["a", "b"]));
    const watch = watches.get(XDS_TYPES.EDS);
    if (!watch) throw new Error("no watch");
    watch.nonceSent = "n1";
    watch.sent.set("a", "1").set("b", "1");
    expect(applySotw(watches, sotw(XDS_TYPES.EDS, ["b"], "n1")).kind).toBe("ack");
    expect([...watch.sent.keys()]).toEqual(["b"]);
    expect(applySotw(watches, sotw(XDS_TYPES.EDS, ["b", "c"], "n1"))).toMatchObject({ kind: "respond", names: ["c"] });
    watch.nonceSent = "n2";
    expect(applySotw(watches, sotw(XDS_TYPES.EDS, ["b", "c", "d"], "n1")).kind).toBe("ignore");
    expect(applySotw(watches, sotw(XDS_TYPES.EDS, [], "n2")).kind).toBe("unsubscribe");
    expect(watches.has(XDS_TYPES.EDS)).toBe(false);
  });

  test("a refusal is kept and answered with nothing, and forgotten with the next ACK", () => {
    const watches: Watches = new Map();
    applySotw(watches, sotw(XDS_TYPES.LDS, []));
    const watch = watches.get(XDS_TYPES.LDS);
    if (!watch) throw new Error("no watch");
    watch.nonceSent = "n1";
    expect(applySotw(watches, sotw(XDS_TYPES.LDS, [], "n1", "bad listener"))).toMatchObject({ kind: "nack", error: "bad listener" });
    expect(watch).toMatchObject({ error: "bad listener", nonceNacked: "n1", nonceAcked: "" });
    watch.nonceSent = "n2";
    applySotw(watches, sotw(XDS_TYPES.LDS, [], "n2"));
    expect(watch.error).toBeUndefined();
  });

  test("clusters that are asked for again make the next endpoints request count", () => {
    const watches: Watches = new Map();
    applySotw(watches, sotw(XDS_TYPES.EDS, ["a"]));
    const endpoints = watches.get(XDS_TYPES.EDS);
    if (!endpoints) throw new Error("no watch");
    endpoints.nonceSent = "n1";
    applySotw(watches, sotw(XDS_TYPES.CDS, []));
    expect(applySotw(watches, sotw(XDS_TYPES.EDS, ["a"], "n1"))).toMatchObject({ kind: "respond", names: undefined });
    expect(applySotw(watches, sotw(XDS_TYPES.EDS, ["a"], "n1")).kind).toBe("ack");
  });
});

describe("incremental", () => {
  test("subscriptions count even beside a stale nonce; subscribing again asks again", () => {
    const watches: Watches = new Map();
    expect(applyDelta(watches, delta(XDS_TYPES.EDS, { subscribe: ["a"] }))).toMatchObject({ kind: "respond", first: true });
    const watch = watches.get(XDS_TYPES.EDS);
    if (!watch) throw new Error("no watch");
    watch.nonceSent = "n2";
    watch.sent.set("a", "1");
    expect(applyDelta(watches, delta(XDS_TYPES.EDS, { subscribe: ["b"], responseNonce: "n1" }))).toMatchObject({ kind: "respond", names: ["b"] });
    expect(watch.nonceAcked).toBe("");
    expect(applyDelta(watches, delta(XDS_TYPES.EDS, { subscribe: ["a"] }))).toMatchObject({ kind: "respond", names: ["a"] });
    expect(watch.sent.has("a")).toBe(false);
    expect(applyDelta(watches, delta(XDS_TYPES.EDS, { responseNonce: "n2" })).kind).toBe("ack");
    expect(watch.nonceAcked).toBe("n2");
    applyDelta(watches, delta(XDS_TYPES.EDS, { unsubscribe: ["a", "b"] }));
    expect(watches.has(XDS_TYPES.EDS)).toBe(false);
  });

  test("what the client still has is not sent again", () => {
    const watches: Watches = new Map();
    applyDelta(watches, delta(XDS_TYPES.CDS, { subscribe: ["*"], initialVersions: { x: "7" } }));
    expect(watches.get(XDS_TYPES.CDS)).toMatchObject({ wildcard: true });
    expect(watches.get(XDS_TYPES.CDS)?.sent.get("x")).toBe("7");
    expect(watches.get(XDS_TYPES.CDS)?.names.size).toBe(0);
  });

  test("a refusal that also subscribes is both", () => {
    const watches: Watches = new Map();
    applyDelta(watches, delta(XDS_TYPES.EDS, { subscribe: ["a"] }));
    const watch = watches.get(XDS_TYPES.EDS);
    if (!watch) throw new Error("no watch");
    watch.nonceSent = "n1";
    expect(applyDelta(watches, delta(XDS_TYPES.EDS, { subscribe: ["b"], responseNonce: "n1", error: "bad" }))).toMatchObject({ kind: "respond", names: ["b"] });
    expect(watch.error).toBe("bad");
  });
});
