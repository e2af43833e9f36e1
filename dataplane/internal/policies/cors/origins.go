package cors

import (
	"fmt"
	"strings"

	contract "github.com/sallyport/sallyport/proto/policy/cors"
)

// origins are those that are listed. They are immutable.
type origins struct {
	exact map[string]string // to itself, in memory of the stage's own
	wild  []contract.Origin
	any   bool // all but null
	null  bool
}

func newOrigins(texts []string) (origins, error) {
	o := origins{exact: map[string]string{}}
	for i, text := range texts {
		switch text {
		case contract.Any:
			o.any = true
		case contract.Null:
			o.null = true
		default:
			parsed, err := contract.ParseOrigin(text)
			if err != nil {
				return origins{}, fmt.Errorf("origins[%d]: %w", i, err)
			}
			if parsed.Wildcard() {
				o.wild = append(o.wild, parsed)
				continue
			}
			o.exact[text] = text
		}
	}
	return o, nil
}

// same tells that every origin is told the same, so that answers don't vary.
func (o *origins) same() bool { return o.any && o.null }

// allow returns what Access-Control-Allow-Origin says to an origin; "": nothing.
func (o *origins) allow(origin string) string {
	switch {
	case origin == contract.Null:
		if !o.null {
			return ""
		}
		if o.any {
			return contract.Any
		}
		return contract.Null
	case o.any:
		return contract.Any
	}
	if listed, ok := o.exact[origin]; ok {
		return listed
	}
	for i := range o.wild {
		w := &o.wild[i]
		rest, below := strings.CutPrefix(origin, w.Prefix)
		if !below {
			continue
		}
		if labels, below := strings.CutSuffix(rest, w.Suffix); below && areLabels(labels) {
			return origin
		}
	}
	return ""
}

// areLabels tells whether text is one or several labels of a host name as browsers send it. What else could stand there (a slash, a colon, an
// "at" sign) would make it the origin of another host.
func areLabels(text string) bool {
	before := byte('.')
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '.' && before == '.':
			return false
		case c != '.' && c != '-' && c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			return false
		}
		before = c
	}
	return before != '.'
}
