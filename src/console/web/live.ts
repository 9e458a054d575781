import { useEffect, useState } from "react";
import type { GraphUpdate, MeshState } from "./model.ts";

export interface LiveQuery {
  namespaces: string[];
  graphType: string;
  duration: string;
  serviceNodes: boolean;
}

export interface Live {
  mesh: MeshState | undefined;
  update: GraphUpdate | undefined;
  connected: boolean;
  problem: string | undefined;
}

/** The page's one stream. It reconnects by itself; a new query opens a new one. */
export function useLive(query: LiveQuery): Live {
  const [mesh, setMesh] = useState<MeshState>();
  const [update, setUpdate] = useState<GraphUpdate>();
  const [connected, setConnected] = useState(false);
  const [problem, setProblem] = useState<string>();
  const parameters = new URLSearchParams({ namespaces: query.namespaces.join(","), graphType: query.graphType, duration: query.duration, injectServiceNodes: String(query.serviceNodes) }).toString();
  useEffect(() => {
    const source = new EventSource(`/kiali/api/live?${parameters}`);
    source.onopen = () => setConnected(true);
    source.onerror = () => setConnected(false);
    source.addEventListener("mesh", (event) => setMesh(JSON.parse(event.data) as MeshState));
    source.addEventListener("graph", (event) => {
      setUpdate(JSON.parse(event.data) as GraphUpdate);
      setProblem(undefined);
    });
    source.addEventListener("problem", (event) => setProblem((JSON.parse(event.data) as { message: string }).message));
    return () => source.close();
  }, [parameters]);
  return { mesh, update, connected, problem };
}

/** A choice that outlives the page. */
export function useStored<T>(name: string, initial: T): [T, (value: T) => void] {
  const key = `chainmail.${name}`;
  const [value, setValue] = useState<T>(() => {
    try {
      const stored = localStorage.getItem(key);
      return stored === null ? initial : (JSON.parse(stored) as T);
    } catch {
      // Storage may be off, or hold what another version wrote: the default serves.
      return initial;
    }
  });
  return [
    value,
    (next) => {
      setValue(next);
      try {
        localStorage.setItem(key, JSON.stringify(next));
      } catch {
        // Without storage the choice lasts as long as the page.
      }
    },
  ];
}
