import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { useLive, useStored } from "./live.ts";
import { type GraphSettings, GraphPage } from "./pages/graph-page.tsx";
import { PoliciesPage, WorkloadsPage } from "./pages/lists.tsx";
import { Lock, meshLock } from "./panels/lock.tsx";

const PAGES = { graph: "Traffic graph", workloads: "Workloads", policies: "Policies" } as const;
type Page = keyof typeof PAGES;

/** Paths are /kiali/<page>; Kiali's own /kiali/console/graph/namespaces leads to the graph too. */
function pageOf(path: string): Page {
  const part = path.replace(/^\/kiali\/?(console\/)?/, "").split("/")[0];
  return part && part in PAGES ? (part as Page) : "graph";
}

function App() {
  const [page, setPage] = useState<Page>(() => pageOf(location.pathname));
  const [settings, setSettings] = useStored<GraphSettings>("graph", { namespaces: [], graphType: "workload", duration: "60s", serviceNodes: false });
  const [theme, setTheme] = useStored<string>("theme", window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const live = useLive(settings);
  const lock = meshLock(live.mesh);

  document.documentElement.dataset.theme = theme;
  useEffect(() => {
    const back = () => setPage(pageOf(location.pathname));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  useEffect(() => {
    document.title = `${PAGES[page]} · Chainmail`;
  }, [page]);
  const open = (next: Page) => {
    history.pushState(null, "", `/kiali/${next}`);
    setPage(next);
  };

  return (
    <>
      <header className="masthead">
        <span className="brand"><Rings /> Chainmail</span>
        <nav aria-label="Pages">
          {(Object.keys(PAGES) as Page[]).map((name) => (
            <a key={name} href={`/kiali/${name}`} aria-current={page === name ? "page" : undefined} onClick={(event) => { event.preventDefault(); open(name); }}>{PAGES[name]}</a>
          ))}
        </nav>
        <span className={`mesh-lock mesh-lock-${lock.kind}`} role="status"><Lock kind={lock.kind} label={lock.text} /> {lock.text}</span>
        <span className={live.connected ? "pulse on" : "pulse"} role="status">{live.connected ? "live" : "reconnecting…"}</span>
        <button type="button" className="theme" aria-label="Switch between light and dark" title="Switch between light and dark" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>{theme === "dark" ? "☀" : "☾"}</button>
      </header>
      {live.problem && <p className="problem" role="alert">{live.problem}</p>}
      <main>
        {page === "graph" ? <GraphPage live={live} settings={settings} onSettings={setSettings} theme={theme} /> : page === "workloads" ? <WorkloadsPage mesh={live.mesh} /> : <PoliciesPage mesh={live.mesh} />}
      </main>
    </>
  );
}

/** Three linked rings: the icon, drawn in place so that it needs no request. */
function Rings() {
  return (
    <svg viewBox="0 0 32 32" width="24" height="24" fill="none" stroke="#3ecf8e" strokeWidth="3.2" aria-hidden="true">
      <circle cx="11" cy="11" r="7" /><circle cx="21" cy="11" r="7" /><circle cx="16" cy="21" r="7" />
    </svg>
  );
}

createRoot(document.getElementById("app")!).render(<App />);
