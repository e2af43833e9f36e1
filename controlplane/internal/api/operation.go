package api

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
)

// document is the OpenAPI document, as it is served.
//
//go:embed openapi.json
var document []byte

// defaultBodyLimit is the size of a body, in bytes, where the document states no x-body-limit.
const defaultBodyLimit = 1 << 20

// operationTimeout bounds an operation, ?wait= left out.
const operationTimeout = 35 * time.Second

// exportTimeout bounds an operation whose answer is a stream. The server ends an answer after two minutes anyway.
const exportTimeout = 110 * time.Second

// operation is what the document says of one operation, as far as the server runs by it.
type operation struct {
	id         string
	method     string
	path       string // with parameters as {name}
	permission access.Permission
	binding    binding

	query     []string // parameters, in the order of the document
	filters   bool     // filter[…] is among them
	openQuery bool     // x-open-query: others may come with them, since somebody else's server writes the query
	exports   bool     // the answer is a stream of lines
	session   bool     // x-session: it takes a session; an access token isn't enough

	media        string // content type of the body; "": it takes none
	bodyRequired bool
	bodyLimit    int64 // bytes
}

// binding is where the permission of an operation may be held: x-binding.
type binding string

const (
	// bindingWhole: throughout the environment that the path names; everywhere if it names none.
	bindingWhole binding = ""
	// bindingTeam: also for a team of the environment. Then it is for that team's objects alone, and the handler sees to it.
	bindingTeam binding = "team"
	// bindingAny: anywhere at all. The handler shows, and the domain lets write, what the holder may.
	bindingAny binding = "any"
)

// namesEnvironment tells whether the operation is on an environment, or something in it.
func (o *operation) namesEnvironment() bool { return strings.Contains(o.path, "{environment}") }

// checkBinding refuses a binding that admit couldn't hold anybody to.
func (o *operation) checkBinding() error {
	switch {
	case o.binding == bindingWhole, o.binding == bindingTeam && o.namesEnvironment(), o.binding == bindingAny && !o.namesEnvironment():
		return nil
	default:
		return fmt.Errorf("its x-binding %q isn't one that its path can have", o.binding)
	}
}

// route returns the path as echo writes it.
func (o *operation) route() string {
	return strings.NewReplacer("{", ":", "}", "").Replace(o.path)
}

// timeout bounds how long the operation may take once its head is read.
func (o *operation) timeout() time.Duration {
	if slices.Contains(o.query, "wait") {
		return operationTimeout + maxWait
	}
	if o.exports {
		return exportTimeout
	}
	return operationTimeout
}

// spec is the part of an OpenAPI document that readOperations looks at.
type spec struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Parameters map[string]specParameter `json:"parameters"`
	} `json:"components"`
}

type specParameter struct {
	Ref  string `json:"$ref"`
	Name string `json:"name"`
	In   string `json:"in"`
}

type specOperation struct {
	ID          string            `json:"operationId"`
	Permission  access.Permission `json:"x-permission"`
	Binding     binding           `json:"x-binding"`
	BodyLimit   int64             `json:"x-body-limit"`
	OpenQuery   bool              `json:"x-open-query"`
	Session     bool              `json:"x-session"`
	Parameters  []specParameter   `json:"parameters"`
	RequestBody *struct {
		Required bool                       `json:"required"`
		Content  map[string]json.RawMessage `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]json.RawMessage `json:"content"`
	} `json:"responses"`
}

func (o *specOperation) exports() bool {
	_, lines := o.Responses["200"].Content[mediaLines]
	return lines
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// readOperations returns every operation of a document.
func readOperations(text []byte) ([]*operation, error) {
	var doc spec
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var all []*operation
	for path, members := range doc.Paths {
		for _, method := range methods {
			member, ok := members[strings.ToLower(method)]
			if !ok {
				continue
			}
			op, err := doc.read(method, path, member)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int { return strings.Compare(a.id, b.id) })
	return all, nil
}

func (d *spec) read(method, path string, text json.RawMessage) (*operation, error) {
	var from specOperation
	if err := json.Unmarshal(text, &from); err != nil {
		return nil, err
	}
	if from.ID == "" {
		return nil, errors.New("it has no operationId")
	}
	op := &operation{
		exports: from.exports(), id: from.ID, method: method, path: path, permission: from.Permission, binding: from.Binding, bodyLimit: from.BodyLimit,
		openQuery: from.OpenQuery, session: from.Session,
	}
	if op.bodyLimit == 0 {
		op.bodyLimit = defaultBodyLimit
	}
	if err := op.checkBinding(); err != nil {
		return nil, err
	}
	if body := from.RequestBody; body != nil {
		if len(body.Content) != 1 {
			return nil, errors.New("its body has not exactly one content type")
		}
		op.bodyRequired = body.Required
		for media := range body.Content {
			op.media = media
		}
	}
	return op, d.readParameters(op, from.Parameters)
}

func (d *spec) readParameters(op *operation, parameters []specParameter) error {
	for _, p := range parameters {
		if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
			if p, ok = d.Components.Parameters[name]; !ok {
				return fmt.Errorf("there is no parameter %q", name)
			}
		}
		switch {
		case p.In != "query":
		case p.Name == "filter":
			op.filters = true
		default:
			op.query = append(op.query, p.Name)
		}
	}
	return nil
}
