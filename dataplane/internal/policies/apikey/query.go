package apikey

import (
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// findQuery looks for a query parameter. Its name is compared decoded, as the upstream would.
func findQuery(ex *pipeline.Exchange, name string) (f found) {
	rest := ex.Request.Query
	for more := rest != ""; more; {
		var have, value string
		have, value, rest, more = pipeline.NextPair(rest)
		if pipeline.DecodedEqual(have, name) {
			f.add(value)
		}
	}
	if strings.ContainsAny(f.value, "%+") {
		f.value = ex.TextDone(pipeline.AppendDecoded(ex.TextBuffer(), f.value))
	}
	return f
}

// cutQuery returns the query without a parameter, all else byte for byte.
func cutQuery(ex *pipeline.Exchange, name string) string {
	whole := ex.Request.Query
	if whole == "" {
		return ""
	}
	if !holds(whole, name) {
		return whole
	}
	kept := ex.TextBuffer()
	first := true
	for rest, more := whole, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		have, _, _ := strings.Cut(pair, "=")
		if pipeline.DecodedEqual(have, name) {
			continue
		}
		if !first {
			kept = append(kept, '&')
		}
		kept = append(kept, pair...)
		first = false
	}
	return ex.TextDone(kept)
}

func holds(query, name string) bool {
	for more := true; more; {
		var have string
		have, _, query, more = pipeline.NextPair(query)
		if pipeline.DecodedEqual(have, name) {
			return true
		}
	}
	return false
}
