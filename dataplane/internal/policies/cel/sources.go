package cel

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	contract "github.com/sallyport/sallyport/proto/policy/cel"
)

// headers are the first value of each field. Names are lower case where all are asked for, and found in any case.
type headers view

func (h *headers) find(name string) ref.Val {
	fields := h.ex.Request.Header.Fields()
	for i := range fields {
		if pipeline.EqualFold(fields[i].Name, name) {
			return contract.Text(fields[i].Value)
		}
	}
	return nil
}

func (h *headers) names() []string {
	var names []string
	for _, field := range h.ex.Request.Header.Fields() {
		names = appendNew(names, strings.ToLower(field.Name))
	}
	return names
}

// headerValues are all values of each field.
type headerValues view

func (h *headerValues) find(name string) ref.Val {
	var values []ref.Val
	for _, field := range h.ex.Request.Header.Fields() {
		if pipeline.EqualFold(field.Name, name) {
			values = append(values, contract.Text(field.Value))
		}
	}
	return several(values)
}

func (h *headerValues) names() []string { return (*headers)(h).names() }

// query is the first value of each parameter of the query, decoded.
type query view

func (q *query) find(name string) ref.Val {
	for rest, more := q.ex.Request.Query, q.ex.Request.Query != ""; more; {
		var key, value string
		if key, value, rest, more = pipeline.NextPair(rest); pipeline.DecodedEqual(key, name) {
			return contract.Text(decoded(q.ex, value))
		}
	}
	return nil
}

func (q *query) names() []string {
	var names []string
	for rest, more := q.ex.Request.Query, q.ex.Request.Query != ""; more; {
		var key string
		if key, _, rest, more = pipeline.NextPair(rest); key != "" {
			names = appendNew(names, decoded(q.ex, key))
		}
	}
	return names
}

// queryValues are all values of each parameter of the query, decoded.
type queryValues view

func (q *queryValues) find(name string) ref.Val {
	var values []ref.Val
	for rest, more := q.ex.Request.Query, q.ex.Request.Query != ""; more; {
		var key, value string
		if key, value, rest, more = pipeline.NextPair(rest); pipeline.DecodedEqual(key, name) {
			values = append(values, contract.Text(decoded(q.ex, value)))
		}
	}
	return several(values)
}

func (q *queryValues) names() []string { return (*query)(q).names() }

// params are the values of the path's parameters, decoded.
type params view

func (p *params) find(name string) ref.Val {
	value, found := p.ex.Param(name)
	if !found {
		return nil
	}
	if strings.Contains(value, "%") {
		// In a path a '+' is itself.
		value = decoded(p.ex, strings.ReplaceAll(value, "+", "%2B"))
	}
	return contract.Text(value)
}

func (p *params) names() []string {
	return p.ex.ParamNames[:min(len(p.ex.ParamNames), len(p.ex.Params))]
}

// labels and metadata are the consumer's.
type (
	labels   view
	metadata view
)

func (l *labels) all() map[string]string {
	if !l.who.Known() {
		return nil
	}
	return l.who.Consumer.Labels()
}

func (l *labels) find(name string) ref.Val { return entry(l.all(), name) }
func (l *labels) names() []string          { return keys(l.all()) }

func (m *metadata) all() map[string]string {
	if !m.who.Known() {
		return nil
	}
	return m.who.Consumer.Metadata()
}

func (m *metadata) find(name string) ref.Val { return entry(m.all(), name) }
func (m *metadata) names() []string          { return keys(m.all()) }

// scopes are the credential's.
type scopes view

func (s *scopes) count() int       { return s.who.Scopes.Len() }
func (s *scopes) at(i int) ref.Val { return contract.Text(s.who.Scopes.All()[i]) }

func (s *scopes) has(v ref.Val) bool {
	scope, ok := v.(types.String)
	return ok && s.who.Scopes.Has(string(scope))
}

func entry(all map[string]string, name string) ref.Val {
	if value, found := all[name]; found {
		return contract.Text(value)
	}
	return nil
}

func keys(all map[string]string) []string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// several returns a list; nil when nothing is in it.
func several(values []ref.Val) ref.Val {
	if len(values) == 0 {
		return nil
	}
	return types.NewRefValList(types.DefaultTypeAdapter, values)
}

// decoded returns what a piece of a query stands for, in the exchange's memory where it differs.
func decoded(ex *pipeline.Exchange, text string) string {
	if !strings.ContainsAny(text, "%+") {
		return text
	}
	return ex.TextDone(pipeline.AppendDecoded(ex.TextBuffer(), text))
}
