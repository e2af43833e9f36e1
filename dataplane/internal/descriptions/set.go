package descriptions

import (
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/openapi"
)

// Set are the API descriptions of one configuration. It is immutable; nil has none.
type Set struct {
	byID map[id.ID]*openapi.Description
}

// NewSet returns the set of these, which nobody changes any more.
func NewSet(byID map[id.ID]*openapi.Description) *Set {
	if len(byID) == 0 {
		return nil
	}
	return &Set{byID}
}

// Of returns the description of an id; nil: there is none.
func (s *Set) Of(self id.ID) *openapi.Description {
	if s == nil {
		return nil
	}
	return s.byID[self]
}
