import type { Logger, LogLevel } from "../../base/index.ts";
import type { ProxyServer } from "../bootstrap/index.ts";
import type { AdminAnswer, DumpInput } from "./dump-input.ts";
import type * as PagesModule from "./pages.ts";
import { prometheusText } from "./server-stats.ts";

export interface AdminDeps {
  readonly server: ProxyServer;
  /** Prints a dump, in this process or another. */
  readonly print: (input: DumpInput) => Promise<AdminAnswer>;
  /** Envoy's logger names and what they govern. */
  readonly loggers: Readonly<Record<string, Logger>>;
  readonly logLevel: LogLevel;
  readonly quit: () => void;
}

/** Envoy's admin pages for a proxy: a function from a request to an answer, without any I/O of its own. */
export class Admin {
  readonly #deps: AdminDeps;
  #pages: PagesModule.AdminPages | undefined;

  constructor(deps: AdminDeps) {
    this.#deps = deps;
  }

  /** All metrics of the proxy in Prometheus' text format. */
  async prometheus(): Promise<string> {
    const { server } = this.#deps;
    await server.dataPlane.refreshStats?.();
    return prometheusText(server);
  }

  /** Few sidecars are ever asked: the pages are loaded for the first who does. */
  handle(method: string, url: URL): Promise<AdminAnswer> {
    this.#pages ??= new (require("./pages.ts") as typeof PagesModule).AdminPages(this.#deps);
    return this.#pages.handle(method, url);
  }
}
