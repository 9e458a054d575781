import type { Channel } from "../../net/channel.ts";
import type { TcpProbeConfig } from "./config.ts";
import { contains } from "./http-probe.ts";
import { UNREACHABLE, type ProbeResult } from "./result.ts";

/** More than this a check does not read. */
const MAX_BYTES = 64 * 1024;

/** One check over a bare connection: it stands, or it answers what is expected. The returned function gives it up. */
export function probeTcp(channel: Channel, config: TcpProbeConfig, done: (result: ProbeResult) => void): () => void {
  let seen = Buffer.alloc(0);
  let over = false;
  const settle = (result: ProbeResult): void => {
    if (over) return;
    over = true;
    channel.close();
    done(result);
  };
  channel.handler = {
    onData(chunk) {
      seen = Buffer.concat([seen, chunk]);
      if (contains(seen, config.receive)) settle({ healthy: true, degraded: false });
      else if (seen.length > MAX_BYTES) settle(UNREACHABLE);
      return true;
    },
    onEnd: () => settle(UNREACHABLE),
    onDrain() {},
    onClose: () => settle(UNREACHABLE),
  };
  if (config.send.length > 0) {
    channel.write(config.send);
    channel.flush();
  }
  if (config.receive.length === 0) settle({ healthy: true, degraded: false });
  return () => {
    over = true;
    channel.abort();
  };
}
