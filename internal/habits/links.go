package habits

// What a binary may not link, by any detour: import paths, with all below them.
var (
	edgeNeverLinks = []string{
		pgx, echo, "github.com/pressly/goose", "github.com/nats-io/nats-server",
		modulePath + "/controlplane", modulePath + "/migrations", modulePath + "/deploy", modulePath + "/web",
	}
	contractNeverLinks = []string{
		pgx, echo, "github.com/nats-io",
		modulePath + "/controlplane", modulePath + "/dataplane", modulePath + "/deploy", modulePath + "/migrations", modulePath + "/web",
	}
)

// brokenLinks finds what must not be among the packages that something links.
func brokenLinks(linked, never []string) []finding {
	var broken []finding
	for _, name := range linked {
		if matches(name, never) {
			broken = append(broken, finding{name, "is linked; find out through whom with: go list -deps -json, or go mod why"})
		}
	}
	return broken
}
