package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// shop is an API description: orders can be listed, made and read.
const shop = `
openapi: 3.0.3
info: {title: shop, version: "1"}
paths:
  /orders:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
      responses: {"200": {description: all, content: {application/json: {schema: {type: array}}}}}
    post:
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {"200": {description: made}}
  /orders/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: one}}
components:
  schemas:
    Order:
      type: object
      required: [items]
      properties:
        items:
          type: array
          items: {type: object, required: [price], properties: {price: {type: number, minimum: 0}, name: {type: string}}}
`

// describe makes an API description, and a policy that holds a route's requests against it.
func describe(t *testing.T, s *harness.Story, route string, config map[string]any) sallyport.APIDescription {
	t.Helper()
	made, err := s.API.CreateAPIDescriptionWithResponse(t.Context(), s.Environment.Name, nil, sallyport.APIDescription{Name: s.Name("shop"), Document: shop})
	s.Must(made, err)
	config["description"] = made.JSON201.ID
	s.Policy(sallyport.Policy{Name: s.Name("api"), Kind: "openapi", Config: config, AttachedTo: []sallyport.Attachment{{Route: route}}})
	return *made.JSON201
}

func TestARequestThatBreaksItsAPIDescriptionIsRefusedWithEachPlace(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	described := describe(t, s, p.Route.Name, map[string]any{"undocumented": "refuse", "allow_unknown_parameters": false, "answers": "note"})

	header := harness.WithKey(p.Key.Key)
	header.Set("Content-Type", "application/json")
	const secret = "4111-1111-1111-1111"
	for _, edge := range s.Edges() {
		post := func(body string) harness.Response {
			answer, err := edge.Do(t.Context(), harness.Request{Method: http.MethodPost, Path: "/orders", Host: s.Host, Header: header, Body: body})
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}
		if answer := post(`{"items":[{"price":12.5,"name":"pen"}]}`); answer.Status >= 400 {
			t.Errorf("a body that holds is answered %s", answer)
		}
		answer := post(`{"items":[{"price":1},{"price":-1,"name":7},{"name":"` + secret + `"},"` + secret + `"]}`)
		want := []string{"/items/1/name wrong_type", "/items/1/price out_of_range", "/items/2/price required", "/items/3 wrong_type"}
		if got := toldOf(t, answer); answer.Code() != "schema_broken" || !slices.Equal(got, want) {
			t.Errorf("a body that breaks its schema is answered %s at %q, want %q", answer, got, want)
		}
		if strings.Contains(string(answer.Body), secret) {
			t.Errorf("what was sent is told again: %s", answer.Body)
		}
		bad := s.Send(edge, http.MethodGet, "/orders?limit=1000&debug=1", harness.WithKey(p.Key.Key))
		if got := toldOf(t, bad); !slices.Equal(got, []string{"query.debug unknown_parameter", "query.limit out_of_range"}) {
			t.Errorf("a query that breaks it is answered %s", bad)
		}
		if answer := s.Send(edge, http.MethodGet, "/orders/seven", harness.WithKey(p.Key.Key)); answer.Code() != "schema_broken" {
			t.Errorf("a path that breaks it is answered %s", answer)
		}
		if answer := s.Send(edge, http.MethodGet, "/customers/7", harness.WithKey(p.Key.Key)); answer.Code() != "endpoint_undocumented" {
			t.Errorf("what isn't described is answered %s", answer)
		}
		if answer := s.Send(edge, http.MethodGet, "/orders/7", harness.WithKey(p.Key.Key)); answer.Status >= 400 {
			t.Errorf("what is described is answered %s", answer)
		}
	}

	broken, err := s.API.PatchAPIDescriptionWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, described.ID, nil,
		map[string]any{"document": "openapi: 3.0.3\ninfo: {}\npaths: {/a: {fetch: {}}}"})
	names(t, refused(t, "invalid_request", broken, err), map[string]string{"/document": "invalid_format"})
}

// toldOf are the places that a problem names, and what is wrong there.
func toldOf(t *testing.T, answer harness.Response) []string {
	t.Helper()
	var problem struct {
		Errors []struct{ Pointer, Code string }
	}
	if err := json.Unmarshal(answer.Body, &problem); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	var all []string
	for _, e := range problem.Errors {
		all = append(all, e.Pointer+" "+e.Code)
	}
	slices.Sort(all)
	return all
}

func TestWhatIsAskedForAndNotDescribedIsListed(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	described := describe(t, s, p.Route.Name, map[string]any{})
	for range 3 {
		for i, edge := range s.Edges() {
			s.Expect(edge, fmt.Sprintf("/customers/%d", 700+i), harness.WithKey(p.Key.Key), http.StatusOK, "")
		}
	}
	harness.Eventually(t, time.Minute, func() error {
		answer, err := s.API.GetUndocumentedEndpointsWithResponse(t.Context(), s.Environment.Name, described.Name, nil)
		s.Must(answer, err)
		if len(answer.JSON200.Data) == 0 {
			return errors.New("nothing is listed")
		}
		if found := answer.JSON200.Data[0]; found.Method != http.MethodGet || found.Path != "/customers/{…}" || found.Consumers != 1 || found.Refused != 0 || len(answer.JSON200.Data) != 1 {
			t.Fatalf("listed are %+v", answer.JSON200.Data)
		}
		return nil
	})
	list, err := s.API.ListAPIDescriptionsWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(list, err)
	if strings.Contains(string(list.Body), "openapi: 3.0.3") {
		t.Error("a list has whole documents")
	}
}

func TestAnAPIDescriptionMakesRoutesAsAPlanThatABatchTakes(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	described := describe(t, s, p.Route.Name, map[string]any{})
	ask := sallyport.PlanRoutesRequest{Service: p.Service.Name, Prefix: "/" + s.Name("api"), Naming: s.Name("r")}
	plan := func() sallyport.RoutesPlan {
		answer, err := s.API.PlanRoutesWithResponse(t.Context(), s.Environment.Name, described.Name, ask)
		s.Must(answer, err)
		return *answer.JSON200
	}

	first := plan()
	if len(first.Operations) != 2 || len(first.Plan.Changes) != 2 || !first.Plan.DryRun {
		t.Fatalf("planned are %+v", first)
	}
	s.Expect(s.Edges()[0], "/"+s.Name("api")+"/orders", harness.WithKey(p.Key.Key), http.StatusOK, "") // by the route that is there already
	applied, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, &sallyport.ApplyChangesParams{Wait: s.Wait()},
		sallyport.ChangesRequest{Operations: first.Operations})
	s.Must(applied, err)
	s.Applied(applied.HTTPResponse)
	if again := plan(); len(again.Operations) != 0 || len(again.Unchanged) != 2 {
		t.Errorf("once they are there, planned are %+v", again)
	}

	shorter := strings.Replace(shop, "  /orders/{id}:\n", "  x-was:\n", 1)
	patched, err := s.API.PatchAPIDescriptionWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, described.ID, nil,
		map[string]any{"document": shorter})
	s.Must(patched, err)
	if last := plan(); len(last.Operations) != 1 || last.Operations[0].Action != "delete" || len(last.Unchanged) != 1 {
		t.Errorf("once a path is gone, planned are %+v", last)
	}
}
