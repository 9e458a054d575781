import { ChainmailError } from "../../../base/index.ts";

/** Ends the command with an exit code of its own. */
export class ExitError extends ChainmailError {
  constructor(
    code: string,
    message: string,
    readonly exitCode: number,
    options: { cause?: unknown; hint?: string } = {},
  ) {
    super(code, message, options);
  }
}

/** The line cannot be read; 64 is EX_USAGE of sysexits.h. */
export class CommandParseError extends ExitError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("USAGE", message, 64, options);
  }
}

/** A file that was named cannot be read as what it should be; 65 is EX_DATAERR. */
export class DataError extends ExitError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("FILE_INVALID", message, 65, options);
  }
}
