package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

func TestEachCommandIsOneRequest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(file, []byte(`{"name":"orders"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ args, want string }{
		"get a list":        {"get services", "GET /api/v1/environments/production/services  "},
		"get a page":        {"-limit 500 -cursor a_b get services", "GET /api/v1/environments/production/services?cursor=a_b&limit=500  "},
		"get one":           {"get services orders", "GET /api/v1/environments/production/services/orders  "},
		"get globally":      {"get environments production", "GET /api/v1/environments/production  "},
		"create":            {"create services FILE", `POST /api/v1/environments/production/services application/json {"name":"orders"}`},
		"create from stdin": {"create services -", `POST /api/v1/environments/production/services application/json {"from":"stdin"}`},
		"put":               {"put services orders FILE", `PUT /api/v1/environments/production/services/orders application/json {"name":"orders"}`},
		"patch":             {"patch services orders FILE", `PATCH /api/v1/environments/production/services/orders application/merge-patch+json {"name":"orders"}`},
		"put settings":      {"put settings FILE", `PUT /api/v1/environments/production/settings application/json {"name":"orders"}`},
		"patch settings":    {"patch settings FILE", `PATCH /api/v1/environments/production/settings application/merge-patch+json {"name":"orders"}`},
		"delete":            {"delete services orders", "DELETE /api/v1/environments/production/services/orders  "},
		"apply dry":         {"-dry-run apply FILE", `POST /api/v1/environments/production/changes?dry_run=true application/json {"name":"orders"}`},
		"apply and wait":    {"-wait 10s apply FILE", `POST /api/v1/environments/production/changes?wait=10s application/json {"name":"orders"}`},
		"rollback":          {"rollback 7", "POST /api/v1/environments/production/revisions/7/rollback  "},
		"who holds it":      {"status sequences 7", "GET /api/v1/environments/production/sequences/7/status  "},
		"proof":             {"revocation api-keys web", "GET /api/v1/environments/production/api-keys/web/revocation  "},
		"elsewhere":         {"-environment staging get nodes", "GET /api/v1/environments/staging/nodes  "},
		"a slash in a key":  {"get services a/b", "GET /api/v1/environments/production/services/a%2Fb  "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = r.Method + " " + r.RequestURI + " " + r.Header.Get("Content-Type") + " " + string(body)
				if r.Header.Get("Authorization") != "Bearer spat_x" {
					t.Errorf("Authorization is %q", r.Header.Get("Authorization"))
				}
				_, _ = w.Write([]byte(`{"ok":true}`))
			}))
			defer server.Close()
			var out bytes.Buffer
			args := strings.Fields(strings.ReplaceAll(tt.args, "FILE", file))
			if err := run(t.Context(), args, envOf(server.URL), strings.NewReader(`{"from":"stdin"}`), &out, io.Discard); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("it sent %q, want %q", got, tt.want)
			}
			if out.String() != "{\n  \"ok\": true\n}\n" {
				t.Errorf("it printed %q", out.String())
			}
		})
	}
}

func TestAWriteThatWaitedTellsHowManyNodesHaveIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Sallyport-Applied", "1/2")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	var out, notes bytes.Buffer
	if err := run(t.Context(), []string{"-wait", "1s", "delete", "api-keys", "x"}, envOf(server.URL), nil, &out, &notes); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 || notes.String() != "applied by 1/2 nodes\n" {
		t.Errorf("printed %q, noted %q", out.String(), notes.String())
	}
}

func TestAProblemIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"code":"not_found","status":404,"detail":"there is no such object"}`))
	}))
	defer server.Close()
	var out bytes.Buffer
	err := run(t.Context(), []string{"get", "services", "x"}, envOf(server.URL), nil, &out, io.Discard)
	var problem *sallyport.Problem
	if !errors.As(err, &problem) || problem.Code != "not_found" || out.Len() > 0 {
		t.Fatalf("%v, printed %q", err, out.String())
	}
}

func TestWrongUsageIsRefusedBeforeAnythingIsSent(t *testing.T) {
	env := envOf("http://127.0.0.1:1")
	none := func(string) string { return "" }
	for name, tt := range map[string]struct {
		args string
		env  func(string) string
	}{
		"no such command": {"destroy everything", env},
		"too few":         {"put services orders", env},
		"settings by key": {"put settings settings -", env},
		"too many":        {"delete services a b", env},
		"get nothing":     {"get", env},
		"dots":            {"get services ..", env},
		"a flag too late": {"apply -dry-run", env},
		"no such flag":    {"-force delete services a", env},
		"no environment":  {"get services", none},
		"no address":      {"get environments", none},
	} {
		t.Run(name, func(t *testing.T) {
			var wrong usageError
			if err := run(t.Context(), strings.Fields(tt.args), tt.env, nil, io.Discard, io.Discard); !errors.As(err, &wrong) {
				t.Fatalf("the error is %v", err)
			}
		})
	}
}

func TestHelpIsPrinted(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"-h"}, {"--help"}, {"get", "-h"}, {"apply", "--help"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, func(string) string { return "" }, nil, &out, io.Discard); err != nil || out.String() != usage {
			t.Errorf("%v: %v, printed %q", args, err, out.String())
		}
	}
}

func envOf(base string) func(string) string {
	return func(name string) string {
		return map[string]string{"SALLYPORT_URL": base, "SALLYPORT_TOKEN": "spat_x", "SALLYPORT_ENVIRONMENT": "production"}[name]
	}
}
