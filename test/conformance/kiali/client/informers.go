package main

import (
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	kubeinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Istio's kinds that Kiali watches.
var istioKinds = []schema.GroupVersionResource{
	resource("networking.istio.io", "v1", "workloadgroups"), resource("networking.istio.io", "v1", "workloadentries"), resource("networking.istio.io", "v1", "sidecars"),
	resource("networking.istio.io", "v1", "destinationrules"), resource("networking.istio.io", "v1", "serviceentries"), resource("networking.istio.io", "v1", "gateways"), resource("networking.istio.io", "v1", "virtualservices"),
	resource("networking.istio.io", "v1alpha3", "envoyfilters"), resource("extensions.istio.io", "v1alpha1", "wasmplugins"), resource("extensions.istio.io", "v1alpha1", "trafficextensions"), resource("telemetry.istio.io", "v1", "telemetries"),
	resource("security.istio.io", "v1", "authorizationpolicies"), resource("security.istio.io", "v1", "peerauthentications"), resource("security.istio.io", "v1", "requestauthentications"),
}

// A watch that never ends its first part is never ready: Kiali waits, and shows nothing.
const syncTimeout = 60 * time.Second

func resource(group, version, name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: name}
}

// Starts all of Kiali's informers and waits for them; the first function counts what they have.
func informers(core *kubernetes.Clientset, custom *dynamic.DynamicClient) (func() map[string]int, func()) {
	typed := kubeinformers.NewSharedInformerFactory(core, 0)
	untyped := dynamicinformer.NewDynamicSharedInformerFactory(custom, 0)
	all := map[string]cache.SharedIndexInformer{
		"services": typed.Core().V1().Services().Informer(), "pods": typed.Core().V1().Pods().Informer(), "configmaps": typed.Core().V1().ConfigMaps().Informer(),
		"deployments": typed.Apps().V1().Deployments().Informer(), "daemonsets": typed.Apps().V1().DaemonSets().Informer(), "replicasets": typed.Apps().V1().ReplicaSets().Informer(), "statefulsets": typed.Apps().V1().StatefulSets().Informer(),
	}
	for _, kind := range istioKinds {
		all[kind.Resource] = untyped.ForResource(kind).Informer()
	}
	for name, informer := range all {
		must(name, informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) { fail("watch of " + name + ": " + err.Error()) }))
	}
	stop := make(chan struct{})
	typed.Start(stop)
	untyped.Start(stop)
	for name, informer := range all {
		waiting := make(chan struct{})
		timer := time.AfterFunc(syncTimeout, func() { close(waiting) })
		if !cache.WaitForCacheSync(waiting, informer.HasSynced) {
			fail("the informer of " + name + " is not ready")
		}
		timer.Stop()
	}
	count := func() map[string]int {
		counts := map[string]int{}
		for name, informer := range all {
			counts[name] = len(informer.GetStore().List())
		}
		return counts
	}
	return count, func() { close(stop) }
}

// Three reviews an Istio object that is shown, with protobuf bodies.
func reviews(core *kubernetes.Clientset, namespace string) map[string]bool {
	allowed := map[string]bool{}
	for _, verb := range []string{"create", "patch", "delete"} {
		attributes := &authorizationv1.ResourceAttributes{Namespace: namespace, Group: "security.istio.io", Resource: "peerauthentications", Verb: verb}
		review, err := core.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes}}, metav1.CreateOptions{})
		must("SelfSubjectAccessReview", err)
		allowed[verb] = review.Status.Allowed
	}
	return allowed
}

// POST, PATCH of the changed part and DELETE of an Istio object, as Kiali's editor does; when an informer's event told of each.
func writes(custom *dynamic.DynamicClient, namespace string) map[string]int64 {
	kind := resource("security.istio.io", "v1", "peerauthentications")
	client := custom.Resource(kind).Namespace(namespace)
	events := make(chan string, 100)
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(custom, 0, namespace, nil)
	informer := factory.ForResource(kind).Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { events <- "ADDED " + object.(*unstructured.Unstructured).GetName() },
		UpdateFunc: func(_, object any) { events <- "MODIFIED " + object.(*unstructured.Unstructured).GetName() },
		DeleteFunc: func(object any) { events <- "DELETED " + object.(*unstructured.Unstructured).GetName() },
	})
	must("handler", err)
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	if !cache.WaitForCacheSync(stop, informer.HasSynced) {
		fail("the informer of peerauthentications is not ready")
	}
	const name = "kiali-like"
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": map[string]any{"name": name}, "spec": map[string]any{"mtls": map[string]any{"mode": "PERMISSIVE"}}}}
	took := map[string]int64{}
	step := func(event string, write func() error) {
		start := time.Now()
		must(event, write())
		for {
			select {
			case got := <-events:
				if got == event+" "+name {
					took[event] = time.Since(start).Milliseconds()
					return
				}
			case <-time.After(30 * time.Second):
				fail(fmt.Sprintf("no event %s of %s", event, name))
			}
		}
	}
	step("ADDED", func() error { _, err := client.Create(ctx, object, metav1.CreateOptions{}); return err })
	step("MODIFIED", func() error {
		_, err := client.Patch(ctx, name, "application/merge-patch+json", []byte(`{"spec":{"mtls":{"mode":"STRICT"}}}`), metav1.PatchOptions{})
		return err
	})
	step("DELETED", func() error { return client.Delete(ctx, name, metav1.DeleteOptions{}) })
	return took
}
