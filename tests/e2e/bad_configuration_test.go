package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const jsonMedia = "application/json"

// Each body has several mistakes: the answer names all of them at once, with their places.
func TestBadConfigurationIsRefusedWithEveryFieldNamed(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	service := s.Service("service", "192.0.2.1:80")
	environment := s.Environment.Name
	create := map[string]func(body string) (sallyport.Answer, error){
		"services": func(body string) (sallyport.Answer, error) {
			return s.API.CreateServiceWithBodyWithResponse(t.Context(), environment, nil, jsonMedia, strings.NewReader(body))
		},
		"routes": func(body string) (sallyport.Answer, error) {
			return s.API.CreateRouteWithBodyWithResponse(t.Context(), environment, nil, jsonMedia, strings.NewReader(body))
		},
		"policies": func(body string) (sallyport.Answer, error) {
			return s.API.CreatePolicyWithBodyWithResponse(t.Context(), environment, nil, jsonMedia, strings.NewReader(body))
		},
		"api-keys": func(body string) (sallyport.Answer, error) {
			return s.API.CreateAPIKeyWithBodyWithResponse(t.Context(), environment, nil, jsonMedia, strings.NewReader(body))
		},
	}
	tests := map[string]struct {
		collection, body string
		want             map[string]string
	}{
		"unknown, doubled and mistyped fields": {
			collection: "services",
			body:       `{"name":"x","name":"y","colour":"red","upstream":{"targets":[{"address":7,"wait":1}],"timeouts":{"connect":2}}}`,
			want: map[string]string{
				"/name": "duplicate_field", "/colour": "unknown_field", "/upstream/targets/0/address": "wrong_type",
				"/upstream/targets/0/wait": "unknown_field", "/upstream/timeouts/connect": "wrong_type",
			},
		},
		"mistakes of every kind at once": {
			collection: "routes",
			body:       `{"name":"Bad Name","service":"nobody","paths":[{"exact":"/a/../b"}],"colour":1}`,
			want: map[string]string{
				"/name": "invalid_format", "/service": "unknown_reference", "/paths/0/exact": "invalid_format", "/colour": "unknown_field",
			},
		},
		"a service that could not be spoken to": {
			collection: "services",
			body:       `{"name":"NOT A NAME","upstream":{"targets":[{"address":"no-port"},{"address":"192.0.2.1:80","weight":5000}],"timeouts":{"connect":"90s"}}}`,
			want: map[string]string{
				"/name": "invalid_format", "/upstream/targets/0/address": "invalid_format",
				"/upstream/targets/1/weight": "out_of_range", "/upstream/timeouts/connect": "out_of_range",
			},
		},
		"a route that could not match": {
			collection: "routes",
			body: `{"name":"` + s.Name("bad") + `","service":"` + service.Name + `","public":true,` +
				`"hosts":["Upper.test","a..test"],"paths":[{"prefix":"/a/../b"},{"template":"/x/{id}/{id}"},{}],"methods":["get"]}`,
			want: map[string]string{
				"/hosts/0": "invalid_format", "/hosts/1": "invalid_format", "/paths/0/prefix": "invalid_format",
				"/paths/2": "required", "/methods/0": "invalid_format",
			},
		},
		"a route to nowhere": {
			collection: "routes",
			body:       `{"name":"` + s.Name("nowhere") + `","service":"nobody-made-it","public":true,"paths":[{"prefix":"/"}]}`,
			want:       map[string]string{"/service": "unknown_reference"},
		},
		"a limit that limits nothing": {
			collection: "policies",
			body: `{"name":"` + s.Name("limit") + `","kind":"rate-limit","config":{"by":[{"header":"no spaces"},{}],"scope":"galaxy",` +
				`"windows":[{"requests":0,"window":"1s"},{"requests":5,"window":"1ms"}],"max_callers":1}}`,
			want: map[string]string{
				"/config/by/0/header": "invalid_format", "/config/by/1": "required", "/config/windows/0/requests": "out_of_range",
				"/config/windows/1/window": "out_of_range", "/config/max_callers": "out_of_range", "/config/scope": "invalid_value",
			},
		},
		"a policy of no kind": {
			collection: "policies",
			body:       `{"name":"` + s.Name("kind") + `","kind":"made-up","config":{}}`,
			want:       map[string]string{"/kind": "unknown_kind"},
		},
		"unknown fields deep inside": {
			collection: "policies",
			body:       `{"name":"` + s.Name("deep") + `","kind":"api-key","config":{"locations":[{"header":"X-Key","cookies":"x"}],"enabled":false}}`,
			want:       map[string]string{"/config/locations/0/cookies": "unknown_field", "/config/enabled": "unknown_field"},
		},
		"a key of nobody": {
			collection: "api-keys",
			body:       `{"consumer":"nobody-made-it","scopes":["two words"],"addresses":["everywhere"],"key":"mine"}`,
			want:       map[string]string{"/scopes/0": "invalid_format", "/addresses/0": "invalid_format"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer, err := create[tt.collection](tt.body)
			names(t, refused(t, "invalid_request", answer, err), tt.want)
		})
	}
}

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	for _, body := range []string{``, `{`, `{"name":"x"} {}`, `[]`, `nil`, "{\"name\":\"\xff\"}"} {
		answer, err := s.API.CreateServiceWithBodyWithResponse(t.Context(), s.Environment.Name, nil, jsonMedia, strings.NewReader(body))
		if err != nil || answer.StatusCode() != http.StatusBadRequest || answer.ApplicationProblemJSONDefault == nil {
			t.Errorf("%q was answered %d %s, %v", body, answer.StatusCode(), answer.Body, err)
		}
	}
}

// Two routes that could both be meant are refused: nobody could say which one decides.
func TestTwoRoutesThatTieAreRefused(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	service := s.Service("service", "192.0.2.1:80")
	route := sallyport.Route{Name: s.Name("one"), Service: service.Name, Paths: harness.Below("/same"), Public: true}
	s.Route(route)
	route.Name, route.Hosts = s.Name("two"), []string{s.Host}

	answer, err := s.API.CreateRouteWithResponse(t.Context(), s.Environment.Name, nil, route)

	hasCode(t, refused(t, "invalid_request", answer, err), "duplicate_match")
}

func TestAnObjectThatOthersReferToIsKept(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)

	answer, err := s.API.DeleteServiceWithResponse(t.Context(), s.Environment.Name, p.Service.ID, nil)
	problem := refused(t, "referenced", answer, err)

	found := map[string]string{}
	for _, referrer := range problem.Referrers {
		found[referrer.ID] = referrer.Pointer
	}
	if found[p.Route.ID] != "/service" || found[p.Policy.ID] != "/attached_to/0/service" || len(found) != 2 {
		t.Errorf("the referrers are %+v, want the route %s and the policy %s", problem.Referrers, p.Route.ID, p.Policy.ID)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}

func TestNobodyIsLetInWithoutAnAccessToken(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	for name, token := range map[string]string{"a made-up token": "spat_madeup", "an API key": s.Key(sallyport.APIKey{Consumer: s.Consumer("c").Name}).Key} {
		stranger, err := sallyport.New(product.URL(), token)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := stranger.ListServicesWithResponse(t.Context(), s.Environment.Name, nil)
		problem := refused(t, "unauthenticated", answer, err)
		if problem.Status != http.StatusUnauthorized || answer.HTTPResponse.Header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: %v, %v", name, problem, answer.HTTPResponse.Header)
		}
	}
}
