package descriptions

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/openapi"
	"github.com/sallyport/sallyport/proto/resource"
)

func TestSegmentsThatLookLikeIDsAreOne(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1/orders":          "/v1/orders",
		"/v1/orders/17":       "/v1/orders/{…}",
		"/v1/orders/17/lines": "/v1/orders/{…}/lines",
		"/users/0190b2c5-7d3c-7e5a-9f7f-3d1c2b4a5968":     "/users/{…}",
		"/users/rt_01k00000000000000000000001":            "/users/{…}",
		"/users/jane@example.com":                         "/users/{…}",
		"/users/j%C3%A4ne":                                "/users/{…}",
		"/oauth2/authorize":                               "/oauth2/authorize",
		"/days/2026-11-22":                                "/days/{…}",
		"/a-word-that-is-longer-than-any-that-i-know-of-": "/{…}",
		"/": "/",
	} {
		if got := fold(path); got != want {
			t.Errorf("%s is folded to %s, want %s", path, got, want)
		}
	}
}

func TestEndpointsAreCountedOnTheRoutesOfTheDescription(t *testing.T) {
	t.Parallel()
	tally := tally{routes: map[string]bool{"rt_1": true}, endpoints: map[endpoint]*seen{}, complete: true}
	at := func(second int64) *timestamppb.Timestamp { return timestamppb.New(time.Unix(second, 0)) }
	for _, r := range []*adminv1.AnsweredRequest{
		{Route: "rt_1", Method: "GET", Path: "/orders/7", Time: at(9), Consumer: "con_1", Verdict: "allowed", ShadowVerdict: "endpoint_undocumented"},
		{Route: "rt_1", Method: "GET", Path: "/orders/8", Time: at(5), Consumer: "con_2", Verdict: "endpoint_undocumented"},
		{Route: "rt_1", Method: "GET", Path: "/orders/8", Time: at(7), Consumer: "con_2", Verdict: "endpoint_undocumented"},
		{Route: "rt_1", Method: "PUT", Path: "/orders/8", Time: at(6), Verdict: "endpoint_undocumented"},
		{Route: "rt_2", Method: "GET", Path: "/orders/8", Time: at(8), Verdict: "endpoint_undocumented"},
	} {
		tally.add(r)
	}
	answer := tally.answer()
	if len(answer.GetData()) != 2 || answer.GetRequests() != 4 || !answer.GetComplete() {
		t.Fatalf("got %v", answer)
	}
	first, second := answer.GetData()[0], answer.GetData()[1]
	if first.GetMethod() != "GET" || first.GetPath() != "/orders/{…}" || first.GetRequests() != 3 || first.GetRefused() != 2 || first.GetConsumers() != 2 ||
		first.GetFirstSeen().GetSeconds() != 5 || first.GetLastSeen().GetSeconds() != 9 {
		t.Errorf("the first is %v", first)
	}
	if second.GetMethod() != "PUT" || second.GetConsumers() != 0 {
		t.Errorf("the second is %v", second)
	}
}

func TestEndpointsAreBounded(t *testing.T) {
	t.Parallel()
	tally := tally{routes: map[string]bool{"rt_1": true}, endpoints: map[endpoint]*seen{}, complete: true}
	word := []byte("aaaa")
	for range maxFolded + 1 {
		tally.add(&adminv1.AnsweredRequest{Route: "rt_1", Path: "/" + string(word)})
		for i := range word {
			if word[i]++; word[i] <= 'z' {
				break
			}
			word[i] = 'a'
		}
	}
	if answer := tally.answer(); len(answer.GetData()) != maxEndpoints || answer.GetComplete() {
		t.Errorf("%d endpoints, complete %t", len(answer.GetData()), answer.GetComplete())
	}
}

func TestADescriptionMakesOneRouteForEachPath(t *testing.T) {
	t.Parallel()
	d, err := openapi.Compile([]byte(`
openapi: 3.1.0
info: {title: shop, version: "1"}
paths:
  /orders: {get: {}, post: {}}
  /orders/{order-id}: {get: {parameters: [{name: order-id, in: path, required: true}]}}
  /reports/{year}-{month}.pdf: {get: {parameters: [{name: year, in: path, required: true}, {name: month, in: path, required: true}]}}
  /reports/{name}: {put: {parameters: [{name: name, in: path, required: true}]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	answer := &adminv1.RoutesPlan{}
	var got []string
	names := map[string]bool{}
	for _, r := range routesWanted(d, "/v1", "shop", answer) {
		got = append(append(got, r.path), r.methods...)
		if names[r.name] || len(resource.CheckName(r.name)) > 0 {
			t.Errorf("%q is no name, or there twice", r.name)
		}
		names[r.name] = true
	}
	want := []string{"/v1/orders", "GET", "POST", "/v1/orders/{order_id}", "GET", "/v1/reports/{name}", "PUT", "GET"}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestANameIsOneWhateverThePath(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"/", "/a", "/A", "/{id}", "/" + string(make([]byte, 200)), "/ä/ö"} {
		if name := nameOf("a-rather-long-name-of-an-api-that-goes-on", template); len(resource.CheckName(name)) > 0 {
			t.Errorf("%q makes %q", template, name)
		}
	}
	if nameOf("a", "/A") == nameOf("a", "/a") {
		t.Error("two paths have one name")
	}
}
