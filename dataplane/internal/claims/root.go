package claims

import "github.com/sallyport/sallyport/proto/resource/jsontree"

var nothing = jsontree.Value{Kind: jsontree.Object}

// Root returns all that the token says, as one object. It must not be changed.
func (c *Claims) Root() *jsontree.Value {
	if c == nil {
		return &nothing
	}
	return &c.root
}
