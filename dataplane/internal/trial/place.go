package trial

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
)

// place is where on a route attacks are put.
type place struct {
	path    string   // one that the route matches
	methods []string // none: all
}

// placement is a request with an attack in it.
type placement struct {
	head *waf.Head
	body []byte
}

// placeOf returns where attacks are put on a route.
func placeOf(route snapshot.Placed) place {
	p := place{path: "/", methods: route.Rule.Methods}
	if len(route.Rule.Paths) > 0 {
		p.path = pathOf(route.Rule.Paths[0])
	}
	return p
}

// pathOf returns a path that is matched.
func pathOf(match router.Path) string {
	if match.By != router.Template {
		return match.Text
	}
	segments := strings.Split(match.Text, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "*") {
			segments[i] = "x"
		}
	}
	return strings.Join(segments, "/")
}

// jsonName begins the names that rules know members of a JSON body by.
const jsonName = "json."

// placements returns the requests that have a payload in a target, none where it can't be. What is around it is as plain as can be, so that
// nothing else is found in it; an argument is put wherever it may come in, since rules look at a query in more ways than at a form.
func (p place) placements(target waf.Target, payload string) []placement {
	name := target.Name
	if name == "" || name == "*" {
		name = "x"
	}
	switch target.Part {
	case "argument":
		if strings.HasPrefix(name, jsonName) {
			return p.withJSON(strings.TrimPrefix(name, jsonName), payload)
		}
		return p.withPair(url.QueryEscape(name) + "=" + url.QueryEscape(payload))
	case "argument-name":
		return p.withPair(url.QueryEscape(payload) + "=1")
	case "cookie":
		return p.withField("Cookie", name+"="+payload)
	case "cookie-name":
		return p.withField("Cookie", payload+"=1")
	case "header":
		return p.withField(name, payload)
	case "header-name":
		return p.withField(payload, "1")
	case "path":
		head := p.head("GET")
		head.Path = strings.TrimSuffix(p.path, "/") + "/" + url.PathEscape(payload)
		return []placement{{head: head}}
	}
	return p.withBody("application/x-www-form-urlencoded", payload) // "body", and targets that mean all of the request
}

// withPair puts an argument into the query, and into a form.
func (p place) withPair(pair string) []placement {
	head := p.head("GET")
	head.Query = pair
	return append([]placement{{head: head}}, p.withBody("application/x-www-form-urlencoded", pair)...)
}

// withJSON puts a value into a JSON document under its path: "user.name", "items.0.price".
func (p place) withJSON(path, payload string) []placement {
	var tree any = payload
	for _, step := range slices.Backward(strings.Split(path, ".")) {
		if _, err := strconv.ParseUint(step, 10, 16); err == nil {
			tree = []any{tree}
			continue
		}
		tree = map[string]any{step: tree}
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil
	}
	return p.withBody("application/json", string(text))
}

// withField puts a field into the header, as far as it can be one.
func (p place) withField(name, value string) []placement {
	if name == "" || strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return nil
	}
	head := p.head("GET")
	head.Header.Set(name, value)
	return []placement{{head: head}}
}

func (p place) withBody(kind, body string) []placement {
	head := p.head("POST")
	head.Header.Set("Content-Type", kind)
	head.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return []placement{{head: head, body: []byte(body)}}
}

// head returns that of a plain request, with a method that the route takes: the wanted one, if it does.
func (p place) head(wanted string) *waf.Head {
	if len(p.methods) > 0 && !slices.Contains(p.methods, wanted) {
		wanted = p.methods[0]
	}
	header := new(pipeline.Header)
	for _, f := range [...][2]string{
		{"Host", "localhost"}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"}, {"Accept", "application/json, text/html;q=0.9, */*;q=0.5"},
	} {
		header.Add(f[0], f[1])
	}
	return &waf.Head{
		Method: wanted, Path: p.path, Proto: "HTTP/1.1", Host: "localhost", Header: header, Client: netip.AddrFrom4([4]byte{192, 0, 2, 1}),
	}
}

// shown cuts a text to what is told of it.
func shown(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxShown)], "�")
}
