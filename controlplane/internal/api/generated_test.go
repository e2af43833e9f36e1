package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sallyport/sallyport/proto/problem"
)

// generatedCases is how many requests are made up.
const generatedCases = 10_000

// Requests made up from the document itself, good and spoilt, are answered as the document says, and never by a failure of ours.
// SALLYPORT_SEED replays a run.
func TestNoRequestMadeUpFromTheDocumentBreaksTheServer(t *testing.T) {
	seed := uint64(20261122)
	if text := os.Getenv("SALLYPORT_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = given
	} else if os.Getenv("SALLYPORT_LONG") != "" {
		seed = rand.Uint64()
	}
	w := newWorld(t)
	g := newGenerator(t, w, seed)
	var last string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("SALLYPORT_SEED=%d; the last request was %s", seed, last)
		}
	})
	statuses := map[int]int{}
	for range generatedCases {
		c := g.request()
		last = fmt.Sprintf("%s %s\n%.2000s", c.method, c.path, c.body)
		got := w.do(c.method, c.path, c.body, c.options...)
		statuses[got.status]++
		if got.status >= 500 && got.problem(t).Code != problem.NodeUnreachable {
			t.Fatalf("%d: %s", got.status, got.body)
		}
		g.learn(c, got)
	}
	t.Logf("seed %d: %v", seed, statuses)
	if statuses[200]+statuses[201]+statuses[204] < generatedCases/10 || statuses[400] < generatedCases/10 {
		t.Errorf("hardly anything was good, or hardly anything bad: %v", statuses)
	}
}

// made is one made-up request.
type made struct {
	operation          *openapi3.Operation
	method, path, body string
	options            []option
}

type described struct {
	method, path string
	operation    *openapi3.Operation
}

// generator makes requests up. Names and ids that answers show are used again, so that one request builds on others.
type generator struct {
	*rand.Rand
	operations []described
	good       map[string][]any    // bodies that are right, by the last word of their path
	known      map[string][]string // names and ids, by the last word of a path
	configs    []any               // configurations of policies
	own        string              // id of the token in use, which is not to be deleted
}

func newGenerator(t *testing.T, w *world, seed uint64) *generator {
	t.Helper()
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, seed)),
		good: map[string][]any{}, known: map[string][]string{"environments": {"production"}},
	}
	digits, _, _ := strings.Cut(strings.TrimPrefix(w.token, "spat_"), "_")
	g.own = "tok_" + digits
	theContract(t).operations(func(method, path string, operation *openapi3.Operation) {
		g.operations = append(g.operations, described{method, path, operation})
	})
	slices.SortFunc(g.operations, func(a, b described) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	for collection, body := range map[string]string{"services": ordersService, "routes": ordersRoute, "policies": apiKeyPolicy, "consumers": shopConsumer} {
		g.good[collection] = append(g.good[collection], parsed(t, []byte(body)))
	}
	fixtures, err := filepath.Glob("../../../proto/policy/*/testdata/valid/*.json")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures of policies: %v", err)
	}
	for _, file := range fixtures {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		config := parsed(t, text)
		g.configs = append(g.configs, config)
		kind := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(file))))
		g.good["policies"] = append(g.good["policies"], map[string]any{"kind": kind, "config": config, "attached_to": []any{map[string]any{"environment": true}}})
	}
	return g
}

func parsed(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

func (g *generator) request() made {
	d := pick(g, g.operations)
	c := made{operation: d.operation, method: d.method, path: g.fill(d.path) + g.query(d.operation)}
	if d.operation.RequestBody != nil {
		c.body = g.text(g.body(d))
	} else if g.chance(20) {
		c.body = "{}"
	}
	if g.chance(5) {
		c.options = append(c.options, header("If-Match", pick(g, []string{"*", `"x"`, `W/"1"`, "", `"`, `"a", "b"`, strings.Repeat("x", 5000)})))
	}
	if g.chance(10) {
		c.options = append(c.options, header("Idempotency-Key", pick(g, []string{"one", "two", "", strings.Repeat("k", 300), "k\xff"})))
	}
	return c
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

// fill gives a path's parameters values: mostly ones that there are.
func (g *generator) fill(path string) string {
	words := strings.Split(path, "/")
	for i, word := range words {
		m := parameter.FindStringSubmatch(word)
		if m == nil {
			continue
		}
		value := g.key(words[i-1])
		if m[1] == "number" && !g.chance(5) {
			value = strconv.Itoa(g.IntN(20))
		}
		if m[1] == "environment" && !g.chance(20) {
			value = "production"
		}
		words[i] = url.PathEscape(value)
	}
	return strings.Join(words, "/")
}

// key is an id or name, or what is neither.
func (g *generator) key(collection string) string {
	if known := g.known[collection]; len(known) > 0 && !g.chance(4) {
		return pick(g, known)
	}
	return pick(g, []string{
		"orders", "nothing", "..", ".", "%2e%2e", "a/b", "a%2Fb", "a\\b", "a;b", "*", "svc_00000000000000000000000000", "rt_", "\u202e", "é", "💥", "-1", "null",
		"' OR 1=1 --", "${jndi:ldap://x}", strings.Repeat("a", 129), strings.Repeat("é", 64), "18446744073709551616", "0x1", "\u0000", "a b", "A", "_",
	})
}

func (g *generator) query(operation *openapi3.Operation) string {
	values := url.Values{}
	for _, p := range operation.Parameters {
		if p.Value.In != "query" || !g.chance(3) {
			continue
		}
		switch p.Value.Name {
		case "filter":
			values.Add("filter["+pick(g, []string{"name", "route", "service", "verdict", "", "x]", "consumer"})+"]", g.scalar())
		case "cursor":
			values.Add("cursor", pick(g, append(g.known["cursor"], g.scalar(), "e30", "eyJhIjoxfQ==")))
		default:
			value := g.value(p.Value.Schema, 0)
			if g.chance(4) {
				value = g.scalar()
			}
			values.Add(p.Value.Name, fmt.Sprint(value))
		}
	}
	if g.chance(50) {
		values.Add(g.scalar(), g.scalar())
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// scalar is text that somebody might hope nobody thought of.
func (g *generator) scalar() string {
	return pick(g, []string{
		"", "0", "-1", "1e309", "9223372036854775808", "true", "null", "[]", "{}", "a,b", ",", "*", "orders", "2026-11-22T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
		"0000-01-01T00:00:00Z", "1m", "-1s", "1h1h", "é", "\u0000", "\u2028", "%", "'", `"`, "env=x", "a=b,c=d", "=", strings.Repeat("x", 3000), "127.0.0.1/33", "::/0",
	})
}

// body is what an operation takes, right or nearly so.
func (g *generator) body(d described) any {
	schema := bodySchema(d.operation)
	words := strings.Split(strings.TrimSuffix(d.path, "/{key}"), "/")
	collection := words[len(words)-1]
	var value any
	if good := g.good[collection]; len(good) > 0 && !g.chance(3) {
		value = copied(pick(g, good))
		if o, ok := value.(map[string]any); ok && d.method == http.MethodPost && g.chance(2) {
			o["name"] = fmt.Sprintf("made-%d", g.IntN(200))
		}
	} else {
		value = g.value(schema, 0)
	}
	for !g.chance(2) {
		value = g.spoil(value, 0)
	}
	return value
}

func bodySchema(operation *openapi3.Operation) *openapi3.SchemaRef {
	for _, media := range operation.RequestBody.Value.Content {
		return media.Schema
	}
	return nil
}

func copied(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it came from JSON
	}
	var same any
	if err := json.Unmarshal(text, &same); err != nil {
		panic(err)
	}
	return same
}

// value is one that a schema describes, as far as it is understood.
func (g *generator) value(ref *openapi3.SchemaRef, depth int) any {
	if ref == nil || ref.Value == nil || depth > 6 {
		return g.anything(depth)
	}
	s := ref.Value
	switch {
	case len(s.Enum) > 0:
		return pick(g, s.Enum)
	case len(s.OneOf) > 0:
		return g.value(pick(g, s.OneOf), depth+1)
	case len(s.AnyOf) > 0:
		return g.value(pick(g, s.AnyOf), depth+1)
	case s.Type.Includes("object"):
		return g.object(s, depth)
	case s.Type.Includes("array"):
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(s.Items, depth+1))
		}
		return list
	case s.Type.Includes("boolean"):
		return g.chance(2)
	case s.Type.Includes("integer"), s.Type.Includes("number"):
		return g.number(s)
	case s.Type.Includes("string"):
		return g.string(s)
	}
	return g.anything(depth)
}

func (g *generator) object(s *openapi3.Schema, depth int) any {
	object := map[string]any{}
	for _, name := range sortedKeys(s.Properties) {
		property := s.Properties[name]
		if !slices.Contains(s.Required, name) && !g.chance(3) || property.Value != nil && property.Value.ReadOnly {
			continue
		}
		if name == "config" && !g.chance(4) {
			object[name] = copied(pick(g, g.configs))
			continue
		}
		object[name] = g.value(property, depth+1)
	}
	if len(s.Properties) == 0 {
		for range g.IntN(3) {
			object[pick(g, []string{"name", "team", "a.b", "", "x-y", "operations"})] = g.scalar()
		}
	}
	return object
}

func sortedKeys(m openapi3.Schemas) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (g *generator) number(s *openapi3.Schema) any {
	least, most := 0.0, 100.0
	if s.Min != nil {
		least = *s.Min
	}
	if s.Max != nil {
		most = *s.Max
	}
	return pick(g, []float64{least, most, math.Floor((least + most) / 2), least - 1, most + 1, 1})
}

func (g *generator) string(s *openapi3.Schema) any {
	if s.Format == "date-time" {
		return pick(g, []string{"2030-01-01T00:00:00Z", "2026-11-22T06:00:00+01:00", "1970-01-01T00:00:00Z", "2030-01-01"})
	}
	texts := append(g.names(), "1s", "250ms", "24h", "GET", "/made", "10.0.0.0/8", "orders.internal:8080", "https://example.com", "X-Made", "made:read", "create", "put", "delete", "services", "routes", "consumers", "api-keys")
	if s.Pattern == "" {
		return pick(g, texts)
	}
	fitting, err := regexp.Compile(s.Pattern)
	if err != nil {
		return pick(g, texts)
	}
	texts = slices.DeleteFunc(texts, func(text string) bool { return !fitting.MatchString(text) })
	if len(texts) == 0 {
		return g.scalar()
	}
	return pick(g, texts)
}

// names are some that there are.
func (g *generator) names() []string {
	var names []string
	for _, collection := range []string{"services", "routes", "policies", "consumers", "api-keys", "secrets", "environments"} {
		if known := g.known[collection]; len(known) > 0 {
			names = append(names, pick(g, known))
		}
	}
	return append(names, "made-"+strconv.Itoa(g.IntN(200)))
}

func (g *generator) anything(depth int) any {
	return pick(g, []any{nil, true, -1.5, 1e300, g.scalar(), []any{}, map[string]any{}, g.nested(50 - depth)})
}

func (g *generator) nested(depth int) any {
	var value any = "deep"
	for range depth {
		if g.chance(2) {
			value = []any{value}
		} else {
			value = map[string]any{"a": value}
		}
	}
	return value
}

// spoil changes one thing in a value.
func (g *generator) spoil(value any, depth int) any {
	switch v := value.(type) {
	case map[string]any:
		return g.spoilObject(v, depth)
	case []any:
		if len(v) > 0 && !g.chance(4) {
			i := g.IntN(len(v))
			v[i] = g.spoil(v[i], depth+1)
			return v
		}
		return append(v, g.anything(depth))
	}
	return g.anything(depth)
}

func (g *generator) spoilObject(o map[string]any, depth int) any {
	keys := make([]string, 0, len(o))
	for key := range o {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	switch {
	case len(keys) == 0 || g.chance(6):
		// What a caller may not set, and what nobody has heard of.
		o[pick(g, []string{"id", "role", "created_at", "key", "token", "digest", "etag", "team", "__proto__", "colour", "environment", "permissions"})] = g.anything(depth)
	case g.chance(5):
		delete(o, pick(g, keys))
	case g.chance(30):
		return g.anything(depth)
	default:
		key := pick(g, keys)
		o[key] = g.spoil(o[key], depth+1)
	}
	return o
}

// text is a value as JSON, sometimes not quite.
func (g *generator) text(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it holds what JSON has
	}
	switch g.IntN(60) {
	case 0:
		return string(text[:g.IntN(len(text))])
	case 1:
		return string(text) + pick(g, []string{" ", "{}", ",", "\x00", "\n\n"})
	case 2:
		return strings.Replace(string(text), "{", `{"name":"twice","name":"twice",`, 1)
	default:
		return string(text)
	}
}

// learn remembers the names and ids that an answer shows.
func (g *generator) learn(c made, got answer) {
	if got.status >= 300 || len(got.body) == 0 {
		return
	}
	var o struct {
		ID, Name string
		Number   uint64
		Data     []struct{ ID, Name string }
		Next     string `json:"next_cursor"`
	}
	if json.Unmarshal(got.body, &o) != nil {
		return
	}
	path, _, _ := strings.Cut(c.path, "?")
	words := strings.Split(path, "/")
	collection := words[len(words)-1]
	if c.method != http.MethodPost && o.ID != "" && len(words) > 1 {
		collection = words[len(words)-2]
	}
	for _, shown := range append(o.Data, struct{ ID, Name string }{o.ID, o.Name}) {
		if shown.ID == g.own {
			continue
		}
		g.remember(collection, shown.ID)
		g.remember(collection, shown.Name)
	}
	g.remember("cursor", o.Next)
}

func (g *generator) remember(collection, key string) {
	known := g.known[collection]
	if key == "" || slices.Contains(known, key) {
		return
	}
	if len(known) >= 40 {
		known[g.IntN(len(known))] = key
		return
	}
	g.known[collection] = append(known, key)
}
