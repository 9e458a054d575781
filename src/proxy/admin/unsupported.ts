/** Pages of Envoy's that show or steer what this proxy has not got, each with the reason: they answer 404. */
export const UNSUPPORTED: Readonly<Record<string, string>> = {
  "/allocprofiler": "there is no allocation profiler; a heap snapshot can be taken with Bun's inspector",
  "/cpuprofiler": "there is no profiler built in; start the process with Bun's --cpu-prof",
  "/heap_dump": "there is no heap profiler built in",
  "/heapprofiler": "there is no heap profiler built in",
  "/memory/tcmalloc": "the memory is not tcmalloc's; /memory has the figures there are",
  "/peak_heap_dump": "there is no heap profiler built in",
  "/runtime_modify": "runtime values are taken from the bootstrap and cannot be changed",
  "/stats/recentlookups": "names of statistics are looked up when a configuration is read, never later",
  "/stats/recentlookups/clear": "names of statistics are looked up when a configuration is read, never later",
  "/stats/recentlookups/disable": "names of statistics are looked up when a configuration is read, never later",
  "/stats/recentlookups/enable": "names of statistics are looked up when a configuration is read, never later",
};
