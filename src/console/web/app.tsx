import { type ReactNode, StrictMode, Suspense, lazy, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { useConnected, useStored, useWatch } from "./live.ts";
import type { MeshState } from "./model.ts";
import { Link, RouteProvider, useRoute } from "./navigation.tsx";
import { Lock, meshLock } from "./panels/lock.tsx";
import { SessionProvider, useSession } from "./session.tsx";
import { Boundary, Loading } from "./parts/states.tsx";

// The graph brings its engine along, and is the page that most people open: the other pages need not wait for it.
const GraphPage = lazy(() => import("./pages/graph-page.tsx").then((m) => ({ default: m.GraphPage })));
const AppsPage = lazy(() => import("./pages/apps-pages.tsx").then((m) => ({ default: m.AppsPage })));
const AppPage = lazy(() => import("./pages/apps-pages.tsx").then((m) => ({ default: m.AppPage })));
const NamespacesPage = lazy(() => import("./pages/namespaces-pages.tsx").then((m) => ({ default: m.NamespacesPage })));
const NamespacePage = lazy(() => import("./pages/namespaces-pages.tsx").then((m) => ({ default: m.NamespacePage })));
const GuidePage = lazy(() => import("./pages/guide-page.tsx").then((m) => ({ default: m.GuidePage })));
const OverviewPage = lazy(() => import("./pages/overview-page.tsx").then((m) => ({ default: m.OverviewPage })));
const WorkloadsPage = lazy(() => import("./pages/lists.tsx").then((m) => ({ default: m.WorkloadsPage })));
const ServicesPage = lazy(() => import("./pages/lists.tsx").then((m) => ({ default: m.ServicesPage })));
const WorkloadPage = lazy(() => import("./pages/workload-page.tsx").then((m) => ({ default: m.WorkloadPage })));
const ServicePage = lazy(() => import("./pages/service-page.tsx").then((m) => ({ default: m.ServicePage })));
const ConfigPage = lazy(() => import("./pages/config-pages.tsx").then((m) => ({ default: m.ConfigPage })));
const NewConfigPage = lazy(() => import("./pages/new-config-page.tsx").then((m) => ({ default: m.NewConfigPage })));
const ConfigObjectPage = lazy(() => import("./pages/config-pages.tsx").then((m) => ({ default: m.ConfigObjectPage })));
const PoliciesPage = lazy(() => import("./pages/policies-page.tsx").then((m) => ({ default: m.PoliciesPage })));
const TracesPage = lazy(() => import("./pages/traces-page.tsx").then((m) => ({ default: m.TracesPage })));
const TracePage = lazy(() => import("./pages/trace-page.tsx").then((m) => ({ default: m.TracePage })));
const MeshPage = lazy(() => import("./pages/mesh-page.tsx").then((m) => ({ default: m.MeshPage })));

interface PageProps {
  mesh: MeshState | undefined;
  theme: string;
}

interface Page {
  title: string;
  render(props: PageProps): ReactNode;
}

/** Pages of the menu, by the first part of their path. */
const PAGES: Record<string, Page> = {
  overview: { title: "Overview", render: () => <OverviewPage /> },
  graph: { title: "Traffic graph", render: (props) => <GraphPage {...props} /> },
  namespaces: { title: "Namespaces", render: () => <NamespacesPage /> },
  applications: { title: "Applications", render: () => <AppsPage /> },
  workloads: { title: "Workloads", render: ({ mesh }) => <WorkloadsPage mesh={mesh} /> },
  services: { title: "Services", render: () => <ServicesPage /> },
  traces: { title: "Traces", render: () => <TracesPage /> },
  policies: { title: "Policies", render: ({ mesh }) => <PoliciesPage mesh={mesh} /> },
  istio: { title: "Istio config", render: () => <ConfigPage /> },
  mesh: { title: "Mesh", render: () => <MeshPage /> },
  guide: { title: "Lab guide", render: (props) => <GuidePage {...props} /> },
};

/** Pages of one thing: /namespaces/NS/workloads/NAME and the like. The page of the menu that they belong to comes along. */
function pageOf(parts: string[]): { menu: string; page: Page } {
  const [first = "", , kind] = parts;
  const name = parts.at(-1) ?? "";
  if (first === "namespaces" && parts.length === 2) return { menu: "namespaces", page: { title: name, render: (props) => <NamespacePage {...props} /> } };
  if (first === "namespaces" && kind === "applications" && parts.length === 4)
    return { menu: "applications", page: { title: name, render: (props) => <AppPage {...props} /> } };
  if (first === "namespaces" && kind === "workloads" && parts.length === 4)
    return { menu: "workloads", page: { title: name, render: (props) => <WorkloadPage {...props} /> } };
  if (first === "namespaces" && kind === "services" && parts.length === 4)
    return { menu: "services", page: { title: name, render: (props) => <ServicePage {...props} /> } };
  if (first === "namespaces" && kind === "istio" && parts.length === 7) return { menu: "istio", page: { title: name, render: () => <ConfigObjectPage /> } };
  if (first === "traces" && parts.length === 2) return { menu: "traces", page: { title: "Trace", render: () => <TracePage /> } };
  if (first === "istio" && parts[1] === "new") return { menu: "istio", page: { title: "New", render: ({ mesh }) => <NewConfigPage mesh={mesh} /> } };
  const menu = first in PAGES ? first : "graph";
  return { menu, page: PAGES[menu]! };
}

function App() {
  const { parts } = useRoute();
  const [theme, setTheme] = useStored<string>("theme", window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const mesh = useWatch<MeshState>("/state");
  const [guides, setGuides] = useState(0);
  useEffect(() => {
    // Without an answer the menu does without it; its page says more to who knows its address.
    void fetch("/kiali/api/guides")
      .then(async (answer) => answer.ok && setGuides(((await answer.json()) as unknown[]).length))
      .catch(() => {});
  }, []);
  const lock = meshLock(mesh.data);
  const { menu, page } = pageOf(parts);
  // Set while drawing, so that what reads colours from the page finds those of the theme it is drawn for.
  document.documentElement.dataset.theme = theme;
  useEffect(() => {
    document.title = `${page.title} · Chainmail`;
  }, [page.title]);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="masthead">
        <Link to="/graph" className="brand">
          <Rings /> Chainmail
        </Link>
        <nav aria-label="Pages">
          {Object.entries(PAGES)
            .filter(([key]) => key !== "guide" || guides > 0)
            .map(([key, { title }]) => (
              <Link key={key} to={`/${key}`} current={key === menu}>
                {title}
              </Link>
            ))}
        </nav>
        <Link to="/policies" className={`mesh-lock mesh-lock-${lock.kind}`}>
          <Lock kind={lock.kind} label="" /> <span role="status">{lock.text}</span>
        </Link>
        <Pulse />
        <WhoAmI />
        <button
          type="button"
          className="theme"
          aria-label="Switch between light and dark"
          title="Switch between light and dark"
          onClick={() => setTheme(theme === "dark" ? "light" : "dark")}
        >
          {theme === "dark" ? "☀" : "☾"}
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        <Boundary key={location.pathname}>
          <Suspense fallback={<Loading />}>{page.render({ mesh: mesh.data, theme })}</Suspense>
        </Boundary>
      </main>
    </>
  );
}

/** Who is signed in; anonymous readers may sign in to change things. */
function WhoAmI() {
  const { session, signIn, signOut } = useSession();
  if (session.csrf === undefined)
    return (
      <button type="button" className="theme sign-in" onClick={signIn}>
        Sign in
      </button>
    );
  return (
    <button type="button" className="theme sign-in" title={`${session.username}: sign out`} onClick={() => void signOut()}>
      {session.username.replace(/^system:serviceaccount:/, "")} · sign out
    </button>
  );
}

function Pulse() {
  const connected = useConnected();
  return (
    <span
      className={connected ? "pulse on" : "pulse"}
      role="status"
      title={connected ? "What changes in the mesh is shown at once" : "The console's server does not answer: trying again"}
    >
      {connected ? "live" : "reconnecting…"}
    </span>
  );
}

/** Three linked rings: the icon, drawn in place so that it needs no request. */
function Rings() {
  return (
    <svg viewBox="0 0 32 32" width="24" height="24" fill="none" stroke="#3ecf8e" strokeWidth="3.2" aria-hidden="true">
      <circle cx="11" cy="11" r="7" />
      <circle cx="21" cy="11" r="7" />
      <circle cx="16" cy="21" r="7" />
    </svg>
  );
}

createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <RouteProvider>
      <SessionProvider>
        <App />
      </SessionProvider>
    </RouteProvider>
  </StrictMode>,
);
