package sallyport_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

func TestNewRefusesWhatCannotBeABaseAddressOrToken(t *testing.T) {
	tests := map[string]struct{ base, token string }{
		"no scheme":       {"control.example.com", "spat_x"},
		"other scheme":    {"ftp://control.example.com", "spat_x"},
		"no host":         {"https://", "spat_x"},
		"unreadable":      {"http://[::1", "spat_x"},
		"no token":        {"https://control.example.com", ""},
		"token of a line": {"https://control.example.com", "spat_x\r\nX-Evil: 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := sallyport.New(tt.base, tt.token); err == nil {
				t.Fatal("it was taken")
			}
		})
	}
}

func TestCallsPresentTheTokenAndReadTheAnswer(t *testing.T) {
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Header.Get("Authorization") != "Bearer spat_x":
			t.Errorf("Authorization is %q", r.Header.Get("Authorization"))
		case r.Method != http.MethodPost, r.URL.Path != "/api/v1/environments/production/services":
			t.Errorf("%s %s was called", r.Method, r.URL.Path)
		case !json.Valid(body) || !strings.Contains(string(body), `"weight":0`):
			t.Errorf("the body is %s: a weight that is given as 0 must be sent", body)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Sallyport-Revision", "7")
		w.Header().Set("Location", "/api/v1/environments/production/services/svc_1")
		w.Header().Set("ETag", `"AAAAAAAAAAAAAAAAAAAAAA"`)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"svc_1","name":"orders","upstream":{"targets":[{"address":"a:1","weight":0}]}}`))
	})
	weight := 0
	answer, err := client.CreateServiceWithResponse(t.Context(), "production", nil, sallyport.Service{
		Name:     "orders",
		Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: "a:1", Weight: &weight}}},
	})
	if err := sallyport.Check(answer, err); err != nil {
		t.Fatal(err)
	}
	if answer.JSON201 == nil || answer.JSON201.ID != "svc_1" {
		t.Fatalf("the answer reads %+v", answer.JSON201)
	}
}

func TestAProblemIsAnErrorWithItsFields(t *testing.T) {
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"type":"https://github.com/sallyport/sallyport/blob/main/proto/problem/pages/invalid_request.md","title":"Invalid request","status":400,"code":"invalid_request",` +
			`"detail":"1 field is not valid","request_id":"req_1","errors":[{"pointer":"/name","code":"required","detail":"must be given"}]}`))
	})
	answer, err := client.CreateConsumerWithResponse(t.Context(), "production", nil, sallyport.Consumer{})
	err = sallyport.Check(answer, err)
	var problem *sallyport.Problem
	if !errors.As(err, &problem) || problem.Code != "invalid_request" || len(problem.Errors) != 1 {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"invalid_request", "/name", "required", "req_1"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q doesn't name %q", err, part)
		}
	}
}

func TestAnAnswerOfSomethingElseIsAnError(t *testing.T) {
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) })
	answer, err := client.ListNodesWithResponse(t.Context(), "production", nil)
	if err := sallyport.Check(answer, err); err == nil {
		t.Fatal("502 passed as success")
	}
}

func TestTheTokenIsNotSentOnByARedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	answer, err := client.ListEnvironmentsWithResponse(t.Context(), nil)
	if err := sallyport.Check(answer, err); err == nil {
		t.Fatal("a redirect passed as success")
	}
}

func clientOf(t *testing.T, answer http.HandlerFunc) *sallyport.ClientWithResponses {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client, err := sallyport.New(server.URL, "spat_x")
	if err != nil {
		t.Fatal(err)
	}
	return client
}
