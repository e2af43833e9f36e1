package snapshot

import (
	"crypto/sha256"

	"github.com/sallyport/sallyport/dataplane/internal/descriptions"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/openapi"
)

// descriptionObject is an API description: its bytes, and what they were compiled to.
type descriptionObject struct {
	data        []byte
	self        id.ID
	description *openapi.Description
}

func (c *compilation) descriptions() map[string]*descriptionObject {
	return own(&c.next.descriptions, &c.ownDescriptions)
}

// putDescription compiles a document, unless one with the same text is compiled already.
func (c *compilation) putDescription(s *Source, self id.ID, m *configv1.ApiDescription) error {
	made, err := c.env.described(m.GetDocument())
	if err != nil {
		return err
	}
	c.descriptions()[s.ID] = &descriptionObject{data: s.Data, self: self, description: made}
	return nil
}

func (e *Env) described(document string) (*openapi.Description, error) {
	sum := sha256.Sum256([]byte(document))
	return pipeline.Part(e.parts, "openapi/description", string(sum[:]), func() (*openapi.Description, error) { //nolint:wrapcheck // says what
		return openapi.Compile([]byte(document)) //nolint:wrapcheck // tells where in the document
	})
}

// settleDescriptions makes the set, if a description changed.
func (c *compilation) settleDescriptions() {
	if !c.ownDescriptions {
		return
	}
	all := make(map[id.ID]*openapi.Description, len(c.next.descriptions))
	for _, o := range c.next.descriptions {
		all[o.self] = o.description
	}
	c.next.descriptionsInForce = descriptions.NewSet(all)
}
