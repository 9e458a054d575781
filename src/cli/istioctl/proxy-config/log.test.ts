import { expect, test } from "bun:test";
import { loggingQueries } from "./log.ts";

const LOGGERS = "active loggers:\n  main: warning\n  rbac: warning\n  http: warning\n";
const queries = (level?: string, reset = false): string[] => loggingQueries({ ...(level !== undefined && { level }), reset }, LOGGERS);

test("levels become one request a logger, the one for all loggers first", () => {
  expect(queries()).toEqual([""]);
  expect(queries("debug")).toEqual(["?level=debug"]);
  expect(queries("rbac:debug,level:info,http=trace")).toEqual(["?level=info", "?rbac=debug", "?http=trace"]);
  expect(queries("rbac:debug,none")).toEqual(["?level=off"]);
  expect(queries("envoy::http:debug")).toEqual(["?http=debug"]);
  expect(queries("debug", true)).toEqual(["?level=warning"]);
});

test("loggers that the proxy does not have and words that are no levels are refused before anything is set", () => {
  expect(() => queries("nosuch:debug")).toThrow("unrecognized logger name: nosuch");
  expect(() => queries("rbac:loud")).toThrow("unrecognized logging level: loud");
  expect(() => queries("loud")).toThrow("unrecognized logging level: loud");
});
