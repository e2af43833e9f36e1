package habits

import (
	"fmt"
	"slices"
	"strings"
)

// rule limits what the packages it names may import.
//
// A pattern is a path from the root: "proto" is that package and all below it, "proto!" that package alone. Patterns
// of foreign packages are import paths and work alike.
type rule struct {
	of     []string // the packages it binds
	except []string // of those, not these
	ours   []string // all that they may import of ours; nil: no limit
	never  []string // what they don't import, of ours or of others
	tests  bool     // binds test files too
	reason string
}

// What a plane may reach. Test files are bound too, save that they may start a database.
var planes = []rule{
	{of: []string{"proto"}, ours: []string{"proto"}, tests: true, reason: "the contract imports nothing of ours"},
	{of: []string{"migrations"}, ours: []string{"migrations"}, reason: "migrations import nothing of ours"},
	{of: []string{"web"}, ours: []string{"web"}, tests: true, reason: "the web pages import nothing of ours"},
	{of: []string{"sdk"}, ours: []string{"sdk"}, tests: true, reason: "outsiders import the SDK, and get nothing of the product with it"},
	{of: []string{"dataplane"}, ours: []string{"dataplane", "proto"}, tests: true, reason: "the edge knows the contract, not the control plane"},
	{
		of: []string{"controlplane"}, ours: []string{"controlplane", "proto", "migrations", "web"},
		reason: "the control plane knows the contract, not the edge",
	},
	{
		of: []string{"controlplane", "migrations"}, ours: []string{"controlplane", "proto", "migrations", "web", "deploy/local/postgres"}, tests: true,
		reason: "tests of the control plane may start a database, and reach no further than the control plane does",
	},
	{
		of: []string{"tests"}, ours: []string{"tests", "proto", "sdk", "deploy/local"}, tests: true,
		reason: "black-box tests start the local stack's binaries and speak to them from outside",
	},
	{of: []string{"deploy"}, ours: []string{"deploy", "proto"}, tests: true, reason: "what deploys starts binaries, it doesn't link them"},
	{of: []string{"internal/habits"}, ours: []string{"internal/habits!"}, tests: true, reason: "habits look at sources only"},
}

const (
	pgx  = "github.com/jackc/pgx/v5"
	echo = "github.com/labstack/echo/v4"
	grpc = "google.golang.org/grpc"
)

var (
	faces  = []string{"controlplane/internal/api", "controlplane/internal/edgeapi", "controlplane/internal/console"}
	ground = []string{"controlplane/internal/postgres", "controlplane/internal/bus", "controlplane/internal/outbound", "controlplane/internal/telemetry"}
)

// What a package inside a plane may reach: cmd → root → faces and ground → domains → proto.
// What lies in controlplane/internal and is neither face nor ground is a domain.
var layers = []rule{
	{
		of: []string{"proto"}, except: []string{"proto/gen"},
		never:  []string{"net/http", "database/sql", "log", "os", "net!", "syscall", pgx, echo, grpc, "github.com/nats-io"},
		reason: "the contract does no I/O and knows no SQL, HTTP or logging",
	},
	{
		of: []string{"controlplane/internal"}, except: slices.Concat(faces, ground), ours: []string{"controlplane/internal", "proto"},
		never:  slices.Concat(faces, ground, []string{pgx, echo, grpc, "database/sql", "github.com/nats-io/nats.go", "github.com/nats-io/nats-server"}),
		reason: "a domain decides; faces speak HTTP and gRPC, ground keeps and carries",
	},
	{
		of: slices.Concat(faces, ground), ours: []string{"controlplane/internal", "proto", "migrations", "web"},
		reason: "only cmd imports the root of the control plane",
	},
	{
		of: []string{"controlplane"}, except: []string{"controlplane/cmd"}, ours: []string{"controlplane!", "controlplane/internal", "proto", "migrations", "web"},
		reason: "nothing imports cmd",
	},
	{
		of: []string{"controlplane"}, except: []string{"controlplane/internal/postgres"},
		never: []string{pgx, "database/sql", "github.com/pressly/goose"}, reason: "all SQL is in controlplane/internal/postgres",
	},
	{of: []string{"controlplane"}, except: []string{"controlplane/internal/api"}, never: []string{echo}, reason: "echo is for the api face alone"},
	{
		of: []string{"dataplane/internal/policies"}, except: policyLists,
		ours: []string{
			"dataplane/internal/pipeline", "dataplane/internal/directory", "dataplane/internal/limiter", "dataplane/internal/policies",
			"dataplane/internal/claims", "dataplane/internal/token", "dataplane/internal/issuers", "dataplane/internal/backoff",
			"dataplane/internal/payload", "dataplane/internal/effort", "dataplane/internal/waf", "dataplane/internal/exclusions", "dataplane/internal/samples", "dataplane/internal/descriptions", "proto",
		},
		reason: "a policy knows the pipeline, its own contract, and what it decides by: the directory, limits, tokens and who issues them, bodies and engines",
	},
	{
		of: []string{
			"dataplane/internal/router", "dataplane/internal/pipeline", "dataplane/internal/policies",
			"dataplane/internal/proxy", "dataplane/internal/snapshot", "dataplane/internal/usage",
			"dataplane/internal/http1", "dataplane/internal/sweeper", "dataplane/internal/websocket", "dataplane/internal/upstream",
			"dataplane/internal/certificates", "dataplane/internal/proxyprotocol", "dataplane/internal/handover",
		},
		never:  []string{"net/http"},
		reason: "the wire is ours; net/http serves HTTP/2 in listener/http2.go, and the operator",
	},
	{of: []string{"dataplane"}, never: []string{pgx, echo, "database/sql"}, reason: "an edge has no database and no admin API"},
	{of: []string{"dataplane/internal"}, ours: []string{"dataplane/internal", "proto"}, reason: "nothing imports the root of the edge but its cmd"},
}

// policyLists are where all kinds are listed: the only packages that import them all.
var policyLists = []string{"dataplane/internal/policies!", "dataplane/internal/policies/kinds"}

// brokenImports returns every import that a rule forbids.
func brokenImports(packages []pkg, rules []rule) []finding {
	var broken []finding
	for _, p := range packages {
		for _, file := range p.files {
			for _, imported := range file.imports() {
				for _, reason := range refusals(p.path, imported, file.test, rules) {
					broken = append(broken, finding{file.name, fmt.Sprintf("imports %s: %s", imported, reason)})
				}
			}
		}
	}
	return broken
}

// refusals are the reasons why a package (its path from the root) may not import another.
func refusals(importer, imported string, test bool, rules []rule) []string {
	var reasons []string
	for _, rule := range rules {
		if rule.binds(importer, test) && !rule.allows(imported) {
			reasons = append(reasons, rule.reason)
		}
	}
	// A test may need another kind on the route: a limit by key wants somebody who finds the key.
	if reason := foreignPolicy(importer, imported); reason != "" && !test {
		reasons = append(reasons, reason)
	}
	return reasons
}

func (r rule) binds(importer string, test bool) bool {
	return (r.tests || !test) && matches(importer, r.of) && !matches(importer, r.except)
}

func (r rule) allows(imported string) bool {
	if own, isOurs := ourPath(imported); isOurs {
		return (r.ours == nil || matches(own, r.ours)) && !matches(own, r.never)
	}
	return !matches(imported, r.never)
}

// foreignPolicy says why a policy may not import another kind's stage or contract; empty when it may.
func foreignPolicy(importer, imported string) string {
	const stages, contracts = "dataplane/internal/policies", "proto/policy"
	own, isOurs := ourPath(imported)
	kind := below(importer, stages)
	if !isOurs || kind == "" || matches(importer, policyLists) {
		return ""
	}
	for _, root := range []string{stages, contracts} {
		if other := below(own, root); other != "" && other != kind {
			return "policies never import each other, nor another kind's contract"
		}
	}
	if own == stages {
		return "a policy doesn't import the list that it is on"
	}
	return ""
}

// below is the name of the folder right under root that holds the path; empty when none does.
func below(path, root string) string {
	rest, ok := strings.CutPrefix(path, root+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

// ourPath turns the import path of a package of ours into its path from the root.
func ourPath(imported string) (string, bool) {
	if imported == modulePath {
		return "", true
	}
	return strings.CutPrefix(imported, modulePath+"/")
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if alone, ok := strings.CutSuffix(pattern, "!"); ok {
			return name == alone
		}
		return name == pattern || strings.HasPrefix(name, pattern+"/")
	})
}
