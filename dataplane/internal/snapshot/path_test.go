package snapshot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
)

// reading is an edge whose paths are read by some settings, with a public route for all and one below /admin.
func reading(t *testing.T, rules string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, policies.All()...)
	e.Configure(t, `{"settings": [{"name": "settings", "path": {`+rules+`}}], "services": [`+orders+`], "routes": [`+strings.Join([]string{
		route("rest", `"paths": [{"prefix": "/"}]`), route("admin", `"paths": [{"prefix": "/admin"}]`),
		route("file", `"paths": [{"template": "/files/{name}"}]`), route("old", `"paths": [{"template": "/old/{name}"}], "rewrite_path": "/new/{name}/x"`),
	}, ",")+`]}`)
	return e
}

func TestPathsAreRefusedOrReadInOneWayAsTheSettingsSay(t *testing.T) {
	const normalise = `"normalise"`
	for _, tt := range []struct{ rules, target, route, path string }{
		{``, "/a/../admin", "", ""},
		{``, "//admin", "", ""},
		{``, "/a%2fb", "", ""},
		{`"dot_segments": "refuse"`, "/a/../admin", "", ""},
		{`"dot_segments": ` + normalise, "/a/%2e%2e/admin/./x", "admin", "/admin/x"},
		{`"dot_segments": ` + normalise, "/../admin", "", ""},
		{`"dot_segments": ` + normalise, "//admin", "", ""},
		{`"empty_segments": ` + normalise, "//admin//x", "admin", "/admin/x"},
		{`"backslashes": ` + normalise, `/admin\x`, "admin", "/admin/x"},
		{`"parameters": ` + normalise, "/admin;x=1/y", "admin", "/admin/y"},
		{`"parameters": ` + normalise, "/x/..;/admin", "", ""},
		{`"encoded_slashes": ` + normalise, "/a%2fb", "rest", "/a%2Fb"},
		{`"encoded_slashes": ` + normalise, "/admin/a%2Fb", "admin", "/admin/a%2Fb"},
		{`"encoded_slashes": ` + normalise, "/admin%2Fx", "", ""},   // to us below /, to who decodes it below /admin
		{`"encoded_slashes": ` + normalise, "/files/a%2Fb", "", ""}, // to us a file, to others none
		{`"encoded_slashes": ` + normalise, "/x%2F..%2Fadmin", "", ""},
		{`"encoded_slashes": ` + normalise, "/admin/a%5cb", "admin", "/admin/a%5Cb"},
	} {
		ex := reading(t, tt.rules).Do(edgetest.Get(tt.target))
		switch {
		case tt.route == "" && (ex.Verdict != problem.PathRefused || ex.Response.Status != 400 || ex.Route != nil || !strings.Contains(ex.Rejection.Detail, "two ways")):
			t.Errorf("%s: %s: %s, %v", tt.rules, tt.target, ex.Verdict, ex.Rejection)
		case tt.route != "" && (ex.Route == nil || ex.Route.Name != tt.route || ex.Request.Path != tt.path || ex.Request.ForwardPath != tt.path):
			t.Errorf("%s: %s: %s, %v, %q, forwarded as %q", tt.rules, tt.target, ex.Verdict, ex.Route, ex.Request.Path, ex.Request.ForwardPath)
		}
	}
}

func TestSettingsOfConnectionsAreCompiledAndOthersHaveTheirDefaults(t *testing.T) {
	without := snapshot.ClientConnections{
		Head: 10 * time.Second, Idle: 75 * time.Second, BodyStall: time.Minute, BodyRate: 100, WriteStall: time.Minute,
		Max: 100_000, HeadBytes: 64 << 10, StartLineBytes: 16 << 10, Fields: 200,
	}
	some := without
	some.Idle, some.BodyRate, some.Max, some.MaxPerAddress, some.Fields = 2*time.Second, 0, 0, 7, 16
	for configuration, want := range map[string]snapshot.ClientConnections{
		`{}`:                                   without,
		`{"settings": [{"name": "settings"}]}`: without,
		`{"settings": [{"name": "settings", "connections": {"idle_timeout": "2s", "body_rate": 0, "max_connections": 0, "max_connections_per_address": 7, "fields": 16}}]}`: some,
	} {
		e := edgetest.New(t, policies.All()...)
		e.Configure(t, configuration)
		if got := e.Holder.Load().Settings; got.Connections != want || got.Path != (path.Form{}) {
			t.Errorf("%s: %+v", configuration, got)
		}
	}
}
