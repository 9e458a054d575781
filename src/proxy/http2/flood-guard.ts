import type { FrameWriter } from "./frame-writer.ts";
import type { Http2Stats } from "./http2-stats.ts";
import { ConnectionError, ErrorCode } from "./frames.ts";

/** How much a peer may send that costs it little and us more; Envoy's options of the same names, with its defaults. */
export interface FloodLimits {
  /** Frames of any kind that wait for a peer which does not read. */
  readonly outboundFrames: number;
  /** Of those, answers to its PING and SETTINGS, and resets (CVE-2019-9512, 9514, 9515). */
  readonly outboundControlFrames: number;
  /** Frames that carry nothing and end nothing, one after another (CVE-2019-9518). */
  readonly emptyFrames: number;
  /** PRIORITY frames for each stream that it has opened (CVE-2019-9513). */
  readonly prioritiesPerStream: number;
  /** WINDOW_UPDATE frames for each DATA frame that we have sent. */
  readonly windowUpdatesPerData: number;
}

/** No connection needs to begin with more window updates than these; Envoy's allowance. */
const SPARE_WINDOW_UPDATES = 5;

/** Counts one connection's frames against the limits. All throw ConnectionError: such a peer is let go. */
export class FloodGuard {
  /** Streams that the peer has opened, or we have at it. */
  opened = 0;
  #empty = 0;
  #priorities = 0;
  #windowUpdates = 0;

  constructor(
    private readonly limits: FloodLimits,
    private readonly writer: FrameWriter,
    private readonly stats: Http2Stats,
  ) {}

  /** To be asked while the socket does not take what we write. */
  outbound(): void {
    if (this.writer.control > this.limits.outboundControlFrames)
      throw this.#flood("outbound_control_flood", "too many frames that ask for an answer, and no answer is read");
    if (this.writer.frames > this.limits.outboundFrames) throw this.#flood("outbound_flood", "too many frames wait to be read");
  }

  /** HEADERS, CONTINUATION or DATA: whether it carries or ends anything. */
  payload(empty: boolean): void {
    if (!empty) this.#empty = 0;
    else if (++this.#empty > this.limits.emptyFrames) throw this.#flood("inbound_empty_frames_flood", "too many frames that carry nothing");
  }

  priority(): void {
    if (++this.#priorities > this.limits.prioritiesPerStream * (1 + this.opened))
      throw this.#flood("inbound_priority_frames_flood", "too many PRIORITY frames");
  }

  windowUpdate(): void {
    // As Envoy: two a stream besides, one to open it wide and one at its end.
    const allowed = SPARE_WINDOW_UPDATES + 2 * (this.opened + this.limits.windowUpdatesPerData * this.writer.dataFrames);
    if (++this.#windowUpdates > allowed) throw this.#flood("inbound_window_update_frames_flood", "too many WINDOW_UPDATE frames");
  }

  #flood(stat: Flood, message: string): ConnectionError {
    this.stats[stat]++;
    return new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, message);
  }
}

type Flood =
  | "inbound_empty_frames_flood"
  | "inbound_priority_frames_flood"
  | "inbound_window_update_frames_flood"
  | "outbound_control_flood"
  | "outbound_flood";
