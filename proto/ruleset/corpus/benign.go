package corpus

import "fmt"

// BenignCount is how many benign requests a figure on false positives is about.
const BenignCount = 10_000

// Benign returns the n-th benign request: neighbours are of different shapes, so that any run of them is a mixture.
func Benign(n int) Request {
	shape := shapes[n%len(shapes)]
	r := shape.make(roll("benign/"+shape.name, n))
	r.Name = fmt.Sprintf("benign/%d/%s", n, shape.name)
	return r
}

// shape is something that honest clients do.
type shape struct {
	name string
	make func(d dice) Request
}

// shapes in the order in which they take turns. What is common stands there more than once.
var shapes = []shape{
	{"page", page},
	{"rest-read", restRead},
	{"form-prose", formProse},
	{"json-create", jsonCreate},
	{"search", search},
	{"page", page},
	{"graphql", graphQL},
	{"beacon", beacon},
	{"rest-patch", restPatch},
	{"address-form", addressForm},
	{"asset", asset},
	{"ticket", ticket},
	{"sign-in", signIn},
	{"token", token},
	{"rest-read", restRead},
	{"upload", upload},
	{"webhook", webhook},
	{"comment", comment},
	{"preflight", preflight},
	{"soap", soap},
	{"page", page},
	{"cart", cart},
	{"listing", listing},
	{"rest-delete", restDelete},
	{"feed", feed},
	{"rpc", rpc},
	{"settings", settings},
	{"signed-link", signedLink},
	{"csv", csvImport},
	{"chat", chat},
}

// browser is a navigation or a call by a page, with what browsers send along.
func browser(d dice, method, target string, navigation bool) Request {
	host := one(d, hosts)
	r := Request{Method: method, Target: target, Proto: "HTTP/1.1", Header: []Field{{"Host", host}}}
	add := func(name, value string) { r.Header = append(r.Header, Field{name, value}) }
	add("User-Agent", one(d, browsers))
	if navigation {
		add("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8")
		add("Sec-Fetch-Dest", "document")
		add("Sec-Fetch-Mode", "navigate")
		add("Sec-Fetch-Site", one(d, []string{"none", "same-origin", "cross-site"}))
		add("Sec-Fetch-User", "?1")
		add("Upgrade-Insecure-Requests", "1")
	} else {
		add("Accept", one(d, []string{"application/json", "application/json, text/plain, */*", "*/*"}))
		add("Sec-Fetch-Dest", "empty")
		add("Sec-Fetch-Mode", "cors")
		add("Sec-Fetch-Site", "same-origin")
	}
	add("Accept-Language", one(d, languages))
	add("Accept-Encoding", one(d, []string{"gzip, deflate, br", "gzip, deflate, br, zstd"}))
	if !d.chance(3) {
		add("Referer", "https://"+host+one(d, pages))
	}
	if method != "GET" {
		add("Origin", "https://"+host)
	}
	if !d.chance(5) {
		add("Cookie", cookies(d))
	}
	return r
}

// program is a call by something that isn't a browser.
func program(d dice, method, target string) Request {
	r := Request{Method: method, Target: target, Proto: "HTTP/1.1", Header: []Field{
		{"Host", one(d, apiHosts)}, {"User-Agent", one(d, programs)}, {"Accept", one(d, []string{"application/json", "*/*"})},
	}}
	switch d.IntN(3) {
	case 0:
		r.Header = append(r.Header, Field{"Authorization", "Bearer " + jwt(d)})
	case 1:
		r.Header = append(r.Header, Field{"X-Api-Key", "sk_live_" + d.text(alphanumeric, 32)})
	}
	if d.chance(2) {
		r.Header = append(r.Header, Field{"X-Request-Id", d.uuid()})
	}
	if d.chance(4) {
		r.Header = append(r.Header, Field{"Traceparent", "00-" + d.hex(32) + "-" + d.hex(16) + "-01"})
	}
	return r
}

// carrying gives a request a body.
func carrying(r Request, kind string, body []byte) Request {
	r.Header = append(r.Header, Field{"Content-Type", kind})
	r.Body = body
	r.complete()
	return r
}
