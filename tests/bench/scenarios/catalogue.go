package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/tests/bench/gateway"
	"github.com/sallyport/sallyport/tests/bench/load"
	"github.com/sallyport/sallyport/tests/bench/origin"
	"github.com/sallyport/sallyport/tests/bench/peers"
	"github.com/sallyport/sallyport/tests/bench/report"
)

// method is how a scenario is measured.
type method int

const (
	looping method = iota // a closed loop, and an open one for latencies
	pacing                // an open loop at one rate for all
	idle                  // connections that do nothing
)

// scenario is a situation that gateways are compared in.
type scenario struct {
	// name selects it on the command line.
	name         string
	title, about string
	unit         string
	site         peers.Site
	method       method
	lines        int
	latencies    bool
	// times are its own; nil: those of all.
	times *times
	// rounds are enough, however many are asked for; 0: none are. Memory isn't what changes from one moment to the next.
	rounds int
	// fresh starts the contestants anew for each round.
	fresh bool
	// protocol makes what clients do of where they go.
	protocol func(load.Target) load.Protocol
	// base is whom the others are compared with.
	base        string
	contestants []contestant
	// prepare is called before the contestants start.
	prepare func(context.Context) error
	// finish adds to what was found.
	finish  func(context.Context, *report.Scenario) error
	expects []expectation
}

// contestant is a gateway as one scenario starts it.
type contestant struct {
	name      string
	gateway   peers.Gateway
	setup     peers.Setup
	alongside func(context.Context) error // goes on while it is measured at a pace
	// site and protocol are its own where it isn't asked as the others are; zero: it is.
	site     peers.Site
	protocol func(load.Target) load.Protocol
}

// expectation is of one contestant of a scenario.
type expectation struct {
	what, expected string
	of             string
	measured       func(report.Row) string
}

const (
	plainLines     = 64
	handshakeLines = 16
	nginx          = "nginx"
	revisedEvery   = 100 * time.Millisecond
	idleRounds     = 3
)

func toBase(r report.Row) string { return report.Ratio(r.Ratio) }

func tail(r report.Row) string { return report.Ratio(r.TailRatio) }

// catalogue lists all scenarios.
func (b *bench) catalogue() []*scenario {
	if b.cfg.Inspection {
		return b.inspectionScenarios()
	}
	all := []*scenario{
		b.plain("plain", "Plain GET", "A GET of some 120 bytes, answered with 64.", peers.Setup{}, "≤ 1.0× nginx", "≤ 1.2× nginx"),
		b.keyed(), b.tenKilobytes(), b.secure(), b.handshakes(),
		b.plain("logged", "Plain GET, access log on", "As plain, each request written to a file.", peers.Setup{AccessLog: true}, "reported", ""),
		b.webSocket(), b.revisions(), b.processors(), b.idleConnections(), b.manyRoutes(),
	}
	for _, s := range all {
		if s.unit == "" {
			s.unit = "request"
		}
		if s.base == "" {
			s.base = nginx
		}
		if s.lines == 0 {
			s.lines = plainLines
		}
	}
	return all
}

// everybody lets all gateways take part, on one processor.
func (b *bench) everybody(setup peers.Setup) (all []contestant) {
	setup.Processors, setup.Threads = b.layout.gateway, 1
	for _, g := range b.gateways {
		all = append(all, contestant{name: g.Name(), gateway: g, setup: setup})
	}
	return all
}

// ours is Sallyport alone.
func (b *bench) ours(name string, setup peers.Setup) contestant {
	return contestant{name: name, gateway: b.gateways[0], setup: setup}
}

// get is a plain request to a site, with further fields (each with its line's end).
func get(site peers.Site, path, fields string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nAccept: application/json\r\n%s\r\n", path, peers.Host(site), fields)
}

const onePath = "/orders/4711?expand=lines"

// asking makes clients that send these requests.
func asking(answer int, requests ...[]byte) func(load.Target) load.Protocol {
	return func(t load.Target) load.Protocol { return &load.HTTP{Target: t, Requests: requests, Answer: answer} }
}

func (b *bench) plain(name, title, about string, setup peers.Setup, expected, tailExpected string) *scenario {
	s := &scenario{
		name: name, title: title, about: about, site: peers.Plain, contestants: b.everybody(setup),
		protocol: asking(origin.ShortAnswer, get(peers.Plain, onePath, "")), latencies: tailExpected != "",
		expects: []expectation{{title + ", CPU per request", expected, gateway.Name, toBase}},
	}
	if s.latencies {
		s.expects = append(s.expects, expectation{title + ", p99 at 70 % load", tailExpected, gateway.Name, tail})
	}
	return s
}

// withKeys are requests with all of the keys, one each.
func (b *bench) withKeys() (requests [][]byte) {
	for _, key := range b.fixture.Keys {
		requests = append(requests, get(peers.Keyed, onePath, "X-Api-Key: "+key+"\r\n"))
	}
	return requests
}

func (b *bench) keyed() *scenario {
	return &scenario{
		name: "keyed", title: "API key and rate limit", site: peers.Keyed, contestants: b.everybody(peers.Setup{}), latencies: true,
		about: fmt.Sprintf("As plain, with one of %d API keys, drawn anew each time, a limit on each of them that is never reached, and, in Sallyport, usage counted per consumer. "+
			"nginx does it with map and limit_req, HAProxy with a map and a stick table.", len(b.fixture.Keys)),
		protocol: asking(origin.ShortAnswer, b.withKeys()...),
		expects: []expectation{
			{"API key, limit and usage, CPU per request", "≤ 1.05× nginx with limit_req", gateway.Name, toBase},
			{"API key, limit and usage, p99 at 70 % load", "≤ 1.2× nginx", gateway.Name, tail},
		},
	}
}

// longRequest is a POST of 10 KB, which is answered with as much.
func longRequest() []byte {
	head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		onePath, peers.Host(peers.Plain), origin.LongAnswer)
	return append(head, bytes.Repeat([]byte("i"), origin.LongAnswer)...)
}

func (b *bench) tenKilobytes() *scenario {
	return &scenario{
		name: "10k", title: "POST of 10 KB, answered with 10 KB", site: peers.Plain, contestants: b.everybody(peers.Setup{}),
		protocol: asking(origin.LongAnswer, longRequest()),
		expects:  []expectation{{"10 KB each way, CPU per request", "≤ 1.0× nginx", gateway.Name, toBase}},
	}
}

func (b *bench) secure() *scenario {
	return &scenario{
		name: "tls", title: "TLS GET, kept alive", site: peers.Secure, contestants: b.everybody(peers.Setup{}), latencies: true,
		about:    "As plain, over TLS 1.3 with AES-128-GCM.",
		protocol: asking(origin.ShortAnswer, get(peers.Secure, onePath, "")),
		expects: []expectation{
			{"TLS GET, CPU per request", "≤ 1.0× nginx", gateway.Name, toBase},
			{"TLS GET, p99 at 70 % load", "≤ 1.2× nginx", gateway.Name, tail},
		},
	}
}

func (b *bench) handshakes() *scenario {
	return &scenario{
		name: "handshakes", title: "TLS handshakes", unit: "handshake", site: peers.Secure, contestants: b.everybody(peers.Setup{}), lines: handshakeLines,
		about: "A new connection, a whole handshake (X25519, ECDSA on P-256, no ticket), one GET, and closed. What clients spend on it is more than the gateway does: see how busy that is.",
		protocol: func(t load.Target) load.Protocol {
			return &load.Handshakes{Target: t, Request: get(peers.Secure, onePath, "Connection: close\r\n"), Answer: origin.ShortAnswer}
		},
		expects: []expectation{{"TLS handshake, CPU per handshake", "reported", gateway.Name, toBase}},
	}
}

func (b *bench) webSocket() *scenario {
	return &scenario{
		name: "websocket", title: "WebSocket echo", unit: "message", site: peers.Sockets, contestants: b.everybody(peers.Setup{}), latencies: true,
		about: "A message of 120 bytes there and back, over a WebSocket that stays open.",
		protocol: func(t load.Target) load.Protocol {
			return &load.WebSocket{Target: t, Host: peers.Host(peers.Sockets), Path: "/socket"}
		},
		expects: []expectation{{"WebSocket echo, CPU per message", "reported", gateway.Name, toBase}},
	}
}

func (b *bench) revisions() *scenario {
	const calm, revised = gateway.Name, "with revisions"
	setup := peers.Setup{Processors: b.layout.gateway, Threads: 1}
	under := b.ours(revised, setup)
	made := 0
	under.alongside = func(ctx context.Context) error {
		n, err := b.product.Revise(ctx, revisedEvery)
		made += n
		return err
	}
	return &scenario{
		name: "revisions", title: "A revision every 100 ms under load", site: peers.Keyed, method: pacing, base: calm,
		about:       "API key and limit, at one rate for both: half of what the calm one took in its closed loop.",
		contestants: []contestant{b.ours(calm, setup), under},
		protocol:    asking(origin.ShortAnswer, b.withKeys()...),
		finish: func(_ context.Context, found *report.Scenario) error {
			found.Notes = append(found.Notes, fmt.Sprintf("%d revisions were made.", made))
			return nil
		},
		expects: []expectation{
			{"a revision every 100 ms, CPU per request", "≤ 1.05× without", revised, toBase},
			{"a revision every 100 ms, failed requests", "0", revised, func(r report.Row) string {
				if r.Processor == 0 {
					return "not measured"
				}
				return strconv.Itoa(r.Failed)
			}},
		},
	}
}

func (b *bench) processors() *scenario {
	const one, two = "GOMAXPROCS=1", "GOMAXPROCS=2"
	single := peers.Setup{Processors: b.layout.gateway, Threads: 1}
	double := peers.Setup{Processors: b.layout.wide, Threads: 2}
	waits := "not measured"
	return &scenario{
		name: "processors", title: "GOMAXPROCS 1 and 2", site: peers.Keyed, base: one, contestants: []contestant{b.ours(one, single), b.ours(two, double)},
		about:    "API key and limit. With two processors on a machine of two, the second is the clients' too.",
		protocol: asking(origin.ShortAnswer, b.withKeys()...),
		finish: func(ctx context.Context, found *report.Scenario) (err error) {
			double.Profiles = true
			waits, err = b.waits(ctx, double)
			found.Notes = append(found.Notes, "Mutex profile at GOMAXPROCS=2, in a run of its own: "+waits+".")
			return err
		},
		expects: []expectation{
			{"GOMAXPROCS 2, CPU per request", "≤ 1.1× that at 1", two, toBase},
			{"GOMAXPROCS 2, mutex profile", "empty", two, func(report.Row) string { return waits }},
		},
	}
}

func (b *bench) idleConnections() *scenario {
	return &scenario{
		name: "idle", title: fmt.Sprintf("%d idle connections", b.cfg.size.idle), site: peers.Plain, method: idle, lines: b.cfg.size.idle, fresh: true, rounds: idleRounds,
		about:       "Kept alive after one request each. Growth is over what the same process took after a short load. The relay holds two buffers for each, and is left out.",
		contestants: slices.DeleteFunc(b.everybody(peers.Setup{}), func(c contestant) bool { return c.name == peers.Relay }),
		protocol:    asking(origin.ShortAnswer, get(peers.Plain, onePath, "")),
		expects: []expectation{{
			fmt.Sprintf("%d idle plain connections, growth of memory", b.cfg.size.idle), "≤ 60 MB for 10000", gateway.Name,
			func(r report.Row) string { return report.Megabytes(r.Growth) },
		}},
	}
}

func (b *bench) manyRoutes() *scenario {
	var requests [][]byte
	for n := range b.fixture.Routes {
		requests = append(requests, get(peers.Routed, fmt.Sprintf("/service-%d/orders/4711", n), ""))
	}
	return &scenario{
		name: "routes", title: fmt.Sprintf("%d routes", b.fixture.Routes), site: peers.Routed, contestants: b.everybody(peers.Setup{Routed: true}),
		about:    "As plain, to one of many routes, drawn anew each time.",
		prepare:  func(ctx context.Context) error { return b.product.AddRoutes(ctx, b.fixture.Routes) },
		protocol: asking(origin.ShortAnswer, requests...),
		expects:  []expectation{{fmt.Sprintf("%d routes, CPU per request", b.fixture.Routes), "reported", gateway.Name, toBase}},
	}
}
