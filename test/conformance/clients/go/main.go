// What programs on client-go ask of an API server, one step after the other; each says that it is done, or why not.
// Usage: KUBECONFIG=... clients NAMESPACE IMAGE, where a container of IMAGE serves HTTP on port 9090.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/transport/spdy"
)

const patience = 30 * time.Second

type world struct {
	config    *rest.Config
	client    *kubernetes.Clientset
	namespace string
	image     string
	pod       string
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check("kubeconfig", err)
	config.QPS, config.Burst = -1, 0
	client, err := kubernetes.NewForConfig(config)
	check("client", err)
	w := &world{config: config, client: client, namespace: os.Args[1], image: os.Args[2], pod: "serving"}
	ctx := context.Background()
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"discovery", w.discovery},
		{"bodies in protobuf", w.protobuf},
		{"informer", w.informer},
		{"pagination", w.pagination},
		{"watch that goes on where it was", w.resume},
		{"server-side apply", w.apply},
		{"leader election", w.election},
		{"dynamic and metadata clients", w.dynamic},
		{"exec by WebSocket", func(ctx context.Context) error { return w.exec(ctx, true) }},
		{"exec by SPDY", func(ctx context.Context) error { return w.exec(ctx, false) }},
		{"port-forward by SPDY", func(ctx context.Context) error { return w.forward(false) }},
		{"port-forward by WebSocket", func(ctx context.Context) error { return w.forward(true) }},
		{"logs", w.logs},
		{"tokens and reviews", w.tokens},
		{"eviction", w.evict},
	} {
		limited, cancel := context.WithTimeout(ctx, patience)
		check(step.name, step.run(limited))
		cancel()
		fmt.Println("ok", step.name)
	}
}

func check(what string, err error) {
	if err != nil {
		fmt.Println("FAILED", what+":", err)
		os.Exit(1)
	}
}

func (w *world) discovery(context.Context) error {
	groups, resources, err := w.client.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	if len(groups) < 10 || len(resources) < 10 {
		return fmt.Errorf("%d groups, %d lists of resources", len(groups), len(resources))
	}
	mapper := restmapper.NewDiscoveryRESTMapper(must(restmapper.GetAPIGroupResources(w.client)))
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	if err == nil && mapping.Resource.Resource != "deployments" {
		err = fmt.Errorf("a Deployment is at %v", mapping.Resource)
	}
	if err != nil {
		return err
	}
	if _, err := w.client.OpenAPIV3().Paths(); err != nil {
		return err
	}
	document, err := w.client.OpenAPISchema()
	if err == nil && len(document.GetDefinitions().GetAdditionalProperties()) < 100 {
		err = fmt.Errorf("OpenAPI 2 has %d definitions", len(document.GetDefinitions().GetAdditionalProperties()))
	}
	return err
}

func must[T any](value T, err error) T {
	check("call", err)
	return value
}

func (w *world) protobuf(ctx context.Context) error {
	config := rest.CopyConfig(w.config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(w.namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	}); err != nil {
		return fmt.Errorf("no service account: %w", err)
	}
	pod, err := client.CoreV1().Pods(w.namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: w.pod, Labels: map[string]string{"app": w.pod}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: w.image, Env: []corev1.EnvVar{{Name: "MESSAGE", Value: "served"}}}}},
	}, metav1.CreateOptions{})
	if err == nil && (pod.UID == "" || pod.Spec.RestartPolicy != corev1.RestartPolicyAlways) {
		err = fmt.Errorf("the pod came back as %+v", pod)
	}
	return err
}

func (w *world) informer(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	factory := informers.NewSharedInformerFactoryWithOptions(w.client, 0, informers.WithNamespace(w.namespace))
	informer := factory.Core().V1().ConfigMaps().Informer()
	seen := make(chan string, 100)
	note := func(what string, object any) {
		if deleted, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = deleted.Obj
		}
		if config, ok := object.(*corev1.ConfigMap); ok && config.Name == "seen" {
			seen <- what + config.Data["k"]
		}
	}
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { note("add ", object) },
		UpdateFunc: func(_, object any) { note("update ", object) },
		DeleteFunc: func(object any) { note("delete ", object) },
	})
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return fmt.Errorf("the cache never synced")
	}
	maps := w.client.CoreV1().ConfigMaps(w.namespace)
	config, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "seen"}, Data: map[string]string{"k": "1"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	config.Data["k"] = "2"
	if _, err = maps.Update(ctx, config, metav1.UpdateOptions{}); err != nil {
		return err
	}
	stale := config.DeepCopy()
	stale.Data["k"] = "3"
	if _, err = maps.Update(ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("a stale update: %v", err)
	}
	if err = maps.Delete(ctx, "seen", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &config.UID}}); err != nil {
		return err
	}
	for _, expected := range []string{"add 1", "update 2", "delete 2"} {
		select {
		case got := <-seen:
			if got != expected {
				return fmt.Errorf("%q where %q was due", got, expected)
			}
		case <-ctx.Done():
			return fmt.Errorf("%q never came", expected)
		}
	}
	return nil
}

func (w *world) pagination(ctx context.Context) error {
	maps := w.client.CoreV1().ConfigMaps(w.namespace)
	for i := range 25 {
		name := fmt.Sprintf("page-%02d", i)
		if _, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"of": "pages"}}}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	count, calls := 0, 0
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		calls++
		return maps.List(ctx, options)
	})
	pages.PageSize = 10
	err := pages.EachListItem(ctx, metav1.ListOptions{LabelSelector: "of=pages"}, func(runtime.Object) error { count++; return nil })
	if err == nil && (count != 25 || calls != 3) {
		err = fmt.Errorf("%d items in %d pages", count, calls)
	}
	if err != nil {
		return err
	}
	return maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "of=pages"})
}

func (w *world) resume(ctx context.Context) error {
	maps := w.client.CoreV1().ConfigMaps(w.namespace)
	list, err := maps.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, name := range []string{"first", "second"} {
		if _, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	// Each connection ends after a second: the watcher goes on from the last version that it saw.
	second := int64(1)
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.TimeoutSeconds = &second
			return maps.Watch(ctx, options)
		},
	})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	go func() {
		time.Sleep(2500 * time.Millisecond)
		_, _ = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "third"}}, metav1.CreateOptions{})
	}()
	for _, expected := range []string{"first", "second", "third"} {
		select {
		case event := <-watcher.ResultChan():
			if config, ok := event.Object.(*corev1.ConfigMap); !ok || event.Type != watch.Added || config.Name != expected {
				return fmt.Errorf("%v where %s was due", event, expected)
			}
		case <-ctx.Done():
			return fmt.Errorf("%s never came", expected)
		}
	}
	old, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: "999999999"})
	if err == nil {
		old.Stop()
	} else if !apierrors.IsTimeout(err) && !apierrors.IsInvalid(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		return fmt.Errorf("a version of the future: %v", err)
	}
	return nil
}

func (w *world) apply(ctx context.Context) error {
	maps := w.client.CoreV1().ConfigMaps(w.namespace)
	as := func(manager, value string, force bool) (*corev1.ConfigMap, error) {
		return maps.Apply(ctx, corev1ac.ConfigMap("applied", w.namespace).WithData(map[string]string{"k": value}), metav1.ApplyOptions{FieldManager: manager, Force: force})
	}
	if _, err := as("one", "1", false); err != nil {
		return err
	}
	if _, err := as("two", "2", false); !apierrors.IsConflict(err) {
		return fmt.Errorf("another's field: %v", err)
	}
	config, err := as("two", "2", true)
	if err != nil {
		return err
	}
	extracted, err := corev1ac.ExtractConfigMap(config, "two")
	if err == nil && extracted.Data["k"] != "2" {
		err = fmt.Errorf("manager two owns %v", extracted.Data)
	}
	if err != nil {
		return err
	}
	_, err = maps.Patch(ctx, "applied", types.JSONPatchType, []byte(`[{"op":"add","path":"/data/j","value":"p"}]`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

func (w *world) election(ctx context.Context) error {
	var led atomic.Int32
	run := func(ctx context.Context, identity string, started chan<- string) {
		lock := must(resourcelock.New(resourcelock.LeasesResourceLock, w.namespace, "leader", nil, w.client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity}))
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 4 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: 200 * time.Millisecond, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { led.Add(1); started <- identity },
				OnStoppedLeading: func() {},
			},
		})
	}
	started := make(chan string, 2)
	first, endFirst := context.WithCancel(ctx)
	second, endSecond := context.WithCancel(ctx)
	defer endSecond()
	go run(first, "first", started)
	if leader := <-started; leader != "first" {
		return fmt.Errorf("%s leads", leader)
	}
	go run(second, "second", started)
	time.Sleep(time.Second)
	if led.Load() != 1 {
		return fmt.Errorf("two lead at a time")
	}
	endFirst()
	select {
	case leader := <-started:
		if leader != "second" {
			return fmt.Errorf("%s leads", leader)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody leads after the first has gone")
	}
}

func (w *world) dynamic(ctx context.Context) error {
	client, err := dynamic.NewForConfig(w.config)
	if err != nil {
		return err
	}
	maps := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(w.namespace)
	if _, err = maps.Create(ctx, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"generateName": "free-"}}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	meta, err := metadata.NewForConfig(w.config)
	if err != nil {
		return err
	}
	list, err := meta.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(w.namespace).List(ctx, metav1.ListOptions{})
	if err == nil && (len(list.Items) < 4 || list.Items[0].Kind != "PartialObjectMetadata") {
		err = fmt.Errorf("metadata of %d maps, the first %v", len(list.Items), list.Items[0].TypeMeta)
	}
	if err != nil {
		return err
	}
	_, err = discovery.NewDiscoveryClientForConfigOrDie(w.config).ServerVersion()
	return err
}

func (w *world) exec(ctx context.Context, websocket bool) error {
	if err := w.ready(ctx); err != nil {
		return err
	}
	url := w.client.CoreV1().RESTClient().Post().Resource("pods").Name(w.pod).Namespace(w.namespace).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: []string{"sh", "-c", "cat; echo error >&2; exit 5"}, Stdin: true, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
	var executor remotecommand.Executor
	var err error
	if websocket {
		executor, err = remotecommand.NewWebSocketExecutor(w.config, "GET", url.String())
	} else {
		executor, err = remotecommand.NewSPDYExecutor(w.config, "POST", url)
	}
	if err != nil {
		return err
	}
	sent := strings.Repeat("what is sent comes back\n", 20_000)
	var stdout, stderr bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader(sent), Stdout: &stdout, Stderr: &stderr})
	if err == nil || !strings.Contains(err.Error(), "exit code 5") {
		return fmt.Errorf("it ended with %v", err)
	}
	if stdout.String() != sent || stderr.String() != "error\n" {
		return fmt.Errorf("%d of %d bytes came back, and %q", stdout.Len(), len(sent), stderr.String())
	}
	return nil
}

func (w *world) ready(ctx context.Context) error {
	_, err := watchtools.UntilWithSync(ctx, cache.NewListWatchFromClient(w.client.CoreV1().RESTClient(), "pods", w.namespace, fields.Everything()), &corev1.Pod{}, nil, func(event watch.Event) (bool, error) {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok || pod.Name != w.pod {
			return false, nil
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
	return err
}

func (w *world) forward(websocket bool) error {
	url := w.client.CoreV1().RESTClient().Post().Resource("pods").Name(w.pod).Namespace(w.namespace).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(w.config)
	if err != nil {
		return err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url)
	if websocket {
		if dialer, err = portforward.NewSPDYOverWebsocketDialer(url, w.config); err != nil {
			return err
		}
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder, err := portforward.New(dialer, []string{"0:9090"}, stop, ready, io.Discard, os.Stderr)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		return fmt.Errorf("not forwarded: %w", err)
	case <-time.After(patience):
		return fmt.Errorf("never ready")
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	for range 5 {
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local))
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "served") {
			return fmt.Errorf("%d %q %v", answer.StatusCode, body, err)
		}
	}
	return nil
}

func (w *world) logs(ctx context.Context) error {
	lines := int64(1)
	stream, err := w.client.CoreV1().Pods(w.namespace).GetLogs(w.pod, &corev1.PodLogOptions{TailLines: &lines, Timestamps: true}).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err == nil && strings.Count(string(text), "\n") != 1 {
		err = fmt.Errorf("one line was asked for: %q", text)
	}
	return err
}

func (w *world) tokens(ctx context.Context) error {
	seconds := int64(600)
	token, err := w.client.CoreV1().ServiceAccounts(w.namespace).CreateToken(ctx, "default", &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"somebody"}, ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	review, err := w.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token, Audiences: []string{"somebody"}}}, metav1.CreateOptions{})
	if err == nil && review.Status.User.Username != "system:serviceaccount:"+w.namespace+":default" {
		err = fmt.Errorf("the token is of %q: %s", review.Status.User.Username, review.Status.Error)
	}
	return err
}

func (w *world) evict(ctx context.Context) error {
	pods := w.client.CoreV1().Pods(w.namespace)
	grace := int64(1)
	if err := w.client.PolicyV1().Evictions(w.namespace).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: w.pod, Namespace: w.namespace}, DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: &grace}}); err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := pods.Get(ctx, w.pod, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}
