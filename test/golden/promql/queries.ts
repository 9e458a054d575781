/** What is asked of the recorded samples, of a real Prometheus and of ours: each of Kiali's queries, and these. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NOW, RANGES } from "./ranges.ts";
import { START } from "./world.ts";

/** One question. Times are in seconds, as the API has them. */
export type Question = { query: string; time: number } | { query: string; start: number; end: number; step: number };

const EARLIER = (START + 800_900) / 1000;
const IN_GAP = (START + 380_300) / 1000;
const AFTER_END = (START + 766_000) / 1000;

const RATES = `
rate(http_requests_total[1m])
rate(http_requests_total{code="503"}[5m])
rate(http_requests_total{code="503"}[10m])
increase(http_requests_total{code="404"}[10m])
irate(http_requests_total[1m])
idelta(temperature[1m])
delta(temperature[5m])
rate(idle_total[5m])
increase(idle_total[1m])
rate(missed_total[5m])
rate(ended_total[5m])
rate(late_total[5m])
increase(late_total[10m])
rate(once_total[5m])
rate(http_requests_total[3s])
rate(http_requests_total[7s])
sum(rate(http_requests_total[1m])) by (job)
sum by (job, code) (rate(http_requests_total{method="get"}[2m]))
sum without (instance) (rate(cpu_seconds_total[2m]))
sum(rate(request_duration_seconds_sum[5m])) by (job) / sum(rate(request_duration_seconds_count[5m])) by (job)
sum(rate(http_requests_total{code=~"5.."}[5m])) by (job) / sum(rate(http_requests_total[5m])) by (job)
rate(weird[5m])
delta(size[5m])
rate(size{kind="huge"}[5m])
1 - avg by (instance) (rate(cpu_seconds_total{mode="idle"}[1m]))
resets(http_requests_total[15m])
changes(http_requests_total{code="404"}[5m])
changes(weird[5m])
changes(idle_total[5m])
deriv(memory_bytes[5m])
deriv(weird[5m])
predict_linear(memory_bytes[5m], 3600)
predict_linear(memory_bytes[5m] offset 2m, 600)
predict_linear(temperature[10m], 60 * 5)
holt_winters(temperature[5m], 0.5, 0.3)
holt_winters(memory_bytes[10m], 0.1, 0.9)
deriv(once_total[5m])
predict_linear(quiet_gauge[10m], 60)`;

const SELECTORS = `
up
http_requests_total{job="api"}
http_requests_total{job!="api",code!~"4..|5.."}
{__name__=~"missed_total|late_total"}
{__name__=~"istio_requests_total|up",job="web"}
http_requests_total{instance=~"10.0.0.[12]:80",code="200"}
http_requests_total{code=~"2"}
http_requests_total{code=~"2.*|"}
up{missing=""}
up{missing!=""}
up{missing=~".*"}
up{job=~""}
build_info{revision=""}
text{path=~"(?i)/api/v\\\\d/.*"}
text{city="Łódź"}
text{city=~".{2}"}
text{quoted="say \\"hi\\""}
text{quoted='say "hi"'}
text{back=\`a\\b\`}
text{path=~"/[[:alpha:]]+/v\\\\d+.*"}
text{city=~"\\\\p{Lu}.*"}
ended_total
ended_gauge
quiet_gauge
once_total
missed_total
nothing
http_requests_total{code="200"} offset 5m
http_requests_total{code="200"} offset -30s
missed_total offset 12m
ended_total offset 7m
http_requests_total{code="200",job="api"} @ ${START / 1000 + 300}
rate(http_requests_total{code="200",job="api"}[1m] @ ${START / 1000 + 300})
up @ start()
temperature @ end() - temperature
rate(temperature[1m] offset 2m)
http_requests_total{code="200"}[12s]
idle_total{job="api"}[22s]
weird[16s]
up[1m] offset 10m
temperature[30s:10s]
temperature[1m:]
missed_total[5m:1m]
(temperature)`;

const OVER_TIME = `
avg_over_time(temperature[5m])
sum_over_time(temperature[5m])
min_over_time(temperature[5m])
max_over_time(temperature[5m])
count_over_time(temperature[5m])
count_over_time(idle_total[5m])
count_over_time(missed_total[15m])
count_over_time(ended_total[15m])
stddev_over_time(temperature[5m])
stdvar_over_time(memory_bytes[5m])
quantile_over_time(0.9, temperature[5m])
quantile_over_time(-1, temperature[5m])
quantile_over_time(2, temperature[5m])
quantile_over_time(0.5, weird[5m])
last_over_time(temperature[5m])
last_over_time(ended_gauge[5m])
last_over_time(quiet_gauge[10m])
present_over_time(late_total[10m])
present_over_time(nothing[10m])
avg_over_time(weird[5m])
sum_over_time(weird[5m])
max_over_time(weird[5m])
min_over_time(weird[5m])
stddev_over_time(weird{kind="inf"}[5m])
avg_over_time(size[5m])
max_over_time(rate(http_requests_total{code="200"}[1m])[5m:30s])
avg_over_time(up[5m:13s])
max_over_time(sum(rate(http_requests_total[1m]))[5m:20s])
min_over_time(temperature[5m:20s] offset 3m)
rate(sum(http_requests_total)[5m:15s])
sum_over_time(rate(missed_total[1m])[10m:1m])
count_over_time(missed_total[10m:1m])
max_over_time(deriv(temperature[1m])[5m:30s])
quantile_over_time(0.25, rate(http_requests_total[1m])[4m:20s])
sum_over_time((up == 0)[10m:5s])
avg_over_time(max(temperature)[3m:])
absent_over_time(nothing{a="b"}[5m])
absent_over_time(up[5m])
absent_over_time(ended_gauge[1m])
absent(nothing)
absent(nothing{a="b",c=~"d",e!="f"})
absent(nothing{a="b",a="c"})
absent(up)
absent(sum(nothing))
absent(ended_gauge)
timestamp(up)
timestamp(missed_total)
timestamp(idle_total offset 1m)
timestamp(up + 1)
timestamp(timestamp(up))`;

const HISTOGRAMS = `
histogram_quantile(0.9, request_duration_seconds_bucket)
histogram_quantile(0.5, rate(request_duration_seconds_bucket[5m]))
histogram_quantile(0.95, sum(rate(request_duration_seconds_bucket[5m])) by (le))
histogram_quantile(0.95, sum(rate(request_duration_seconds_bucket[5m])) by (job, le))
histogram_quantile(0, request_duration_seconds_bucket)
histogram_quantile(1, request_duration_seconds_bucket)
histogram_quantile(-0.5, request_duration_seconds_bucket)
histogram_quantile(1.5, request_duration_seconds_bucket)
histogram_quantile(NaN, request_duration_seconds_bucket)
histogram_quantile(0.3, odd_bucket)
histogram_quantile(0.7, odd_bucket)
histogram_quantile(0.99, rate(odd_bucket[1m]))
histogram_quantile(0.2, odd_bucket{shape="negative"})
histogram_quantile(0.9, up)
histogram_quantile(0.9, nothing)
histogram_quantile(scalar(vector(0.5)), request_duration_seconds_bucket)
sum(rate(request_duration_seconds_bucket{le="0.5"}[5m])) by (job) / sum(rate(request_duration_seconds_count[5m])) by (job)`;

const AGGREGATES = `
sum(up)
sum(nothing)
avg(temperature)
avg by (floor) (temperature)
min(temperature)
max(temperature)
max(weird)
min(weird)
avg(weird{kind!="allnan"})
count(http_requests_total) by (code)
count by (__name__) ({job="api"})
count({__name__=~".+"}) by (__name__)
group(http_requests_total) by (job)
stddev(temperature)
stdvar(temperature) by (floor)
stddev(size)
topk(2, temperature)
topk(1, http_requests_total) by (job)
bottomk(3, temperature)
topk(5, weird)
bottomk(2, weird)
topk(0, temperature)
topk(-1, temperature)
topk(100, temperature)
bottomk by (job) (1, http_requests_total{code="200"})
quantile(0.5, temperature)
quantile(0.9, http_requests_total) by (job)
quantile(0.5, weird)
quantile(-1, temperature)
quantile(7, temperature)
count_values("value", up)
count_values("value", build_info) by (job)
count_values without (instance) ("v", http_requests_total{code="404"})
count_values("v", size)
count_values("job", up) by (job)
sum(http_requests_total) without (instance, code, method)
sum without () (up)
sum by () (up)
sum by (missing) (up)
count(count by (instance) (up))
sum(sum by (job, instance) (up)) by (job)
topk(1, sum by (code) (rate(http_requests_total[1m])))
sort(temperature)
sort_desc(temperature)
sort(weird)
sort_desc(weird)
sort_desc(sum by (code) (http_requests_total))`;

const OPERATORS = `
1 + 2 * 3 ^ 2
2 ^ 3 ^ 2
-2 ^ 2
-temperature
+temperature
10 % 3
-10 % 3
10 / 0
-10 / 0
0 / 0
1 atan2 2
2 > bool 1
1 == bool 2
NaN == bool NaN
temperature + 1
1 - temperature
temperature > 10
10 < temperature
temperature > bool 10
10 < bool temperature
temperature % 7
temperature ^ 2
2 ^ size
size * 1e10
temperature == temperature
weird == weird
weird != weird
weird > 5
http_requests_total{code="200"} - http_requests_total{code="404"}
http_requests_total{code="200"} - ignoring(code, method) http_requests_total{code="503"}
http_requests_total{code="503"} / ignoring(code, method) http_requests_total{code="200"}
http_requests_total{code="503"} / on(job, instance) http_requests_total{code="200"}
http_requests_total{code="503"} > on(job, instance) http_requests_total{code="404"}
http_requests_total{code="503"} > ignoring(code, method) http_requests_total{code="404"}
http_requests_total{code="503"} >= bool ignoring(code, method) http_requests_total{code="404"}
http_requests_total / ignoring(code, method) group_left sum without (code, method) (http_requests_total)
http_requests_total * on(job, instance) group_left(version) build_info
http_requests_total * on(job, instance) group_left(version, revision) build_info
build_info * on(job, instance) group_right(version) http_requests_total
build_info * on(job, instance) group_right http_requests_total{code="200"}
sum by (job) (http_requests_total) / on(job) group_right sum by (job, code) (http_requests_total)
http_requests_total{code="200"} > on(job, instance) group_left build_info
rate(http_requests_total[1m]) * on(instance, job) group_left() (up == 1)
up and on(job) http_requests_total{job="api"}
up and up{job="web"}
up or nothing
nothing or up
up or vector(1)
vector(1) or up
up unless up{job="web"}
up unless on(instance) up{job="web",instance="10.0.0.1:80"}
temperature and ignoring(room) temperature{room="hall"}
sum(up) or vector(0)
sum(nothing) or vector(0)
(temperature > 15) or (temperature < -5)
up == 0 or up == 1
up * 0 + time()
temperature / 0
absent(nothing) * 3
vector(1) + vector(2)
vector(1) == vector(1)
vector(1) == vector(2)
scalar(sum(up)) + 1
scalar(up)
scalar(nothing)
up > bool scalar(temperature{room="hall"})
"a string"
'single \\' quote'
3.5
1e3
0x1F
Inf
-Inf
NaN
time()
pi()
1e21
1e-7
123456789012345678`;

const FUNCTIONS = `
abs(temperature)
ceil(temperature)
floor(temperature)
round(temperature)
round(temperature, 0.5)
round(temperature, 5)
round(-temperature, 0.1)
clamp(temperature, 0, 10)
clamp(temperature, 10, 0)
clamp_min(temperature, 5)
clamp_max(temperature, 5)
clamp(weird, 3, 9)
exp(temperature)
ln(temperature)
log2(temperature)
log10(temperature)
sqrt(temperature)
sgn(temperature)
sgn(weird)
sin(temperature)
cosh(temperature)
asin(temperature)
deg(temperature)
rad(temperature)
minute()
hour()
hour(vector(1136239445))
day_of_week(vector(1136239445))
day_of_month(vector(1136239445))
day_of_year(vector(1136239445))
days_in_month(vector(1136239445))
month(vector(1136239445))
year(vector(1136239445))
minute(temperature)
vector(time())
label_replace(up, "host", "$1", "instance", "(.*):.*")
label_replace(up, "host", "\${1}-x", "instance", "10.0.0.(.):80")
label_replace(up, "host", "$1", "instance", "nothing")
label_replace(up, "job", "", "job", "api")
label_replace(text, "last", "$2", "path", "/(.*)/([^/]*)")
label_replace(text, "v", "\${version}", "path", "/(?i:api)/v(?P<version>\\\\d)/.*")
label_replace(up, "new", "fixed", "", "")
label_replace(up, "new", "a$$b", "job", ".*")
label_join(up, "both", "-", "job", "instance")
label_join(up, "none", ",")
label_join(up, "job", "/", "job", "missing", "instance")
label_replace(rate(http_requests_total[1m]), "c", "\${1}xx", "code", "(.)..")
sum by (c) (label_replace(http_requests_total, "c", "$1xx", "code", "(.)..")) > 100
abs(sum by (job) (up)) - 1
round(topk(6, histogram_quantile(0.95, sum(rate(request_duration_seconds_bucket[1m])) by (le,job)) > 0), 0.001)`;

/** Each is an error: of the query, of what it is applied to, or of what it meets. */
const MISTAKES = `
sum(
up{
up{job="api"
up[5m
up + 
{}
{job=~".*"}
{job!="api"}
up{__name__="down"}
foo bar
unknown_function(up)
rate(up)
rate(up[5m], 1)
rate()
sum(up[5m])
sum("x")
topk(up)
topk("a", up)
quantile(up, up)
count_values(1, up)
up[5m] + 1
up[5m] > 1
"a" + 1
1 > 2
1 and 2
up and 1
1 or up
up + bool up
-"a"
-up[5m]
up[5m][5m]
up[5m:1m:1m]
1[5m]
sum(up)[5m]
(up)[5m]
rate(sum(up)[5m:])[1m]
up offset
sum(up) offset 5m
sum(up) @ 100
up offset 5m offset 6m
up @ 1 @ 2
up @ foo
up[0s]
up[-5m]
up[5x]
up[1s1m]
histogram_quantile(up, up)
histogram_quantile(0.9)
label_replace(up, "a", "b", "c")
label_replace(up, "a-b", "$1", "job", "(.*)")
label_replace(up, "a", "$1", "job", "(.*")
label_replace(up, "instance", "x", "job", ".*")
label_join(up, "a-b", "-", "job")
label_join(up, "instance", "", "job")
up{job=~"("}
up{job=~"(?=a)"}
up{job=~"a(?!b)"}
up{job=~"[z-a]"}
up{job="\\d"}
up{job=api}
up{job}
up / on(job) up
http_requests_total / on(job, instance) up
up / on(instance) up
up * on(instance) group_left build_info
up * on(job) group_left(job) up
up and on(job) group_left up
1 + on(job) 2
up + on(job) 2
http_requests_total * on(job) group_left(version) build_info
{__name__=~"missed_total|late_total",job="gaps"} / on() up
rate({job="api"}[1m])
abs({job="api"})
-{job="api"}
{job="api"} + 1
holt_winters(temperature[5m], 2, 0.3)
holt_winters(temperature[5m], 0.3, 0)
count_values("a-b", up)
topk(NaN, up)
topk(1e30, up)
clamp(up)
clamp(up, 1)
time(1)
vector(up)
scalar(1)
round(up, up)
sort(1)
hour(1)
absent(1)
absent(up[5m])
predict_linear(up[5m])
quantile_over_time(up[5m], 0.5)
sum by job (up)
sum(up) by (1a)
by(up)
up up
)up(
'unfinished
"a\\x"
1..2
up{a="b"} {c="d"}`;

const lines = (text: string) => text.trim().split("\n");

/** All questions, in a fixed order; names in Kiali's queries are filled in. */
export function questions(): Question[] {
  const instant = [RATES, SELECTORS, OVER_TIME, HISTOGRAMS, AGGREGATES, OPERATORS, FUNCTIONS, MISTAKES].flatMap(lines).map((query) => ({ query, time: NOW }));
  const atOtherTimes = [IN_GAP, AFTER_END, EARLIER, NOW + 200, NOW + 400, START / 1000 - 10].flatMap((time) =>
    [
      "missed_total",
      "ended_total",
      "rate(missed_total[5m])",
      "rate(ended_total[5m])",
      "up",
      "count_over_time(up[1m])",
      'increase(http_requests_total{code="503"}[3m])',
      "temperature",
    ].map((query) => ({ query, time })),
  );
  const ranges = RANGES.map(({ query, start, end, step }) => ({ query, start: start ?? START / 1000 + 700, end: end ?? NOW, step: step ?? 60 }));
  const kiali = lines(readFileSync(join(import.meta.dir, "../../../src/telemetry/promql/testdata/kiali-queries.txt"), "utf8")).map((line): Question => {
    const [kind, query] = [line.slice(0, line.indexOf(" ")), named(line.slice(line.indexOf(" ") + 1))];
    return kind === "range" ? { query, start: NOW - 300, end: NOW, step: 60 } : { query, time: NOW };
  });
  return [...instant, ...atOtherTimes, ...ranges, ...kiali];
}

const EDGE_LABELS =
  "source_cluster,source_workload_namespace,source_workload,source_canonical_service,source_canonical_revision,destination_cluster,destination_service_namespace,destination_service,destination_service_name,destination_workload_namespace,destination_workload,destination_canonical_service,destination_canonical_revision";

function named(query: string): string {
  return query
    .replaceAll("<G13>", EDGE_LABELS)
    .replaceAll("[D]", "[60s]")
    .replaceAll('"NS"', '"shop"')
    .replaceAll('"X"', '"web"')
    .replaceAll(/\bNS\b/g, "shop")
    .replaceAll(/\bX\b/g, "web");
}
