package habits

import "testing"

// The rules themselves, on imports that we would write by mistake and on those that we mean to write.
func TestImportRules(t *testing.T) {
	const ours = modulePath + "/"
	rules := append(append([]rule{}, planes...), layers...)
	for _, test := range []struct {
		importer, imported string
		test               bool
		allowed            bool
	}{
		// the contract
		{importer: "proto/resource", imported: ours + "proto/problem", allowed: true},
		{importer: "proto/resource", imported: ours + "controlplane/internal/catalog"},
		{importer: "proto/resource", imported: ours + "controlplane/internal/catalog", test: true},
		{importer: "proto/apikey", imported: "net/http"},
		{importer: "proto/apikey", imported: "net/http", test: true, allowed: true},
		{importer: "proto/apikey", imported: "net/netip", allowed: true},
		{importer: "proto/apikey", imported: "net"},
		{importer: "proto/apikey", imported: "log/slog"},
		{importer: "proto/apikey", imported: "os/exec"},
		{importer: "proto/apikey", imported: pgx + "/pgxpool"},
		{importer: "proto/apikey", imported: "google.golang.org/protobuf/proto", allowed: true},
		{importer: "proto/gen/go/sallyport/edge/v1", imported: grpc, allowed: true},

		// modules and planes
		{importer: "migrations", imported: "embed", allowed: true},
		{importer: "migrations", imported: ours + "proto/resource"},
		{importer: "migrations", imported: ours + "deploy/local/postgres/postgrestest", test: true, allowed: true},
		{importer: "web", imported: ours + "proto/resource"},
		{importer: "sdk/sallyport", imported: ours + "sdk/sallyport/internal/retry", allowed: true},
		{importer: "sdk/sallyport", imported: ours + "proto/problem"},
		{importer: "tests/e2e", imported: ours + "tests/harness", test: true, allowed: true},
		{importer: "tests/e2e", imported: ours + "sdk/sallyport", test: true, allowed: true},
		{importer: "tests/harness", imported: ours + "deploy/local/postgres", allowed: true},
		{importer: "tests/harness", imported: ours + "deploy/local/stack", allowed: true},
		{importer: "tests/harness", imported: ours + "controlplane"},
		{importer: "tests/e2e", imported: ours + "dataplane", test: true},
		{importer: "deploy/local", imported: ours + "deploy/local/postgres", allowed: true},
		{importer: "deploy/local", imported: ours + "controlplane"},
		{importer: "internal/habits", imported: ours + "proto/resource", test: true},

		// the control plane
		{importer: "controlplane/cmd/sallyport-control", imported: ours + "controlplane", allowed: true},
		{importer: "controlplane", imported: ours + "controlplane/internal/api", allowed: true},
		{importer: "controlplane", imported: ours + "dataplane"},
		{importer: "controlplane", imported: ours + "dataplane", test: true},
		{importer: "controlplane", imported: pgx},
		{importer: "controlplane", imported: ours + "deploy/local/postgres"},
		{importer: "controlplane", imported: ours + "deploy/local/postgres/postgrestest", test: true, allowed: true},
		{importer: "controlplane/internal/api", imported: ours + "controlplane/internal/catalog", allowed: true},
		{importer: "controlplane/internal/api", imported: echo, allowed: true},
		{importer: "controlplane/internal/api/specgen", imported: echo, allowed: true},
		{importer: "controlplane/internal/api", imported: pgx},
		{importer: "controlplane/internal/api", imported: ours + "controlplane"},
		{importer: "controlplane/internal/edgeapi", imported: grpc, allowed: true},
		{importer: "controlplane/internal/edgeapi", imported: echo},
		{importer: "controlplane/internal/postgres", imported: pgx + "/pgxpool", allowed: true},
		{importer: "controlplane/internal/postgres", imported: ours + "controlplane/internal/catalog", allowed: true},
		{importer: "controlplane/internal/postgres", imported: ours + "migrations", allowed: true},
		{importer: "controlplane/internal/bus", imported: "github.com/nats-io/nats-server/v2/server", allowed: true},
		{importer: "controlplane/internal/catalog", imported: ours + "proto/resource", allowed: true},
		{importer: "controlplane/internal/publish", imported: ours + "controlplane/internal/catalog", allowed: true},
		{importer: "controlplane/internal/catalog", imported: ours + "controlplane/internal/postgres"},
		{importer: "controlplane/internal/catalog", imported: ours + "controlplane/internal/postgres", test: true, allowed: true},
		{importer: "controlplane/internal/catalog", imported: ours + "controlplane/internal/api"},
		{importer: "controlplane/internal/catalog", imported: ours + "migrations"},
		{importer: "controlplane/internal/catalog", imported: pgx},
		{importer: "controlplane/internal/catalog", imported: pgx, test: true, allowed: true},
		{importer: "controlplane/internal/fleet", imported: "github.com/nats-io/jwt/v2", allowed: true},
		{importer: "controlplane/internal/usage", imported: "github.com/nats-io/nats.go/jetstream"},
		{importer: "controlplane/internal/fleet", imported: grpc + "/credentials"},
		{importer: "controlplane/internal/fleet", imported: echo},
		{importer: "controlplane/internal/somethingnew", imported: "database/sql"},

		// the edge
		{importer: "dataplane/cmd/sallyport-edge", imported: ours + "dataplane", allowed: true},
		{importer: "dataplane", imported: ours + "dataplane/internal/listener", allowed: true},
		{importer: "dataplane/internal/listener", imported: ours + "dataplane"},
		{importer: "dataplane/internal/listener", imported: "net/http", allowed: true},
		{importer: "dataplane/internal/router", imported: "net/http"},
		{importer: "dataplane/internal/proxy", imported: "net/http"},
		{importer: "dataplane/internal/proxy", imported: "net/http/httptest", test: true, allowed: true},
		{importer: "dataplane/internal/directory", imported: ours + "proto/digest", allowed: true},
		{importer: "dataplane/internal/directory", imported: ours + "controlplane/internal/directory"},
		{importer: "dataplane/internal/directory", imported: ours + "migrations", test: true},
		{importer: "dataplane/internal/usage", imported: "github.com/nats-io/nats.go", allowed: true},
		{importer: "dataplane/internal/usage", imported: pgx},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "dataplane/internal/pipeline", allowed: true},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "proto/policy/apikey", allowed: true},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "proto/policy", allowed: true},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "proto/policy/ratelimit"},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "dataplane/internal/policies/ratelimit"},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "dataplane/internal/policies"},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "dataplane/internal/proxy"},
		{importer: "dataplane/internal/policies/apikey", imported: ours + "dataplane/internal/snapshot"},
		{importer: "dataplane/internal/policies/apikey", imported: "net/http"},
		{importer: "dataplane/internal/policies", imported: ours + "dataplane/internal/policies/apikey", allowed: true},
		{importer: "dataplane/internal/policies", imported: ours + "proto/policy/kinds", allowed: true},
	} {
		refused := refusals(test.importer, test.imported, test.test, rules)
		if (len(refused) == 0) != test.allowed {
			t.Errorf("%s importing %s (in a test: %t): refused for %q; want it allowed: %t", test.importer, test.imported, test.test, refused, test.allowed)
		}
	}
}

func TestBrokenImportNamesFileAndReason(t *testing.T) {
	packages := fixture(t, "proto/apikey/key.go", "// Package apikey.\npackage apikey\nimport \"log/slog\"\nvar _ = slog.Level(0)\n")
	broken := brokenImports(packages, layers)
	if len(broken) != 1 || broken[0].where != "proto/apikey/key.go" {
		t.Errorf("findings %v, want one on proto/apikey/key.go", broken)
	}
}

func TestPatternsMatchWholeFolders(t *testing.T) {
	for _, test := range []struct {
		name, pattern string
		want          bool
	}{
		{"net", "net", true},
		{"net/http", "net", true},
		{"net/http", "net!", false},
		{"net", "net!", true},
		{"network", "net", false},
		{"proto/resource", "proto", true},
		{"prototype", "proto", false},
	} {
		if got := matches(test.name, []string{test.pattern}); got != test.want {
			t.Errorf("matches(%s, %s) = %t, want %t", test.name, test.pattern, got, test.want)
		}
	}
}

func TestForbiddenLinkIsFound(t *testing.T) {
	linked := []string{"net/http", pgx + "/pgconn", modulePath + "/proto/digest", modulePath + "/controlplane/internal/fleet"}
	if broken := brokenLinks(linked, edgeNeverLinks); len(broken) != 2 {
		t.Errorf("findings %v, want pgconn and fleet", broken)
	}
}
