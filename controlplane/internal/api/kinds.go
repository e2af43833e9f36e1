package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

func (s *Server) listPolicyKinds(x *exchange) error {
	var page listing.Page[proto.Message]
	for _, kind := range kinds.All() {
		m, err := kindMessage(kind)
		if err != nil {
			return err
		}
		page.Items = append(page.Items, m)
	}
	return sendPage(x, page, itself)
}

func (s *Server) getPolicyKind(x *exchange) error {
	name, err := x.param("name")
	if err != nil {
		return err
	}
	kind, ok := kinds.ByName(name)
	if !ok {
		return problem.Errorf(problem.NotFound, "there is no kind of policies %q", shorten(name))
	}
	m, err := kindMessage(kind)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, m)
}

func kindMessage(kind policy.Kind) (*adminv1.PolicyKind, error) {
	schema, err := schemaStruct(resource.Schema(kind.New().ProtoReflect().Descriptor()))
	if err != nil {
		return nil, fmt.Errorf("schema of kind %s: %w", kind.Name, err)
	}
	m := &adminv1.PolicyKind{
		Name: kind.Name, Description: kind.Description, Decides: kind.Traits.Decides, Waits: kind.Traits.Waits, Schema: schema,
		Merges: kind.Merges, Title: resource.KindTitle(kind.Name),
	}
	for _, phase := range kind.Phases {
		m.Phases = append(m.Phases, phase.String())
	}
	return m, nil
}

// schemaStruct returns a JSON Schema as a member of any shape.
func schemaStruct(schema map[string]any) (*structpb.Struct, error) {
	text, err := json.Marshal(schema) // a Struct knows fewer Go types than JSON does
	if err != nil {
		return nil, err
	}
	s := &structpb.Struct{}
	return s, resource.AsError(resource.Decode(text, s))
}
