import { type ReactNode, createContext, useContext, useEffect, useState } from "react";

/** Where the reader is: the parts of the path below /kiali, and the query. */
export interface Route {
  parts: string[];
  query: URLSearchParams;
}

const ROOT = "/kiali";

const RouteContext = createContext<Route>({ parts: [], query: new URLSearchParams() });

export function RouteProvider({ children }: { children: ReactNode }) {
  const [route, setRoute] = useState(currentRoute);
  useEffect(() => {
    const moved = () => setRoute(currentRoute());
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);
  return <RouteContext value={route}>{children}</RouteContext>;
}

export function useRoute(): Route {
  return useContext(RouteContext);
}

/** Goes to a page; `path` is below /kiali. A change of the query alone replaces the entry, so that "back" leaves the page. */
export function navigate(path: string, options: { replace?: boolean } = {}): void {
  const url = `${ROOT}${path}`;
  if (options.replace) history.replaceState(null, "", url);
  else {
    history.pushState(null, "", url);
    document.querySelector("main")?.scrollTo(0, 0);
  }
  dispatchEvent(new PopStateEvent("popstate"));
}

/** A link that stays in the page and still opens in a new tab when asked to. */
export function Link({ to, children, className, current }: { to: string; children: ReactNode; className?: string; current?: boolean }) {
  return (
    <a
      href={`${ROOT}${to}`}
      className={className}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}

export const workloadPath = (namespace: string, name: string) => `/namespaces/${encodeURIComponent(namespace)}/workloads/${encodeURIComponent(name)}`;
export const servicePath = (namespace: string, name: string) => `/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`;
export const appPath = (namespace: string, name: string) => `/namespaces/${encodeURIComponent(namespace)}/applications/${encodeURIComponent(name)}`;
export const namespacePath = (namespace: string) => `/namespaces/${encodeURIComponent(namespace)}`;

/** The page of what a node of the graph stands for; none for callers that nobody knows. */
export function nodePath({
  type,
  namespace,
  workload,
  app,
  service,
}: {
  type: string;
  namespace: string;
  workload?: string;
  app?: string;
  service?: string;
}): string | undefined {
  if (type === "service" && service && namespace !== "unknown") return servicePath(namespace, service);
  if (type === "workload" && workload) return workloadPath(namespace, workload);
  return type === "app" && app ? appPath(namespace, app) : undefined;
}

/** Kiali's links have `/console` in them: they lead to the same pages. */
function currentRoute(): Route {
  const parts = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  if (parts[0] === "kiali") parts.shift();
  if (parts[0] === "console") parts.shift();
  return { parts, query: new URLSearchParams(location.search) };
}
