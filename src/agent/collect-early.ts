/**
 * For the time in which a proxy gets its first configuration: has what reading and compiling it leaves behind collected at
 * once, so that the next resource takes the same room. The collector would let the heap grow to twice its size, and as it
 * moves nothing, the few objects that last would be strewn over all of it: 2.5 MB of holes in a sidecar of the lab. A young
 * collection takes a millisecond; their number grows with the logarithm of the configuration's size.
 */
export class EarlyCollection {
  #taken = 0;
  #since = 0;
  #over = false;

  /** `collect` is for young objects only. */
  constructor(private readonly collect: () => void) {}

  /** `bytes`: the encoded size of a resource that has just been taken. */
  readonly taken = (bytes: number): void => {
    if (this.#over) return;
    this.#taken += bytes;
    this.#since += bytes;
    if (this.#since < Math.max(LEAST_BYTES, this.#taken * SHARE)) return;
    this.#since = 0;
    this.collect();
  };

  /** The proxy serves: from now on the collector judges for itself. */
  end(): void {
    this.#over = true;
  }
}

/** A cluster or a route configuration of a small mesh; what is made of it is some 50 KB. */
const LEAST_BYTES = 1024;
/** Of what was taken so far: garbage of a 32nd of a configuration leaves few holes between the rest. */
const SHARE = 1 / 32;
