import type { JsonValue } from "@bufbuild/protobuf";

/** Takes out what differs from run to run: addresses and ports of the rig, ids, hashes, dates and durations. */
export class Mask {
  readonly #names: ReadonlyMap<string, string>;
  readonly #address: string;

  /** `ports` are those of the backends by name; `address` is the proxy's. */
  constructor(
    ports: ReadonlyMap<string, number>,
    address: string,
    private readonly folder: string,
  ) {
    this.#names = new Map([...ports].map(([name, port]) => [String(port), name]));
    this.#address = address;
  }

  text(text: string): string {
    return (
      text
        .replaceAll(this.#address, "{proxy}")
        .replaceAll(this.folder, "{folder}")
        .replace(/(127\.0\.0\.\d+|\{proxy\}|\[::1\]):(\d{4,5})\b/g, (_, address: string, port: string) => `${address}:{${this.#names.get(port) ?? "port"}}`)
        .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "{uuid}")
        .replace(/\b[0-9a-f]{64}\b/g, "{hash}")
        // Addresses of hosts in sessions: alone, and in a message.
        .replace(/\b(Cg8xMjcuMC4w|MTI3LjAuMC4x)[A-Za-z0-9+/]+=*/g, "$1{host}")
        .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "{token}")
        .replace(/\beyJ[\w-]{60,}/g, "{payload}")
        .replace(/(PROXY TCP4 \S+ \S+) \d+ \d+/g, "$1 {port} {port}")
        // The listener's own port.
        .replace(/(x-forwarded-port: )\d{5}\b/g, "$1{port}")
        // After a retry something of the default time-out of 15 s is used up, or nothing yet.
        .replace(/x-envoy-attempt-count: [23]\n[^]*/, (rest) => rest.replace(/\b15000\b/, "{14...}"))
        .replace(/\b14\d{3}\b/g, "{14...}")
        .replace(/"[0-9a-f]{16}"/g, '"{cookie}"')
        .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "{time}")
        .replace(/\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, "{date}")
    );
  }

  /** All texts of a value; headers that hold a duration lose it. */
  value<T extends JsonValue>(value: T, key = ""): T {
    if (typeof value === "string") return (key === "x-envoy-upstream-service-time" ? "{ms}" : this.text(value)) as T;
    if (Array.isArray(value)) return value.map((each) => this.value(each, key)) as T;
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.value(each as JsonValue, name)])) as T;
  }
}
