import { ChainmailError } from "../../base/index.ts";

/** The other side broke a streaming protocol's rules, or a limit: its connection ends. */
export class StreamProtocolError extends ChainmailError {
  constructor(message: string) {
    super("STREAM_PROTOCOL", message);
  }
}

/** The request cannot be upgraded; nothing has been written, so the server can still answer 400 with this text. */
export class UpgradeError extends ChainmailError {
  constructor(message: string) {
    super("UPGRADE_REFUSED", message);
  }
}
