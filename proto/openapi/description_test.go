package openapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/openapi"
)

func TestALiteralPathGoesBeforeATemplate(t *testing.T) {
	t.Parallel()
	d := petshop(t)
	if d.BasePath() != "/v1" || d.Title != "Pet shop" || d.Edition != "1.4" {
		t.Errorf("it calls itself %q %q at %q", d.Title, d.Edition, d.BasePath())
	}
	for path, want := range map[string]struct {
		template string
		params   []string
	}{
		"/pets":                   {"/pets", nil},
		"/pets/":                  {"", nil},
		"/pets/mine":              {"/pets/mine", nil},
		"/pets/17":                {"/pets/{id}", []string{"17"}},
		"/pets/17/photos/a.png":   {"/pets/{id}/photos/{name}.{ending}", []string{"17", "a", "png"}},
		"/pets/17/photos/a.b.png": {"/pets/{id}/photos/{name}.{ending}", []string{"17", "a", "b.png"}},
		"/pets/17/photos/png":     {"", nil},
		"/pets/17/photos/.png":    {"", nil},
		"/":                       {"", nil},
		"/cats":                   {"", nil},
	} {
		m := d.Match(http.MethodGet, path, nil)
		if m.Template != want.template || want.template != "" && !slices.Equal(m.Params, want.params) {
			t.Errorf("%s matches %q with %q, want %q with %q", path, m.Template, m.Params, want.template, want.params)
		}
	}
	if m := d.Match(http.MethodDelete, "/pets/mine", nil); m.Operation != nil || m.Template != "/pets/mine" {
		t.Errorf("DELETE /pets/mine is held against %v of %q: the literal path has no such method", m.Operation, m.Template)
	}
	if m := d.Match(http.MethodHead, "/pets/17", nil); m.Operation == nil || m.Operation.Method != http.MethodGet {
		t.Error("HEAD isn't held against GET")
	}
}

func TestEachPlaceOfAHeadThatBreaksTheDescriptionIsTold(t *testing.T) {
	t.Parallel()
	d := petshop(t)
	const session = "session=12345678"
	for name, tt := range map[string]struct {
		path, query string
		header      map[string]string
		loose       bool
		want        []string
	}{
		"all is well": {
			"/pets", "limit=5&tags=a&tags=b&ids=1,2&filter[age]=3&where=%7B%22name%22%3A%22x%22%7D&api_key=k",
			map[string]string{"Cookie": "a=b; " + session, "X-Tenant": "0190b2c5-7d3c-7e5a-9f7f-3d1c2b4a5968"},
			false, nil,
		},
		"what is required is missing": {"/pets", "", nil, false, []string{"cookie.session required"}},
		"numbers":                     {"/pets", "limit=ten", map[string]string{"Cookie": session}, false, []string{"query.limit type"}},
		"bounds":                      {"/pets", "limit=0", map[string]string{"Cookie": session}, false, []string{"query.limit minimum"}},
		"a huge exponent":             {"/pets", "limit=1e999999999", map[string]string{"Cookie": session}, false, []string{"query.limit maximum"}},
		"a scalar twice":              {"/pets", "limit=5&limit=6", map[string]string{"Cookie": session}, false, []string{"query.limit repeated"}},
		"items of lists": {
			"/pets", "tags=a&tags=B&ids=1,x",
			map[string]string{"Cookie": session},
			false,
			[]string{"query.tags/1 pattern", "query.ids/1 type"},
		},
		"members of objects": {
			"/pets", "filter[age]=old&filter[size]=2&where=%7B%22age%22%3A%22x%22%7D",
			map[string]string{"Cookie": session},
			false,
			[]string{"query.filter/age type", "query.filter/size additionalProperties", "query.where/age type"},
		},
		"what isn't JSON":      {"/pets", "where=%7B", map[string]string{"Cookie": session}, false, []string{"query.where style"}},
		"what isn't described": {"/pets", "color=red&limit=1&color=blue", map[string]string{"Cookie": session}, false, []string{"query.color parameter"}},
		"and is let pass":      {"/pets", "color=red", map[string]string{"Cookie": session}, true, nil},
		"broken escapes":       {"/pets", "limit=%zz", map[string]string{"Cookie": session}, false, []string{"query query"}},
		"headers":              {"/pets", "", map[string]string{"Cookie": session, "X-Tenant": "me"}, false, []string{"header.X-Tenant format"}},
		"a short cookie":       {"/pets", "", map[string]string{"Cookie": "session=1"}, false, []string{"cookie.session minLength"}},
		"the path":             {"/pets/0", "", nil, false, []string{"path.id minimum"}},
		"the path as a text":   {"/pets/a%2Fb", "", nil, false, []string{"path.id type"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, params := operation(t, d, http.MethodGet, tt.path)
			breaches := o.Head(&openapi.Head{Params: params, Query: tt.query, Strict: !tt.loose, Header: func(name string) (string, bool) {
				text, has := tt.header[name]
				return text, has
			}})
			same(t, places(breaches), tt.want)
		})
	}
}

func TestEachPlaceOfABodyThatBreaksItsSchemaIsTold(t *testing.T) {
	t.Parallel()
	o, _ := operation(t, petshop(t), http.MethodPost, "/pets")
	content, breaches := o.Body("application/json; charset=utf-8", true)
	if len(breaches) > 0 || content.Looks() != openapi.JSON {
		t.Fatalf("%v", breaches)
	}
	for text, want := range map[string][]string{
		`{"name":"Rex","kind":"dog"}`: nil, // the id is the service's
		`{"name":"Rex","kind":"dog","price":12.50,"owner":null,"parent":{"name":"Max","kind":"dog"}}`: nil,
		`[]`:                                         {"type"},
		`{"name":"","kind":"cow"}`:                   {"/kind enum", "/name minLength"},
		`{"name":"Rex"}`:                             {"/kind required"},
		`{"name":7,"kind":null}`:                     {"/kind type", "/name type"},
		`{"name":"a","kind":"dog","price":0}`:        {"/price minimum"},
		`{"name":"a","kind":"dog","price":1.005}`:    {"/price multipleOf"},
		`{"name":"a","kind":"dog","price":1e400000}`: {"/price multipleOf"},
		`{"name":"a","kind":"dog","parent":{"name":"b","kind":"dog","parent":{"name":"c"}}}`:                             {"/parent/parent/kind required"},
		`{"name":"a","kind":"dog","friends":[{"name":"b","kind":"dog"},{"kind":"dog","name":"b"}]}`:                      {"/friends uniqueItems"},
		`{"name":"a","kind":"dog","friends":[{"name":"b","kind":"dog"},{"kind":"d/o~g","name":"b"}],"labels":{"a/b":1}}`: {"/friends/1/kind enum", "/labels/a~1b type"},
	} {
		same(t, places(openapi.Check(content, readValue(t, text), len(text), openapi.ToService)), want)
	}
}

func TestWhatOnlyServicesSetIsAskedOfAnswers(t *testing.T) {
	t.Parallel()
	o, _ := operation(t, petshop(t), http.MethodGet, "/pets/7")
	content, breaches := o.Answer(http.StatusOK).Head("application/json", true, func(string) (string, bool) { return "", false })
	if len(breaches) > 0 {
		t.Fatal(breaches)
	}
	const text = `{"name":"Rex","kind":"dog"}`
	same(t, places(openapi.Check(content, readValue(t, text), len(text), openapi.ToCaller)), []string{"/id required"})
}

func TestNamesThatCallersMadeUpAreLeftOutOfWhatIsDescribed(t *testing.T) {
	t.Parallel()
	o, _ := operation(t, petshop(t), http.MethodPost, "/pets")
	content, _ := o.Body("application/json", true)
	const text = `{"name":"a","kind":"dog","labels":{"ssn 078-05-1120":7}}`
	breaches := openapi.Check(content, readValue(t, text), len(text), openapi.ToService)
	if len(breaches) != 1 || breaches[0].Described != "/labels/*" || breaches[0].Where != "/labels/ssn 078-05-1120" {
		t.Errorf("got %+v", breaches)
	}
}

func TestABodyIsOneThatIsDescribed(t *testing.T) {
	t.Parallel()
	d := petshop(t)
	post, _ := operation(t, d, http.MethodPost, "/pets")
	get, _ := operation(t, d, http.MethodGet, "/pets/7")
	for name, tt := range map[string]struct {
		operation   *openapi.Operation
		contentType string
		present     bool
		want        []string
	}{
		"none where one is required": {post, "", false, []string{"body required"}},
		"of no described type":       {post, "text/plain", true, []string{"header.Content-Type content"}},
		"of no type":                 {post, "", true, []string{"header.Content-Type content"}},
		"of a range":                 {post, "image/png", true, nil},
		"one where none is":          {get, "application/json", true, []string{"body body"}},
		"none where none is":         {get, "", false, nil},
	} {
		_, breaches := tt.operation.Body(tt.contentType, tt.present)
		t.Run(name, func(t *testing.T) { same(t, places(breaches), tt.want) })
	}
}

func TestFormsAreHeldAgainstTheirSchema(t *testing.T) {
	t.Parallel()
	o, _ := operation(t, petshop(t), http.MethodPost, "/pets")
	content, _ := o.Body("application/x-www-form-urlencoded", true)
	for name, tt := range map[string]struct {
		fields []openapi.Field
		want   []string
	}{
		"well":       {[]openapi.Field{{"name", "Rex"}, {"age", "3"}, {"tags", "a"}, {"tags", "b"}}, nil},
		"broken":     {[]openapi.Field{{"age", "old"}, {"color", "red"}}, []string{"/name required", "/age type", "/color additionalProperties"}},
		"name twice": {[]openapi.Field{{"name", "Rex"}, {"name", "Max"}}, []string{"repeated"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, places(content.Fields(tt.fields, 50)), tt.want)
		})
	}
}

func TestPartsAreHeldAgainstTheSchemaOfTheirName(t *testing.T) {
	t.Parallel()
	o, _ := operation(t, petshop(t), http.MethodPost, "/pets")
	content, _ := o.Body("multipart/form-data; boundary=x", true)
	photo := openapi.Part{Name: "photo", Type: "image/png", Text: "\x89PNG"}
	for name, tt := range map[string]struct {
		parts []openapi.Part
		want  []string
	}{
		"well":              {[]openapi.Part{{Name: "pet", Text: `{"name":"Rex","kind":"dog"}`}, photo}, nil},
		"a broken pet":      {[]openapi.Part{{Name: "pet", Type: "application/json", Text: `{"name":"Rex"}`}, photo}, []string{"/pet/kind required"}},
		"not JSON":          {[]openapi.Part{{Name: "pet", Text: `Rex`}, photo}, []string{"/pet style", "/pet required"}},
		"of another type":   {[]openapi.Part{{Name: "pet", Text: `{"name":"Rex","kind":"dog"}`}, {Name: "photo", Type: "text/html"}}, []string{"/photo content", "/photo required"}},
		"without the photo": {[]openapi.Part{{Name: "pet", Text: `{"name":"Rex","kind":"dog"}`}}, []string{"/photo required"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, places(content.Parts(tt.parts, 100)), tt.want)
		})
	}
}

func TestAnswersAreFoundByStatusRangeAndDefault(t *testing.T) {
	t.Parallel()
	d := petshop(t)
	list, _ := operation(t, d, http.MethodGet, "/pets")
	none := func(string) (string, bool) { return "", false }
	_, breaches := list.Answer(http.StatusOK).Head("text/html", true, none)
	same(t, places(breaches), []string{"header.X-Next required", "header.Content-Type content"})
	content, breaches := list.Answer(http.StatusTeapot).Head("application/problem+json", true, none)
	same(t, places(breaches), nil)
	same(t, places(openapi.Check(content, readValue(t, `{}`), 2, openapi.ToCaller)), []string{"/title required"})
	post, _ := operation(t, d, http.MethodPost, "/pets")
	if post.Answer(http.StatusConflict) == nil || post.Answer(http.StatusBadGateway) != nil {
		t.Error("answers aren't found by their range")
	}
}

func TestAtMostSixteenPlacesAreTold(t *testing.T) {
	t.Parallel()
	o, _ := operation(t, petshop(t), http.MethodPost, "/pets")
	content, _ := o.Body("application/json", true)
	text := `{"name":"a","kind":"dog","labels":{"a":1` + strings.Repeat(`,"`+strings.Repeat("x", 400)+`":1`, 1) + `},"friends":[` + strings.Repeat("1,", 8) + `1]}`
	if n := len(openapi.Check(content, readValue(t, text), len(text), openapi.ToService)); n == 0 || n > openapi.MaxBreaches {
		t.Errorf("%d places are told", n)
	}
	many := "[" + strings.Repeat("1,", 100_000) + "1]"
	list, _ := operation(t, petshop(t), http.MethodGet, "/pets")
	answer, _ := list.Answer(http.StatusOK).Head("application/json", true, func(string) (string, bool) { return "/", true })
	if n := len(openapi.Check(answer, readValue(t, many), len(many), openapi.ToCaller)); n != openapi.MaxBreaches {
		t.Errorf("%d places of a long list are told, want %d", n, openapi.MaxBreaches)
	}
}
