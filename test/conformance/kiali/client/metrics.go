package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

type promState struct {
	Healthy   bool   `json:"healthy"`
	Version   string `json:"version"`
	Retention string `json:"retention"`
	// Of the configuration's global part.
	ScrapeInterval string `json:"scrapeInterval"`
	Metrics        int    `json:"metrics"`
}

type graphEdge struct {
	From string  `json:"from"`
	To   string  `json:"to"`
	Rate float64 `json:"rate"`
	// Share of requests with mutual TLS, in percent; −1 where no badge is drawn.
	MTLS       float64  `json:"mtls"`
	Principals []string `json:"principals"`
}

const g13 = "source_cluster,source_workload_namespace,source_workload,source_canonical_service,source_canonical_revision,destination_cluster,destination_service_namespace,destination_service,destination_service_name,destination_workload_namespace,destination_workload,destination_canonical_service,destination_canonical_revision"

func client(url string) prometheus.API {
	made, err := api.NewClient(api.Config{Address: url})
	must("Prometheus client", err)
	return prometheus.NewAPI(made)
}

// What Kiali asks of Prometheus before it asks anything else.
func prometheusState(url string) promState {
	answer, err := http.Get(url + "/-/healthy")
	must("/-/healthy", err)
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	must("/-/healthy", err)
	store := client(url)
	build, err := store.Buildinfo(ctx)
	must("buildinfo", err)
	runtime, err := store.Runtimeinfo(ctx)
	must("runtimeinfo", err)
	config, err := store.Config(ctx)
	must("config", err)
	names, _, err := store.LabelValues(ctx, "__name__", nil, time.Unix(0, 0), time.Now())
	must("label values", err)
	interval := regexp.MustCompile(`scrape_interval: (\S+)`).FindStringSubmatch(config.YAML)
	if interval == nil {
		fail("the configuration has no scrape_interval")
	}
	return promState{Healthy: answer.StatusCode == http.StatusOK, Version: build.Version, Retention: runtime.StorageRetention, ScrapeInterval: interval[1], Metrics: len(names)}
}

// The queries of a graph of one namespace and of its security badges, and the edges that Kiali makes of them.
func graph(url, namespace string) []graphEdge {
	store := client(url)
	ask := func(query string) model.Vector {
		value, _, err := store.Query(ctx, strings.ReplaceAll(query, "NS", namespace), time.Now())
		must(query, err)
		vector, ok := value.(model.Vector)
		if !ok {
			fail(fmt.Sprintf("%s: a %s", query, value.Type()))
		}
		return vector
	}
	type sums struct {
		rate, secure, reported float64
		principals             map[string]bool
	}
	edges := map[[2]string]*sums{}
	at := func(labels model.Metric) *sums {
		key := [2]string{string(labels["source_workload"]), string(labels["destination_workload"])}
		if edges[key] == nil {
			edges[key] = &sums{principals: map[string]bool{}}
		}
		return edges[key]
	}
	const by = ",request_protocol,response_code,grpc_response_status,response_flags"
	traffic := map[string]model.Vector{}
	for _, selector := range []string{
		`reporter="destination",destination_workload_namespace="NS"`,
		`reporter="source",source_workload_namespace!="NS",destination_workload_namespace="unknown",destination_workload="unknown",destination_service=~"^.+\\.NS\\..+$"`,
		`reporter="source",source_workload_namespace="NS"`,
	} {
		traffic[selector] = ask(`round(sum(rate(istio_requests_total{` + selector + `} [60s])) by (` + g13 + by + `) > 0,0.001)`)
		ask(`round(sum(rate(istio_tcp_received_bytes_total{app!="ztunnel",` + selector + `} [60s])) by (app,` + g13 + `,response_flags) > 0,0.001)`)
	}
	seen := map[model.Fingerprint]bool{}
	for _, vector := range traffic {
		for _, sample := range vector {
			// Both ends tell of the same requests: the source only of those that reached nobody else's report.
			if print := sample.Metric.Fingerprint(); !seen[print] {
				seen[print] = true
				at(sample.Metric).rate += float64(sample.Value)
			}
		}
	}
	badge := strings.Replace(g13, "destination_service,", "", 1) + ",source_principal,destination_principal,connection_security_policy"
	for _, selector := range []string{`reporter="destination",source_workload_namespace!="NS",destination_service_namespace="NS"`, `reporter="destination",source_workload_namespace="NS"`} {
		for _, sample := range ask(`round((sum(rate(istio_requests_total{` + selector + `}[60s])) by (` + badge + `) > 0) OR (sum(rate(istio_tcp_sent_bytes_total{app!="ztunnel",` + selector + `}[60s])) by (` + badge + `) > 0),0.001)`) {
			edge := at(sample.Metric)
			edge.reported += float64(sample.Value)
			if sample.Metric["connection_security_policy"] == "mutual_tls" {
				edge.secure += float64(sample.Value)
			}
			for _, name := range []model.LabelName{"source_principal", "destination_principal"} {
				edge.principals[string(sample.Metric[name])] = true
			}
		}
	}
	out := []graphEdge{}
	for key, edge := range edges {
		found := graphEdge{From: key[0], To: key[1], Rate: edge.rate, MTLS: -1, Principals: []string{}}
		if edge.reported > 0 {
			found.MTLS = 100 * edge.secure / edge.reported
		}
		for principal := range edge.principals {
			found.Principals = append(found.Principals, principal)
		}
		sort.Strings(found.Principals)
		out = append(out, found)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].From+" "+out[i].To < out[j].From+" "+out[j].To })
	return out
}
