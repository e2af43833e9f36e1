package descriptions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/openapi"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
)

// Label marks the routes that an API description has made; its value is the description's id.
const Label = "api-description"

// longestName is how long names are at the most.
const longestName = 63

// wanted is a route that a description makes.
type wanted struct {
	name, path, text string // path: as routes have it; text: as the description does
	template         bool
	methods          []string
}

// PlanRoutes returns what leads from the routes that a description has made to those that it makes now, without what the batch would make. Nothing is written.
func (r *Reports) PlanRoutes(ctx context.Context, environment, key string, ask *adminv1.PlanRoutesRequest) (*adminv1.RoutesPlan, error) {
	head, err := r.heads.Head(ctx, environment)
	if err != nil {
		return nil, err
	}
	return planRoutes(head, key, ask)
}

func planRoutes(head *catalog.Head, key string, ask *adminv1.PlanRoutesRequest) (*adminv1.RoutesPlan, error) {
	described, ok := head.Object(catalog.APIDescriptions, key)
	if !ok {
		return nil, problem.Errorf(problem.NotFound, "there is no API description %q in this environment", key)
	}
	service, ok := head.Object(catalog.Services, ask.GetService())
	if !ok {
		return nil, problem.Invalid(problem.Violation{
			Pointer: "/service", Code: problem.ViolationUnknownReference, Detail: "there is no such service in this environment",
		})
	}
	compiled, err := openapi.Compile([]byte(described.Message.(*configv1.ApiDescription).GetDocument()))
	if err != nil {
		return nil, fmt.Errorf("API description %s: %w", described.ID, err)
	}
	prefix := compiled.BasePath()
	if ask.Prefix != nil {
		prefix = strings.TrimSuffix(ask.GetPrefix(), "/")
	}
	naming := ask.GetNaming()
	if naming == "" {
		naming = described.Name
	}
	answer := &adminv1.RoutesPlan{}
	routes := routesWanted(compiled, prefix, naming, answer)
	for _, r := range routes {
		if _, err := path.ParseTemplate(r.path); err != nil {
			return nil, problem.Invalid(problem.Violation{Pointer: "/prefix", Code: problem.ViolationInvalidFormat, Detail: r.path + ": " + err.Error()})
		}
	}
	p := planner{head: head, answer: answer, description: described, service: service, public: ask.GetPublic()}
	return answer, p.plan(routes)
}

// routesWanted groups the methods of each path. Paths that are one as a route's are one route.
func routesWanted(d *openapi.Description, prefix, naming string, answer *adminv1.RoutesPlan) []*wanted {
	byPath := map[string]*wanted{}
	var all []*wanted
	for _, o := range d.Operations() {
		text, template, wider := templateOf(prefix + o.Path)
		shape := shapeOf(text)
		r := byPath[shape]
		if r == nil {
			r = &wanted{name: nameOf(naming, o.Path), path: text, text: o.Path, template: template}
			byPath[shape] = r
			all = append(all, r)
			if wider {
				answer.Notes = append(answer.Notes, fmt.Sprintf("The route of %s takes whole segments where the description has a part of one.", o.Path))
			}
		}
		if !slices.Contains(r.methods, o.Method) {
			r.methods = append(r.methods, o.Method)
		}
	}
	for _, r := range all {
		slices.Sort(r.methods)
	}
	return all
}

// templateOf writes a path of a description as routes have them: parameters are whole segments there, and their names are words. Wider tells of more paths.
func templateOf(text string) (route string, template, wider bool) {
	segments := strings.Split(text, "/")
	used := map[string]bool{}
	for i, segment := range segments {
		if !strings.Contains(segment, "{") {
			continue
		}
		template = true
		wider = wider || !strings.HasPrefix(segment, "{") || strings.Index(segment, "}") != len(segment)-1
		name := word(segment)
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s_%d", word(segment), n)
		}
		used[name] = true
		segments[i] = "{" + name + "}"
	}
	return strings.Join(segments, "/"), template, wider
}

// word makes a parameter's name of a segment.
func word(segment string) string {
	text := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		case r == '{' || r == '}':
			return -1
		}
		return '_'
	}, segment), "_")
	if text == "" || text[0] >= '0' && text[0] <= '9' {
		return "p" + text
	}
	return text
}

// shapeOf is the same for templates that take the same paths.
func shapeOf(route string) string {
	segments := strings.Split(route, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// nameOf makes a route's name of a path: the same path has the same name each time, and no other path has it.
func nameOf(naming, template string) string {
	text := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, template), "-")
	for strings.Contains(text, "--") {
		text = strings.ReplaceAll(text, "--", "-")
	}
	sum := sha256.Sum256([]byte(template))
	mark := "-" + hex.EncodeToString(sum[:3])
	text = strings.TrimRight(strings.TrimRight(naming, "-._")+"-"+text, "-")
	return strings.TrimRight(text[:min(len(text), longestName-len(mark))], "-._") + mark
}

type planner struct {
	head                 *catalog.Head
	answer               *adminv1.RoutesPlan
	description, service *catalog.Object
	public               bool
}

// plan compares the routes that there are with those that there should be.
func (p *planner) plan(routes []*wanted) error {
	kept := map[string]bool{}
	for _, r := range routes {
		kept[r.name] = true
		if err := p.one(r); err != nil {
			return err
		}
	}
	for _, o := range p.head.Objects(catalog.Routes) {
		if p.made(o) && !kept[o.Name] {
			p.answer.Operations = append(p.answer.Operations, &adminv1.Operation{Action: "delete", Collection: catalog.Routes, Key: o.ID, IfMatch: o.ETag})
		}
	}
	return nil
}

// made tells whether a route is one of the description's.
func (p *planner) made(o *catalog.Object) bool {
	return o.Message.GetLabels()[Label] == p.description.ID
}

func (p *planner) one(r *wanted) error {
	compare := "exact"
	if r.template {
		compare = "template"
	}
	methods := make([]any, len(r.methods))
	for i, m := range r.methods {
		methods[i] = m
	}
	fields := map[string]any{
		"service": p.service.ID, "paths": []any{map[string]any{compare: r.path}}, "methods": methods, "public": p.public,
	}
	o, there := p.head.Object(catalog.Routes, r.name)
	if there && p.made(o) {
		if p.same(o.Message.(*configv1.Route), r) {
			p.answer.Unchanged = append(p.answer.Unchanged, r.name)
			return nil
		}
		return p.add(&adminv1.Operation{Action: "patch", Collection: catalog.Routes, Key: o.ID, IfMatch: o.ETag}, fields)
	}
	// One of the name that somebody else made isn't taken over: the batch says that the name is taken.
	fields["name"], fields["labels"] = r.name, map[string]any{Label: p.description.ID}
	return p.add(&adminv1.Operation{Action: "create", Collection: catalog.Routes}, fields)
}

func (p *planner) add(operation *adminv1.Operation, fields map[string]any) error {
	body, err := structpb.NewStruct(fields)
	if err != nil {
		return fmt.Errorf("write down a route: %w", err)
	}
	operation.Body = body
	p.answer.Operations = append(p.answer.Operations, operation)
	return nil
}

// same tells whether a route is as it should be, as far as the description says; what else people have set stays.
func (p *planner) same(m *configv1.Route, r *wanted) bool {
	if m.GetService() != p.service.ID || m.GetPublic() != p.public || len(m.GetPaths()) != 1 {
		return false
	}
	there := m.GetPaths()[0].GetExact()
	if r.template {
		there = m.GetPaths()[0].GetTemplate()
	}
	methods := slices.Clone(m.GetMethods())
	slices.Sort(methods)
	return there == r.path && slices.Equal(methods, r.methods)
}
