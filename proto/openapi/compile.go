package openapi

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/proto/path"
)

const (
	// maxOperations is how many operations a description has at the most.
	maxOperations = 2_000
	// maxParameters is how many parameters one operation has.
	maxParameters = 200
	// maxHops is how many references lead to what isn't a schema, one after the other.
	maxHops = 8
)

// methods are the fields of a path item that are operations, and what they are called in a request.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// Fields that objects of OpenAPI have. Others are refused, since a misspelt one would say nothing and seem to; those that begin with "x-" are for others.
var (
	rootFields      = []string{"openapi", "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components", "security", "tags", "externalDocs"}
	pathFields      = append([]string{"$ref", "summary", "description", "servers", "parameters"}, methods...)
	operationFields = []string{
		"tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody", "responses", "callbacks", "deprecated", "security", "servers",
	}
	bodyFields     = []string{"description", "content", "required"}
	mediaFields    = []string{"schema", "example", "examples", "encoding"}
	responseFields = []string{"description", "headers", "content", "links"}
)

// compiler reads a document.
type compiler struct {
	*faults
	dialect  *dialect
	document map[string]any
	pending  []*schema // that have no rule yet
	tree     *node
	made     *Description
}

// schema is one that is named by the number that the dialect gave it, until its rule is there.
type schema struct {
	number int
	rule   *rule
}

// Compile reads a description. The error is of type DocumentErrors: everything that is wrong, up to a number.
func Compile(text []byte) (*Description, error) {
	document, err := parse(text)
	if err != nil {
		return nil, err
	}
	f := &faults{}
	c := &compiler{
		faults: f, document: document, tree: &node{}, made: &Description{},
		dialect: &dialect{faults: f, document: document, names: map[string]int{}, written: map[string]any{}},
	}
	if !c.version() {
		return nil, f.err()
	}
	c.read()
	if err := f.err(); err != nil {
		return nil, err
	}
	rules := c.dialect.compile()
	if err := f.err(); err != nil {
		return nil, err
	}
	for _, s := range c.pending {
		s.rule = rules[s.number]
	}
	c.made.tree = c.tree
	return c.made, nil
}

func (c *compiler) version() bool {
	text, _ := c.document["openapi"].(string)
	switch {
	case strings.HasPrefix(text, "3.0."):
		c.dialect.old = true
	case strings.HasPrefix(text, "3.1."):
	case c.document["swagger"] != nil:
		c.add(rootPlace("swagger"), "this is Swagger 2.0: convert it to OpenAPI 3.0 or 3.1")
		return false
	default:
		c.add(rootPlace("openapi"), `must be the version, as a text: "3.0.3" or "3.1.0", and no other than 3.0 and 3.1`)
		return false
	}
	c.made.Version = text
	return true
}

// rootPlace returns the place of a field of the document.
func rootPlace(token string) *place { return &place{token: token} }

func (c *compiler) read() {
	doc := section{c, c.document, nil}
	doc.only(rootFields)
	if dialect, has := c.document["jsonSchemaDialect"]; has {
		if text, _ := dialect.(string); !slices.Contains(dialects, text) {
			doc.fault("jsonSchemaDialect", "schemas are those of JSON Schema 2020-12")
		}
	}
	info, _ := doc.object("info")
	c.made.Title, c.made.Edition = info.text("title"), info.text("version")
	c.made.base = c.basePath(doc)
	c.securityQuery(doc)
	paths, has := doc.object("paths")
	if !has && !c.dialect.old {
		return // a description of webhooks and components alone
	}
	if !has {
		doc.fault("paths", "is missing")
		return
	}
	for _, template := range sorted(paths.fields) {
		if !strings.HasPrefix(template, "x-") {
			c.pathItem(template, paths)
		}
	}
	slices.SortStableFunc(c.made.operations, compareOperations)
}

// basePath returns the path of the first server, without a slash at its end.
func (c *compiler) basePath(doc section) string {
	servers, ok := doc.fields["servers"].([]any)
	if !ok || len(servers) == 0 {
		return ""
	}
	server, ok := servers[0].(map[string]any)
	if !ok {
		doc.fault("servers", "is a list of objects")
		return ""
	}
	text, _ := server["url"].(string)
	variables, _ := server["variables"].(map[string]any)
	for _, name := range sorted(variables) {
		if variable, ok := variables[name].(map[string]any); ok {
			value, _ := variable["default"].(string)
			text = strings.ReplaceAll(text, "{"+name+"}", value)
		}
	}
	at := doc.at.at("servers", 0, "url")
	parsed, err := url.Parse(text)
	if err != nil {
		c.add(at, "isn't a URL")
		return ""
	}
	base := strings.TrimRight(parsed.EscapedPath(), "/")
	if base == "" {
		return ""
	}
	canonical, err := path.Canonical("/" + strings.TrimLeft(base, "/"))
	if err != nil {
		c.add(at, "its path can't be asked for: %v", err)
		return ""
	}
	return canonical
}

// securityQuery notes the parameters of the query by which callers prove who they are.
func (c *compiler) securityQuery(doc section) {
	components, _ := doc.object("components")
	schemes, _ := components.object("securitySchemes")
	for _, name := range sorted(schemes.fields) {
		scheme, ok := c.follow(schemes.fields[name], schemes.at.at(name))
		if ok && scheme.text("type") == "apiKey" && scheme.text("in") == inQuery {
			c.made.keys = append(c.made.keys, scheme.text("name"))
		}
	}
}

func (c *compiler) pathItem(template string, paths section) {
	item, ok := c.follow(paths.fields[template], paths.at.at(template))
	if !ok {
		return
	}
	item.only(pathFields)
	parsed, err := parseTemplate(template)
	if err != nil {
		c.add(paths.at.at(template), "%v", err)
		return
	}
	leaf, same := c.tree.add(parsed.segments, template)
	if same != "" {
		c.add(paths.at.at(template), "matches the same paths as %q", same)
		return
	}
	shared := c.parameters(item, parsed.names)
	for _, method := range methods {
		source, has := item.object(method)
		if !has {
			continue
		}
		o := c.operation(source, strings.ToUpper(method), template, parsed, shared)
		leaf.operations = append(leaf.operations, o)
		if c.made.operations = append(c.made.operations, o); len(c.made.operations) == maxOperations+1 {
			c.add(source.at, "a description has at most %d operations", maxOperations)
		}
	}
}

func (c *compiler) operation(source section, method, template string, parsed template, shared []*parameter) *Operation {
	source.only(operationFields)
	o := &Operation{
		Method: method, Path: template, ID: source.text("operationId"), Summary: source.text("summary"), Deprecated: source.flag("deprecated"),
		names: parsed.names, keys: c.made.keys,
	}
	o.parameters = slices.Clone(c.parameters(source, parsed.names))
	for _, p := range shared {
		if !slices.ContainsFunc(o.parameters, func(own *parameter) bool { return own.name == p.name && own.in == p.in }) {
			o.parameters = append(o.parameters, p)
		}
	}
	if len(o.parameters) > maxParameters {
		source.fault("parameters", "an operation has at most 200 parameters")
	}
	for _, name := range parsed.names {
		if !slices.ContainsFunc(o.parameters, func(p *parameter) bool { return p.in == inPath && p.name == name }) {
			source.fault("parameters", "describe the parameter {"+name+"} of the path")
		}
	}
	if body, has := source.fields["requestBody"]; has {
		o.body = c.body(body, source.at.at("requestBody"))
	}
	c.answers(source, o)
	return o
}

func (c *compiler) body(value any, at *place) *body {
	source, ok := c.follow(value, at)
	if !ok {
		return nil
	}
	source.only(bodyFields)
	b := &body{required: source.flag("required")}
	contents, has := source.object("content")
	if !has {
		source.fault("content", "is missing")
	}
	b.contents = c.contents(contents)
	return b
}

func (c *compiler) contents(source section) []*Content {
	var all []*Content
	for _, name := range sorted(source.fields) {
		media, ok := c.follow(source.fields[name], source.at.at(name))
		if !ok {
			continue
		}
		media.only(mediaFields)
		made := &Content{Type: Essence(name)}
		if made.Type == "" {
			source.fault(name, "isn't a media type")
		}
		made.schema = c.schemaOf(media)
		made.parts = c.encodings(media)
		all = append(all, made)
	}
	slices.SortStableFunc(all, func(a, b *Content) int { return wildness(a.Type) - wildness(b.Type) })
	return all
}

func (c *compiler) encodings(media section) map[string]*encoding {
	source, has := media.object("encoding")
	if !has {
		return nil
	}
	all := map[string]*encoding{}
	for _, name := range sorted(source.fields) {
		one, ok := source.object(name)
		if !ok {
			continue
		}
		one.only([]string{"contentType", "headers", "style", "explode", "allowReserved"})
		made := &encoding{}
		made.style, made.explode = one.style(styleForm)
		for text := range strings.SplitSeq(one.text("contentType"), ",") {
			if essence := Essence(text); essence != "" {
				made.types = append(made.types, essence)
			}
		}
		all[name] = made
	}
	return all
}

func (c *compiler) answers(source section, o *Operation) {
	responses, has := source.object("responses")
	if !has && c.dialect.old {
		source.fault("responses", "is missing")
	}
	for _, status := range sorted(responses.fields) {
		if strings.HasPrefix(status, "x-") {
			continue
		}
		if !isStatus(status) {
			responses.fault(status, `must be a status ("200"), a range ("2XX") or "default"`)
			continue
		}
		response, ok := c.follow(responses.fields[status], responses.at.at(status))
		if !ok {
			continue
		}
		response.only(responseFields)
		answer := &Answer{status: strings.ToUpper(status)}
		contents, _ := response.object("content")
		answer.contents = c.contents(contents)
		answer.headers = c.headers(response)
		o.answers = append(o.answers, answer)
	}
}

func (c *compiler) headers(response section) []*parameter {
	source, _ := response.object("headers")
	var all []*parameter
	for _, name := range sorted(source.fields) {
		header, ok := c.follow(source.fields[name], source.at.at(name))
		if !ok || strings.EqualFold(name, "Content-Type") {
			continue // which the content says (OpenAPI 3.1, Response Object)
		}
		all = append(all, c.valueOf(header, &parameter{name: name, in: inHeader, required: header.flag("required")}))
	}
	return all
}

// schemaOf notes the schema of a media type or a parameter; nil: it has none.
func (c *compiler) schemaOf(source section) *schema {
	value, has := source.fields["schema"]
	if !has {
		return nil
	}
	s := &schema{number: c.dialect.add(value, source.at.at("schema"))}
	c.pending = append(c.pending, s)
	return s
}

func isStatus(text string) bool {
	if text == "default" {
		return true
	}
	if len(text) != 3 || text[0] < '1' || text[0] > '5' {
		return false
	}
	rest := strings.ToUpper(text[1:])
	return rest == "XX" || leadingDigits(rest) == rest
}
