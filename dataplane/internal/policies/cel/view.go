package cel

import (
	"net/netip"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/cel"
)

// view is the variables of one evaluation. All that an expression may ask for first is part of it, so that asking allocates nothing.
type view struct {
	ex  *pipeline.Exchange
	who *pipeline.Identity

	request  request
	consumer consumer
	client   client
	route    route
	service  service
	claims   table

	query, queryValues, headers, headerValues, params, labels, metadata table
	scopes                                                              list
}

func newView() *view {
	v := new(view)
	v.request.view, v.consumer.view, v.client.view, v.route.view, v.service.view = v, v, v, v, v
	v.claims.source = (*tokenClaims)(v)
	v.query.source, v.queryValues.source = (*query)(v), (*queryValues)(v)
	v.headers.source, v.headerValues.source = (*headers)(v), (*headerValues)(v)
	v.params.source = (*params)(v)
	v.labels.source, v.metadata.source = (*labels)(v), (*metadata)(v)
	v.scopes.items = (*scopes)(v)
	return v
}

// ResolveName implements cel.Activation.
func (v *view) ResolveName(name string) (any, bool) {
	switch name {
	case contract.Request:
		return &v.request, true
	case contract.Consumer:
		return &v.consumer, true
	case contract.Claims:
		return &v.claims, true
	case contract.Client:
		return &v.client, true
	case contract.Now:
		return types.Timestamp{Time: v.ex.Now}, true
	case contract.Route:
		return &v.route, true
	case contract.Service:
		return &v.service, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (*view) Parent() cel.Activation { return nil }

// methods are the values of usual methods, made once.
var methods = func() map[string]ref.Val {
	all := make(map[string]ref.Val)
	for _, method := range [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		all[method] = types.String(method)
	}
	return all
}()

// object is what all objects have: the view that they show a part of.
type object struct {
	contract.Base
	view *view
}

func none(field string) ref.Val { return types.NewErr("no such field %s", field) }

type request struct{ object }

func (r *request) Type() ref.Type { return contract.RequestType }
func (r *request) Value() any     { return r }

// Field implements contract.Object.
func (r *request) Field(name string) ref.Val {
	from := &r.view.ex.Request
	switch name {
	case "method":
		if usual, ok := methods[from.Method]; ok {
			return usual
		}
		return contract.Text(from.Method)
	case "scheme":
		return contract.Text(from.Scheme)
	case "host":
		return contract.Text(from.Authority)
	case "path":
		return contract.Text(from.Path)
	case "query":
		return &r.view.query
	case "query_values":
		return &r.view.queryValues
	case "headers":
		return &r.view.headers
	case "header_values":
		return &r.view.headerValues
	case "params":
		return &r.view.params
	}
	return none(name)
}

type consumer struct{ object }

func (c *consumer) Type() ref.Type { return contract.ConsumerType }
func (c *consumer) Value() any     { return c }

// Field implements contract.Object.
func (c *consumer) Field(name string) ref.Val {
	who := c.view.who
	switch name {
	case "id":
		if !who.Known() {
			return types.String("")
		}
		return types.String(id.Text(id.Consumer, who.Consumer.ID))
	case "name":
		if !who.Known() {
			return types.String("")
		}
		return contract.Text(who.Consumer.Name)
	case "labels":
		return &c.view.labels
	case "metadata":
		return &c.view.metadata
	case "scopes":
		return &c.view.scopes
	}
	return none(name)
}

type client struct{ object }

func (c *client) Type() ref.Type { return contract.ClientType }
func (c *client) Value() any     { return c }

// Address implements contract.Addressed.
func (c *client) Address() netip.Addr { return c.view.ex.Client.Address }

// Field implements contract.Object.
func (c *client) Field(name string) ref.Val {
	if name == "address" {
		return types.String(c.Address().String())
	}
	return none(name)
}

type route struct{ object }

func (r *route) Type() ref.Type { return contract.RouteType }
func (r *route) Value() any     { return r }

// Field implements contract.Object.
func (r *route) Field(name string) ref.Val {
	switch of := r.view.ex.Route; {
	case of == nil:
		return types.String("")
	case name == "id":
		return types.String(id.Text(id.Route, of.ID))
	case name == "name":
		return types.String(of.Name)
	}
	return none(name)
}

type service struct{ object }

func (s *service) Type() ref.Type { return contract.ServiceType }
func (s *service) Value() any     { return s }

// Field implements contract.Object.
func (s *service) Field(name string) ref.Val {
	switch of := s.view.ex.Route; {
	case of == nil:
		return types.String("")
	case name == "id":
		return types.String(id.Text(id.Service, of.Service))
	case name == "name":
		return types.String(of.ServiceName)
	}
	return none(name)
}
