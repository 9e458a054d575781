/** What `llhttp-oracle.cjs` answers. */
export interface LlhttpAnswer {
  readonly failed: boolean;
  /** Responses: the end of the connection would be a regular end of the message. */
  readonly ended: boolean;
  readonly reason?: string;
  readonly messages: readonly LlhttpMessage[];
}

export interface LlhttpMessage {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly complete: boolean;
}
