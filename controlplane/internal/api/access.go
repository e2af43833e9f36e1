package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/proto/problem"
)

// book is a collection of what access is decided by: users, teams, roles, role bindings. Those that belong to no environment
// are asked with "".
type book interface {
	Create(ctx context.Context, environment string, body []byte) (proto.Message, error)
	Get(ctx context.Context, environment, key string) (proto.Message, error)
	List(ctx context.Context, environment string, q listing.Query) (listing.Page[proto.Message], error)
	Put(ctx context.Context, environment, key string, body []byte, ifMatch string) (m proto.Message, created bool, err error)
	Patch(ctx context.Context, environment, key string, patch []byte, ifMatch string) (proto.Message, error)
	Delete(ctx context.Context, environment, key, ifMatch string) error
}

// addAccess adds what is done to users, teams, roles and role bindings, and what somebody asks of themselves.
func (s *Server) addAccess(handlers map[string]handler) {
	handlers["getMe"] = func(x *exchange) error { return x.send(http.StatusOK, x.actor.Me()) }
	addBook(handlers, "User", "Users", func() book { return s.Access.Users })
	addBook(handlers, "Team", "Teams", func() book { return s.Access.Teams })
	addBook(handlers, "Role", "Roles", func() book { return s.Access.Roles })
	addBook(handlers, "RoleBinding", "RoleBindings", func() book { return s.Access.RoleBindings })
}

func addBook(handlers map[string]handler, one, many string, of func() book) {
	handlers["list"+many] = func(x *exchange) error { return listBook(x, of()) }
	handlers["create"+one] = func(x *exchange) error { return createInBook(x, of()) }
	handlers["get"+one] = func(x *exchange) error { return getOfBook(x, of()) }
	handlers["put"+one] = func(x *exchange) error { return putInBook(x, of()) }
	handlers["patch"+one] = func(x *exchange) error { return patchInBook(x, of()) }
	handlers["delete"+one] = func(x *exchange) error { return deleteOfBook(x, of()) }
}

func listBook(x *exchange, b book) error {
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := b.List(x.context(), x.environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func createInBook(x *exchange, b book) error {
	made, err := b.Create(x.context(), x.environment.GetId(), x.body)
	if err != nil {
		return err
	}
	return x.sendMade(made, x.request().URL.EscapedPath()+"/")
}

func getOfBook(x *exchange, b book) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	found, err := b.Get(x.context(), x.environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, found)
}

func putInBook(x *exchange, b book) error {
	key, err := x.unconditionalKey()
	if err != nil {
		return err
	}
	m, created, err := b.Put(x.context(), x.environment.GetId(), key, x.body, x.ifMatch())
	if err != nil {
		return err
	}
	if created {
		path := x.request().URL.EscapedPath()
		return x.sendMade(m, path[:len(path)-len(lastSegment(path))])
	}
	return x.sendObject(http.StatusOK, m)
}

func patchInBook(x *exchange, b book) error {
	key, err := x.unconditionalKey()
	if err != nil {
		return err
	}
	m, err := b.Patch(x.context(), x.environment.GetId(), key, x.body, x.ifMatch())
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, m)
}

func deleteOfBook(x *exchange, b book) error {
	key, err := x.unconditionalKey()
	if err != nil {
		return err
	}
	if err := b.Delete(x.context(), x.environment.GetId(), key, x.ifMatch()); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}

// unconditionalKey is the key in the path of a write that takes no If-None-Match: a condition must not be passed over.
func (x *exchange) unconditionalKey() (string, error) {
	if len(x.request().Header.Values("If-None-Match")) > 0 {
		return "", problem.Invalid(problem.Violation{
			Pointer: "/If-None-Match", Code: problem.ViolationInvalidValue, Detail: "This takes no such header; POST makes only what isn't there.", Allowed: "If-Match",
		})
	}
	return x.param("key")
}

// sendMade answers with an object that was made, which is found by its id below a path.
func (x *exchange) sendMade(m proto.Message, below string) error {
	if named, ok := m.(interface{ GetId() string }); ok {
		x.header().Set(echo.HeaderLocation, below+named.GetId())
	}
	return x.sendObject(http.StatusCreated, m)
}

// lastSegment is what stands behind the last slash.
func lastSegment(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
