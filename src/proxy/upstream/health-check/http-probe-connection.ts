import type { UpstreamStream } from "../../http/codec.ts";
import { Http1Client } from "../../http/h1-client.ts";
import { Http2Client } from "../../http2/client.ts";
import { sessionOptions } from "../../http2/options.ts";
import type { Channel } from "../../net/channel.ts";
import type { HttpProbeClient } from "./http-probe.ts";

/** A connection for checks, apart from the cluster's own, so that checks neither wait for nor hold up requests. */
export class HttpProbeConnection implements HttpProbeClient {
  readonly #client: Http1Client | Http2Client;

  constructor(channel: Channel, version: 1 | 2, onGone: () => void) {
    const nothing = (): void => {};
    this.#client =
      version === 2
        ? new Http2Client(channel, { onRoom: nothing, onStreamReset: nothing, onGone }, sessionOptions(undefined))
        : new Http1Client(channel, { onReusable: nothing, onGone });
  }

  stream(): UpstreamStream {
    return this.#client instanceof Http2Client ? this.#client.stream() : this.#client;
  }

  retire(): void {
    this.#client.retire();
  }
}
