package scenarios

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/tests/bench/gateway"
	"github.com/sallyport/sallyport/tests/bench/load"
	"github.com/sallyport/sallyport/tests/bench/origin"
	"github.com/sallyport/sallyport/tests/bench/peers"
)

// inspectedLines are few: whoever inspects is at work on one request at a time, and the others wait.
const inspectedLines = 4

// inspectedTimes are longer than those of requests that cost a hundredth.
func (b *bench) inspectedTimes() *times {
	if b.cfg.Quick {
		return &times{warm: 200 * time.Millisecond, closed: 500 * time.Millisecond}
	}
	return &times{warm: 500 * time.Millisecond, closed: 2500 * time.Millisecond}
}

// inspectedCase is a sort of request that gateways inspect.
type inspectedCase struct {
	name, title, about string
	requests           func(host string) [][]byte
	answer             int
	refused            bool
}

// inspections are the requests that inspecting is measured by; the first six are what the field's engines were compared by before.
func inspections() []inspectedCase {
	return []inspectedCase{
		{"waf-browser", "Inspected: a browser's GET", "16 header fields of a browser, 5 cookies, 4 arguments.", one(browserGet), origin.ShortAnswer, false},
		{"waf-api", "Inspected: a program's GET", "A GET with a JSON Web Token of 700 bytes.", one(programGet), origin.ShortAnswer, false},
		{"waf-json-1k", "Inspected: 1 KB of JSON", "", one(func(host string) []byte { return jsonPost(host, 1<<10) }), origin.LongAnswer, false},
		{"waf-json-10k", "Inspected: 10 KB of JSON", "", one(func(host string) []byte { return jsonPost(host, 10<<10) }), origin.LongAnswer, false},
		{"waf-form", "Inspected: a form of 12 fields", "", one(formPost), origin.LongAnswer, false},
		{"waf-injection", "Inspected: an SQL injection", "Refused by whoever inspects, answered by whoever doesn't.", one(injection), origin.ShortAnswer, true},
		{"waf-mix", "Inspected: a mix of well-behaved requests", "Of ten, four GETs of browsers, four of programs, one form and one POST of 1 KB of JSON. Answers are short, save those to POSTs.", mix, mixedAnswer, false},
	}
}

// mixedAnswer says that any length is right.
const mixedAnswer = -1

func one(request func(host string) []byte) func(host string) [][]byte {
	return func(host string) [][]byte { return [][]byte{request(host)} }
}

// Names of who takes part.
const (
	uninspected = ", not inspecting"
	inspecting  = ", inspecting"
)

// inspectionScenarios compares what inspecting costs.
func (b *bench) inspectionScenarios() (all []*scenario) {
	inspectors, missing := peers.Inspectors(b.fixture)
	b.missing = missing
	for _, c := range inspections() {
		s := &scenario{
			name: c.name, title: c.title, about: c.about, unit: "request", site: peers.Inspected, lines: inspectedLines, base: "nginx" + inspecting,
			times: b.inspectedTimes(), prepare: b.product.AddInspection,
			protocol: func(t load.Target) load.Protocol { return c.asked(t, peers.Inspected) },
			expects: []expectation{
				{c.title + ", CPU per request, to nginx with ModSecurity v3", "reported", gateway.Name + inspecting, toBase},
			},
		}
		for _, g := range append([]peers.Gateway{b.gateways[0]}, inspectors...) {
			setup := peers.Setup{Processors: b.layout.gateway, Threads: 1}
			plain := contestant{name: g.Name() + uninspected, gateway: g, setup: setup, site: peers.Plain}
			plain.protocol = func(t load.Target) load.Protocol { return c.asked(t, peers.Plain) }
			setup.Inspected = true
			s.contestants = append(s.contestants, plain, contestant{name: g.Name() + inspecting, gateway: g, setup: setup})
		}
		all = append(all, s)
	}
	return all
}

// asked makes clients of the case.
func (c inspectedCase) asked(t load.Target, site peers.Site) load.Protocol {
	return &load.HTTP{Target: t, Requests: c.requests(peers.Host(site)), Answer: c.answer, Refused: c.refused && site == peers.Inspected}
}

const userAgent = "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n"

func browserGet(host string) []byte {
	return fmt.Appendf(nil, "GET /catalogue/shoes?colour=dark+blue&size=42&sort=price&page=3 HTTP/1.1\r\nHost: %s\r\n"+
		"Connection: keep-alive\r\nCache-Control: max-age=0\r\n"+
		"sec-ch-ua: \"Chromium\";v=\"141\", \"Not?A_Brand\";v=\"8\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Windows\"\r\n"+
		"Upgrade-Insecure-Requests: 1\r\n"+userAgent+
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"+
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n"+
		"Referer: https://%s/catalogue?colour=dark+blue\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n"+
		"Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=2026-05-01T10:22:31Z; basket=17; _trail=1.2.3456789\r\n\r\n", host, host)
}

func programGet(host string) []byte {
	token := "eyJhbGciOiJFUzI1NiIsImtpZCI6IjIwMjYtMTEifQ." + strings.Repeat("eyJzdWIiOiI0NzExIiwic2NvcGUiOiJvcmRlcnMucmVhZCJ9", 12) + ".MEUCIQDx0vQ5m3fJc2v1Yk0n"
	return fmt.Appendf(nil, "GET /orders/4711?expand=lines HTTP/1.1\r\nHost: %s\r\nUser-Agent: orders-client/2.4\r\nAccept: application/json\r\nAuthorization: Bearer %s\r\n\r\n", host, token)
}

func post(host, path, mediaType string, body []byte) []byte {
	head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n"+userAgent+"Accept: application/json\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, host, mediaType, len(body))
	return append(head, body...)
}

// jsonPost has about so many bytes of orders.
func jsonPost(host string, size int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"customer":{"name":"Anna Kowalska","email":"anna.kowalska@example.com","vip":false},"lines":[`)
	for n := 0; body.Len() < size; n++ {
		if n > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"sku":"SHOE-%05d","title":"Walking shoe, dark blue","quantity":%d,"price":%d.95,"note":"leave at the door, please"}`, n, n%7+1, 40+n)
	}
	body.WriteString(`]}`)
	return post(host, "/orders", "application/json", body.Bytes())
}

func formPost(host string) []byte {
	return post(host, "/register", "application/x-www-form-urlencoded", []byte("first_name=Anna&last_name=Kowalska&email=anna.kowalska%40example.com&phone=%2B48+22+555+01+23&street=D%C5%82uga+12%2F4"+
		"&city=Warszawa&zip=00-238&country=PL&birthday=1984-03-07&newsletter=yes&language=pl&comment=Please+ring+twice%2C+the+bell+is+quiet."))
}

func injection(host string) []byte {
	return fmt.Appendf(nil, "GET /orders?id=1%%27%%20UNION%%20SELECT%%20name,password%%20FROM%%20users--%%20 HTTP/1.1\r\nHost: %s\r\n"+userAgent+"Accept: */*\r\n\r\n", host)
}

func mix(host string) [][]byte {
	browser, program := browserGet(host), programGet(host)
	return [][]byte{browser, browser, browser, browser, program, program, program, program, formPost(host), jsonPost(host, 1<<10)}
}
