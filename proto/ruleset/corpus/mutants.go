package corpus

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Mutant returns the n-th of the attacks that are made of the regression tests' payloads: each in a disguise, in a place. There is no last one.
func Mutant(n int) Request {
	d := roll("mutant", n)
	all := payloads()
	picked := all[n%len(all)]
	text, how := picked.text, []string{}
	for range 1 + d.IntN(2) {
		disguise := one(d, disguises)
		text = disguise.apply(d, text)
		how = append(how, disguise.name)
	}
	if len(text) > mostPayload {
		text = text[:mostPayload]
	}
	where := one(d, places)
	r := where.put(d, text)
	r.Name = fmt.Sprintf("mutant/%d/%s/%s/%s", n, picked.from, strings.Join(how, "+"), where.name)
	return r
}

// mostPayload bounds what disguises make of a payload, in bytes.
const mostPayload = 8 << 10

// payload is the text of an attack, its encoding of the place that it stood in undone.
type payload struct{ from, text string }

// payloads are those of all regression tests in which a rule is to find something.
var payloads = sync.OnceValue(func() []payload {
	var all []payload
	seen := map[string]bool{}
	add := func(from, text string) {
		if text = strings.TrimSpace(text); len(text) > 2 && len(text) <= mostPayload && !seen[text] {
			seen[text] = true
			all = append(all, payload{from, text})
		}
	}
	for _, test := range Regression() {
		if len(test.Finds) == 0 {
			continue
		}
		r := &test.Request
		for _, text := range values(r.Query()) {
			add(test.Name, text)
		}
		if strings.HasPrefix(r.Get("Content-Type"), "application/x-www-form-urlencoded") {
			for _, text := range values(string(r.Body)) {
				add(test.Name, text)
			}
		} else {
			add(test.Name, string(r.Body))
		}
		for _, name := range []string{"Cookie", "Referer", "User-Agent"} {
			if text := r.Get(name); !slices.Contains(usualFields, text) {
				add(test.Name, text)
			}
		}
	}
	return all
})

var usualFields = []string{"", "OWASP CRS test agent", "OWASP ModSecurity Core Rule Set", "ModSecurity CRS 3 Tests", "http://localhost/"}

// values are names and values of arguments, decoded where they can be.
func values(encoded string) (all []string) {
	for pair := range strings.SplitSeq(encoded, "&") {
		name, value, _ := strings.Cut(pair, "=")
		for _, text := range []string{name, value} {
			if plain, err := url.QueryUnescape(text); err == nil {
				text = plain
			}
			all = append(all, text)
		}
	}
	return all
}
