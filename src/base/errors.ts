/**
 * The one error class that every room derives its reasons from: a stable code for programs, a message that names the
 * likely cause for people, and the next command to run where there is one.
 */
export class ChainmailError extends Error {
  constructor(
    /** Stable, SCREAMING_SNAKE, never reworded: scripts match on it. */
    readonly code: string,
    message: string,
    options: { cause?: unknown; hint?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
  }
  /** The command or step that mends it, for the last line of what a person sees. */
  readonly hint: string | undefined;
}

/** The text of whatever was thrown, without a stack and without inventing one. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
