/**
 * One page without any other file: it asks this service for its report and draws the chain of calls below it, so
 * that somebody with a browser and a port-forward sees who called whom, how long it took and what failed.
 */
export const UI_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>fake-service</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1d2733;background:#f6f8fa}
.hop{background:#fff;border:1px solid #d0d7de;border-left:4px solid #2da44e;border-radius:6px;padding:.6rem 1rem;margin:.6rem 0}
.hop.bad{border-left-color:#cf222e}.hop .hop{margin-left:1rem}
.meta{color:#57606a;font-size:13px;overflow-wrap:anywhere}button{font:inherit;padding:.3rem .9rem}
</style></head><body>
<h1>Calls made by this service</h1>
<p><button id="again">Call again</button> <span id="state" role="status"></span></p><div id="root"></div>
<script>
const el=(tag,cls,text)=>{const e=document.createElement(tag);if(cls)e.className=cls;if(text!==undefined)e.textContent=text;return e};
function hop(r){const bad=r.error||r.code<200||r.code>=400;const d=el("div","hop"+(bad?" bad":""));
d.append(el("strong","",(r.name||r.uri||"unknown")+"  "+r.code));
d.append(el("div","",typeof r.body==="string"?r.body:r.body===undefined?"":JSON.stringify(r.body)));
if(r.error)d.append(el("div","",r.error));
d.append(el("div","meta",[r.uri,(r.ip_addresses||[]).join(" "),r.duration].filter(Boolean).join(" · ")));
for(const c of r.upstream_calls||[])d.append(hop(c));return d}
async function load(){const s=document.getElementById("state");s.textContent="calling…";
try{const a=await fetch("/");const r=await a.json();document.getElementById("root").replaceChildren(hop(r));s.textContent=""}
catch(e){s.textContent="No answer: "+e.message}}
document.getElementById("again").onclick=load;load();
</script></body></html>
`;
