// Does what Kiali does with a cluster, with the libraries that Kiali is made of (client-go 0.36.1, Prometheus' client):
// access reviews in protobuf, informers by WatchList, tunnels by SPDY, PromQL by form. Prints what it found as JSON; a step
// that fails ends it with the reason. Arguments: the URL of the metrics store, the namespace to look at.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

type report struct {
	// Seconds until all informers had what there is.
	ReadySeconds float64 `json:"readySeconds"`
	// Objects by resource, as the informers have them.
	Objects map[string]int `json:"objects"`
	// What SelfSubjectAccessReviews allowed, by verb.
	Allowed map[string]bool `json:"allowed"`
	Version string          `json:"version"`
	Istiod  istiodState     `json:"istiod"`
	// Milliseconds from a write of a PeerAuthentication to its event.
	EventMillis map[string]int64 `json:"eventMillis"`
	// Kinds of a sidecar's config_dump.
	ConfigDump []string `json:"configDump"`
	// Lines of the proxy's log with a time before them.
	LogLines   int         `json:"logLines"`
	Prometheus promState   `json:"prometheus"`
	Graph      []graphEdge `json:"graph"`
}

type istiodState struct {
	Name      string `json:"name"`
	Healthy   bool   `json:"healthy"`
	Version   string `json:"version"`
	ClusterID string `json:"clusterId"`
	Proxies   int    `json:"proxies"`
	// Proxies that have not acknowledged what was sent last.
	OutOfSync []string `json:"outOfSync"`
}

var ctx = context.Background()

func main() {
	start := time.Now()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must("kubeconfig", err)
	config.UserAgent = "kiali-like"
	// As Kiali: core kinds and reviews in protobuf, with JSON as what else is taken.
	protobuf := rest.CopyConfig(config)
	protobuf.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	protobuf.ContentType = "application/vnd.kubernetes.protobuf"
	core := kubernetes.NewForConfigOrDie(protobuf)
	custom := dynamic.NewForConfigOrDie(config)
	storeURL, namespace := os.Args[1], os.Args[2]

	_, _, err = core.Discovery().ServerGroupsAndResources()
	must("discovery", err)
	out := report{Allowed: reviews(core, namespace)}
	objects, stop := informers(core, custom)
	defer stop()
	out.Objects = objects()
	out.ReadySeconds = time.Since(start).Seconds()
	version, err := core.Discovery().ServerVersion()
	must("GET /version", err)
	out.Version = version.GitVersion
	polled(core)
	out.Istiod = istiod(config, core)
	out.EventMillis = writes(custom, namespace)
	out.ConfigDump, out.LogLines = proxy(config, core, namespace)
	out.Prometheus = prometheusState(storeURL)
	out.Graph = graph(storeURL, namespace)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	must("report", encoder.Encode(out))
}

// What Kiali asks now and then.
func polled(core *kubernetes.Clientset) {
	_, err := core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	must("namespaces", err)
	for _, name := range []string{"istio", "istio-ca-root-cert"} {
		_, err = core.CoreV1().ConfigMaps("istio-system").Get(ctx, name, metav1.GetOptions{})
		must("ConfigMap "+name, err)
	}
	_, err = core.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{LabelSelector: "istio.io/tag"})
	must("mutatingwebhookconfigurations", err)
}

// istiod's health, version and what its proxies have, through tunnels as Kiali digs them.
func istiod(config *rest.Config, core *kubernetes.Clientset) istiodState {
	deployment, err := core.AppsV1().Deployments("istio-system").Get(ctx, "istiod", metav1.GetOptions{})
	must("Deployment istiod", err)
	port := "15014"
	state := istiodState{OutOfSync: []string{}}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for _, arg := range container.Args {
			if match := regexp.MustCompile(`^--monitoringAddr=.*:(\d+)$`).FindStringSubmatch(arg); match != nil {
				port = match[1]
			}
		}
		for _, env := range container.Env {
			if env.Name == "CLUSTER_ID" {
				state.ClusterID = env.Value
			}
		}
	}
	revision := deployment.Labels["istio.io/rev"]
	pods, err := core.CoreV1().Pods("istio-system").List(ctx, metav1.ListOptions{LabelSelector: "app=istiod,istio.io/rev=" + revision})
	must("pods of istiod", err)
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning {
			state.Name = pod.Name
		}
	}
	if state.Name == "" {
		fail("no running pod with app=istiod,istio.io/rev=" + revision)
	}
	state.Version = string(tunnelled(config, core, "istio-system", state.Name, port, "/version"))
	var proxies []map[string]any
	must("syncz", json.Unmarshal(tunnelled(config, core, "istio-system", state.Name, port, "/debug/syncz"), &proxies))
	state.Healthy, state.Proxies = true, len(proxies)
	for _, proxy := range proxies {
		for _, kind := range []string{"cluster", "listener", "route", "endpoint"} {
			if proxy[kind+"_sent"] != proxy[kind+"_acked"] {
				state.OutOfSync = append(state.OutOfSync, fmt.Sprint(proxy["proxy"], " ", kind))
			}
		}
	}
	return state
}

// The kinds of configuration that a sidecar's tunnel gives, and how many lines of its log have a time.
func proxy(config *rest.Config, core *kubernetes.Clientset, namespace string) ([]string, int) {
	pods, err := core.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "security.istio.io/tlsMode=istio"})
	must("pods with sidecars", err)
	if len(pods.Items) == 0 {
		fail("no pod with a sidecar in " + namespace)
	}
	name := pods.Items[0].Name
	var dump struct {
		Configs []map[string]any `json:"configs"`
	}
	must("config_dump", json.Unmarshal(tunnelled(config, core, namespace, name, "15000", "/config_dump"), &dump))
	kinds := []string{}
	for _, part := range dump.Configs {
		kinds = append(kinds, strings.TrimPrefix(fmt.Sprint(part["@type"]), "type.googleapis.com/envoy.admin.v3."))
	}
	since := metav1.NewTime(time.Now().Add(-time.Hour))
	text, err := core.CoreV1().Pods(namespace).GetLogs(name, &corev1.PodLogOptions{Container: "istio-proxy", SinceTime: &since, Timestamps: true}).DoRaw(ctx)
	must("logs", err)
	lines := 0
	for _, line := range strings.Split(string(text), "\n") {
		if before, _, found := strings.Cut(line, " "); found {
			if _, err := time.Parse(time.RFC3339Nano, before); err == nil {
				lines++
			}
		}
	}
	return kinds, lines
}

// One request through a tunnel of its own: POST with Upgrade: SPDY/3.1 and nothing else.
func tunnelled(config *rest.Config, core *kubernetes.Clientset, namespace, pod, port, path string) []byte {
	url := core.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	must("SPDY", err)
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url), []string{"0:" + port}, stop, ready, io.Discard, io.Discard)
	must("port-forward", err)
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		fail(fmt.Sprintf("port-forward to %s/%s:%s: %v", namespace, pod, port, err))
	case <-time.After(30 * time.Second):
		fail("port-forward is not ready")
	}
	ports, err := forwarder.GetPorts()
	must("ports", err)
	answer, err := http.Get("http://localhost:" + strconv.Itoa(int(ports[0].Local)) + path)
	must("GET "+path, err)
	defer answer.Body.Close()
	var body bytes.Buffer
	_, err = io.Copy(&body, answer.Body)
	must("GET "+path, err)
	if answer.StatusCode != http.StatusOK {
		fail(fmt.Sprintf("GET %s: %d %s", path, answer.StatusCode, body.String()))
	}
	return body.Bytes()
}

func must(what string, err error) {
	if err != nil {
		fail(what + ": " + err.Error())
	}
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
