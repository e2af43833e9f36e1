package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// collection is a named set of objects in an environment, of either lane.
type collection struct {
	name      string // path segment and publish's name: "api-keys"
	singular  string // in words
	singleton bool
	get       func(ctx context.Context, environment, key string) (object, error)
	list      func(*exchange, string, listing.Query) error
}

// object is one object of either lane, as it is read.
type object struct {
	etag    string
	message proto.Message
}

// addCollections gives the operations of every collection their handlers: each resource of the
// configuration and each type of the directory, all through the same ones.
func (s *Server) addCollections(handlers map[string]handler) {
	for _, t := range resource.Types() {
		s.addCollection(handlers, camel(t.Singular), camel(t.Collection), s.configuration(t))
	}
	for _, t := range directory.Types() {
		s.addCollection(handlers, camel(strings.TrimSuffix(t.Collection, "s")), camel(t.Collection), s.entries(t))
	}
	apiKeys := collection{name: directory.APIKeys, singular: "api-key"}
	handlers["rotateApiKey"] = func(x *exchange) error { return s.rotate(x, apiKeys) }
}

func (s *Server) addCollection(handlers map[string]handler, one, many string, c collection) {
	handlers["get"+one] = func(x *exchange) error { return s.getObject(x, c) }
	handlers["put"+one] = func(x *exchange) error { return s.putObject(x, c) }
	handlers["patch"+one] = func(x *exchange) error { return s.patchObject(x, c) }
	if c.singleton {
		return
	}
	handlers["list"+many] = func(x *exchange) error { return s.listObjects(x, c) }
	handlers["create"+one] = func(x *exchange) error { return s.createObject(x, c) }
	handlers["delete"+one] = func(x *exchange) error { return s.deleteObject(x, c) }
}

// configuration is the collection of a resource of the configuration.
func (s *Server) configuration(t *resource.Type) collection {
	return collection{
		name:      t.Collection,
		singular:  t.Singular,
		singleton: t.Singleton,
		get: func(ctx context.Context, environment, key string) (object, error) {
			o, err := s.Catalog.Get(ctx, environment, t.Collection, key)
			return object{o.ETag, o.Message}, err
		},
		list: func(x *exchange, environment string, q listing.Query) error {
			page, err := s.Catalog.List(x.context(), environment, t.Collection, q)
			if err != nil {
				return err
			}
			return sendPage(x, page, func(o catalog.Object) proto.Message { return t.InList(o.Message) })
		},
	}
}

// entries is the collection of a type of the directory.
func (s *Server) entries(t *directory.Type) collection {
	return collection{
		name:     t.Collection,
		singular: t.Singular,
		get: func(ctx context.Context, environment, key string) (object, error) {
			o, err := s.Directory.Get(ctx, environment, t.Collection, key)
			return object{o.ETag, o.Message}, err
		},
		list: func(x *exchange, environment string, q listing.Query) error {
			page, err := s.Directory.List(x.context(), environment, t.Collection, q)
			if err != nil {
				return err
			}
			return sendPage(x, page, func(o directory.Object) proto.Message { return o.Message })
		},
	}
}

func (s *Server) listObjects(x *exchange, c collection) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	return c.list(x, environment.GetId(), q)
}

func (s *Server) getObject(x *exchange, c collection) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	key, err := x.key(c)
	if err != nil {
		return err
	}
	found, err := x.fetch(c, environment, key)
	if err != nil {
		return err
	}
	x.header().Set("ETag", found.etag)
	return x.send(http.StatusOK, found.message)
}

// fetch returns an object that is within the actor's bounds. Any other isn't there.
func (x *exchange) fetch(c collection, environment *adminv1.Environment, key string) (object, error) {
	found, err := c.get(x.context(), environment.GetId(), key)
	if err == nil && !x.bounds.Sees(resource.TeamOf(found.message)) {
		return object{}, problem.Errorf(problem.NotFound, "there is no %s %q in this environment", c.singular, key)
	}
	return found, err
}

// environment returns the environment that the path names, as admit found it.
func (s *Server) environment(x *exchange) (*adminv1.Environment, error) {
	if x.environment != nil {
		return x.environment, nil
	}
	key, err := x.param("environment")
	if err != nil {
		return nil, err
	}
	environment, err := s.Environments.Get(x.context(), key)
	if err == nil {
		audit.DraftOf(x.context()).In(environment.GetId())
	}
	return environment, err
}

// key returns the id or name in the path; a singleton's is that of its collection.
func (x *exchange) key(c collection) (string, error) {
	if c.singleton {
		return c.name, nil
	}
	return x.param("key")
}

// locate sets the Location of an object of an environment, named as the request named it.
func (x *exchange) locate(collection, id string) {
	x.header().Set(echo.HeaderLocation, "/api/v1/environments/"+url.PathEscape(x.echo.Param("environment"))+"/"+collection+"/"+id)
}

// camel turns "api-keys" into "ApiKeys", as operation ids have it.
func camel(kebab string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(kebab, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
