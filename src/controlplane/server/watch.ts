import { XDS_TYPES } from "../../proto/index.ts";
import { SentVersions } from "./sent.ts";
import { Subscription } from "./subscription.ts";

/** What one client has subscribed to for one type, and how far it has come. */
export interface Watch {
  readonly typeUrl: string;
  /** Everything there is, whatever it is called. */
  wildcard: boolean;
  readonly names: Subscription;
  /** What was last sent: the client has it, or will have when it gets to it. */
  readonly sent: SentVersions;
  nonceSent: string;
  nonceAcked: string;
  nonceNacked: string;
  /** Why the client refused what was sent last; undefined once it accepts again. */
  error: string | undefined;
  /** Milliseconds; 0 when nothing was sent yet. */
  sentAt: number;
  /** The next request is answered even if it asks for nothing new: see `applySotw`. */
  alwaysRespond: boolean;
}

export type Watches = Map<string, Watch>;

/** What a request asks of us, after it changed the watch. */
export type Outcome =
  | { kind: "ack" | "ignore" | "unsubscribe" }
  | { kind: "nack"; watch: Watch; error: string }
  /** `names` undefined: all that the watch covers. */
  | { kind: "respond"; watch: Watch; names: string[] | undefined; first: boolean };

export interface SotwRequest {
  typeUrl: string;
  resourceNames: readonly string[];
  responseNonce: string;
  error: string | undefined;
}

export interface DeltaRequest {
  typeUrl: string;
  subscribe: readonly string[];
  unsubscribe: readonly string[];
  /** What the client still has from an earlier stream: name to version. */
  initialVersions: Readonly<Record<string, string>>;
  responseNonce: string;
  error: string | undefined;
}

/** Types that mean everything when no name is given. */
const WILDCARD_TYPES = new Set<string>([XDS_TYPES.CDS, XDS_TYPES.LDS, XDS_TYPES.NDS]);

/** Names of one client's subscription: more than any mesh has clusters, so that a client cannot fill our memory. */
const MAX_NAMES = 100_000;

/** State of the world, with Istio's rules for what deserves an answer. */
export function applySotw(watches: Watches, request: SotwRequest): Outcome {
  const { typeUrl } = request;
  const known = watches.get(typeUrl);
  const wildcardType = WILDCARD_TYPES.has(typeUrl);
  if (request.error !== undefined) return nack(known, request.responseNonce, request.error);
  const names = request.resourceNames.slice(0, MAX_NAMES);
  if (names.length === 0 && !wildcardType) {
    watches.delete(typeUrl);
    return { kind: "unsubscribe" };
  }
  if (!known || request.responseNonce === "") {
    const watch = newWatch(typeUrl, names.length === 0, names);
    watches.set(typeUrl, watch);
    // A client that comes back asks for clusters before endpoints, but may have sent both: a warming cluster waits for
    // endpoints that this stream has sent already, so the next request for them is answered even if it looks like an ACK.
    const endpoints = typeUrl === XDS_TYPES.CDS ? watches.get(XDS_TYPES.EDS) : undefined;
    if (endpoints) endpoints.alwaysRespond = true;
    return { kind: "respond", watch, names: undefined, first: true };
  }
  if (request.responseNonce !== known.nonceSent) return { kind: "ignore" };
  acknowledge(known, request.responseNonce);
  const added = names.filter((name) => !known.names.has(name));
  const wanted = new Set(names);
  for (const name of known.names) {
    if (wanted.has(name)) continue;
    known.names.delete(name);
    known.sent.delete(name);
  }
  for (const name of added) known.names.add(name);
  if (wildcardType) known.wildcard = names.length === 0;
  if (known.alwaysRespond) {
    known.alwaysRespond = false;
    return { kind: "respond", watch: known, names: undefined, first: false };
  }
  return added.length > 0 ? { kind: "respond", watch: known, names: added, first: false } : { kind: "ack" };
}

/**
 * Incremental xDS. Subscriptions count whatever the nonce says, since they are independent of it; the nonce only says
 * which answer is acknowledged.
 */
export function applyDelta(watches: Watches, request: DeltaRequest): Outcome {
  const { typeUrl, responseNonce } = request;
  let watch = watches.get(typeUrl);
  const subscribe = request.subscribe.filter((name) => name !== "*").slice(0, MAX_NAMES);
  if (!watch) {
    if (request.error !== undefined) return { kind: "ignore" };
    const wildcard = WILDCARD_TYPES.has(typeUrl) && (request.subscribe.length === 0 || request.subscribe.includes("*"));
    if (!wildcard && subscribe.length === 0) return { kind: "unsubscribe" };
    watch = newWatch(typeUrl, wildcard, subscribe);
    const initial = Object.entries(request.initialVersions).slice(0, MAX_NAMES);
    for (const [name, version] of initial) if (wildcard || watch.names.has(name)) watch.sent.set(name, version);
    watches.set(typeUrl, watch);
    return { kind: "respond", watch, names: undefined, first: true };
  }
  if (request.subscribe.includes("*")) watch.wildcard = true;
  if (request.unsubscribe.includes("*")) watch.wildcard = false;
  for (const name of request.unsubscribe) {
    watch.names.delete(name);
    if (!watch.wildcard) watch.sent.delete(name);
  }
  for (const name of subscribe) {
    if (watch.names.size < MAX_NAMES) watch.names.add(name);
    // Subscribing again asks for the resource again: the client may have dropped it.
    watch.sent.delete(name);
  }
  const refused = request.error !== undefined ? nack(watch, responseNonce, request.error) : undefined;
  if (!refused && responseNonce !== "" && responseNonce === watch.nonceSent) acknowledge(watch, responseNonce);
  const names = request.subscribe.includes("*") ? undefined : subscribe;
  if (names === undefined || names.length > 0) return { kind: "respond", watch, names, first: false };
  if (refused) return refused;
  if (watch.names.size === 0 && !watch.wildcard && request.unsubscribe.length > 0) watches.delete(typeUrl);
  return { kind: responseNonce === "" || responseNonce === watch.nonceSent ? "ack" : "ignore" };
}

function newWatch(typeUrl: string, wildcard: boolean, names: readonly string[]): Watch {
  return {
    typeUrl,
    wildcard,
    names: new Subscription(names),
    sent: new SentVersions(),
    nonceSent: "",
    nonceAcked: "",
    nonceNacked: "",
    error: undefined,
    sentAt: 0,
    alwaysRespond: false,
  };
}

function acknowledge(watch: Watch, nonce: string): void {
  watch.nonceAcked = nonce;
  watch.error = undefined;
}

function nack(watch: Watch | undefined, nonce: string, error: string): Outcome {
  if (!watch || nonce === "" || nonce !== watch.nonceSent) return { kind: "ignore" };
  watch.nonceNacked = nonce;
  watch.error = error;
  return { kind: "nack", watch, error };
}
