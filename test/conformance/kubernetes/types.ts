/**
 * Requests that are asked of a real kube-apiserver and of ours, and what is compared of the answers.
 * A script is a conversation in a namespace of its own; each step of it is one behaviour.
 */

export interface Step {
  /** What is shown, in a few words; unique in its script. */
  title: string;
  method: string;
  /** `{ns}` is the script's namespace; `{{x}}` what an earlier step saved as x. */
  path: string;
  body?: unknown;
  /** The body's content type; JSON unless said. */
  type?: string;
  headers?: Readonly<Record<string, string>>;
  /** Dotted paths into the answer's body, by the name under which later steps have them. */
  save?: Readonly<Record<string, string>>;
  /** While a watch is open, these are made; then the watch's events are the answer. */
  during?: readonly Step[];
  /** Part of the answer that counts; all of it unless said. For answers of which only a part is about the behaviour. */
  only?: (body: unknown) => unknown;
  /** Whether the step prepares others and is not compared itself. */
  setup?: boolean;
  /** Nothing is asked: the real server gets as many milliseconds to notice what was done. Ours notices at once. */
  pauseMs?: number;
}

export interface Script {
  name: string;
  steps: readonly Step[];
  /** Whether objects outside the namespace are made; their names begin with the script's. */
  cleanup?: readonly string[];
}

/** An answer with everything left out that differs from run to run. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[]>;
  /** Parsed JSON, or text. */
  body?: unknown;
  events?: unknown[];
}

/** An API server: ours or the real one. */
export type Target = (
  path: string,
  init: { method: string; headers: Record<string, string>; body?: string | Uint8Array; signal?: AbortSignal },
) => Promise<Response>;

export type Recording = Record<string, Record<string, Answer>>;
