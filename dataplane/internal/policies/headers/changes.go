package headers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/headers"
)

// maxFields is how many fields one side writes at most: three lists of 32.
const maxFields = 96

// changes are what becomes of one side's fields.
type changes struct {
	side     contract.Side
	exact    []string
	prefixes []string
	fields   []field // in the order in which they are written
}

// how a field is written.
type how uint8

const (
	set how = iota
	setIfAbsent
	add
)

// field is one field to write.
type field struct {
	how   how
	name  string
	value template
	kept  bool // a refusal of the gateway keeps its own
}

func newChanges(side contract.Side, config *policyv1.HeaderChanges) (changes, error) {
	c := changes{side: side}
	for i, name := range config.GetRemove() {
		prefix, isPrefix := strings.CutSuffix(name, "*")
		if isPrefix {
			c.prefixes = append(c.prefixes, prefix)
			continue
		}
		if why := contract.Refused(side, name); why != "" {
			return changes{}, fmt.Errorf("remove[%d]: %w", i, refusedError(why))
		}
		c.exact = append(c.exact, name)
	}
	for _, list := range [...]struct {
		name   string
		how    how
		fields []*policyv1.HeaderField
	}{
		{"set", set, config.GetSet()}, {"set_if_absent", setIfAbsent, config.GetSetIfAbsent()}, {"add", add, config.GetAdd()},
	} {
		for i, f := range list.fields {
			made, err := newField(side, list.how, f)
			if err != nil {
				return changes{}, fmt.Errorf("%s[%d].%w", list.name, i, err)
			}
			c.fields = append(c.fields, made)
		}
	}
	if len(c.fields) > maxFields {
		return changes{}, fmt.Errorf("fields: %d, more than %d", len(c.fields), maxFields)
	}
	return c, nil
}

// refusedError is why nobody may change a field.
type refusedError string

// Error says it.
func (e refusedError) Error() string { return "can't be changed: it " + string(e) }

func newField(side contract.Side, by how, config *policyv1.HeaderField) (field, error) {
	if why := contract.Refused(side, config.GetName()); why != "" {
		return field{}, fmt.Errorf("name: %w", refusedError(why))
	}
	pieces, err := contract.Parse(config.GetValue())
	if err != nil {
		return field{}, fmt.Errorf("value: %w", err)
	}
	return field{how: by, name: config.GetName(), value: template{pieces}, kept: contract.KeptOnRejections(config.GetName())}, nil
}

// apply changes a header. Values are made first: what is removed or written doesn't change what another one says.
func (c *changes) apply(ex *pipeline.Exchange, header *pipeline.Header) {
	var values [maxFields]string
	for i := range c.fields {
		values[i] = c.fields[i].value.in(ex)
	}
	c.remove(header)
	for i := range c.fields {
		c.write(header, &c.fields[i], values[i])
	}
}

// applyToRefusal is apply for a refusal of the gateway's own.
func (c *changes) applyToRefusal(ex *pipeline.Exchange, header *pipeline.Header) {
	for i := range c.fields {
		if f := &c.fields[i]; !f.kept {
			c.write(header, f, f.value.in(ex))
		}
	}
}

// remove takes fields out. On requests their twins go as well: many services read X_Tenant as X-Tenant.
func (c *changes) remove(header *pipeline.Header) {
	if len(c.exact)+len(c.prefixes) == 0 {
		return
	}
	header.DeleteFunc(func(f pipeline.Field) bool { return c.removes(f.Name) && contract.Refused(c.side, f.Name) == "" })
}

func (c *changes) removes(name string) bool {
	for _, exact := range c.exact {
		if c.same(name, exact) {
			return true
		}
	}
	for _, prefix := range c.prefixes {
		if len(name) >= len(prefix) && c.same(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// withheld tells which trailers are taken out, as fields in front of the body are: those that are removed, and those that have one value
// alone. nil: none.
func (c *changes) withheld() func(name string) bool {
	var own []string
	for i := range c.fields {
		if c.fields[i].how == set {
			own = append(own, c.fields[i].name)
		}
	}
	if len(own)+len(c.exact)+len(c.prefixes) == 0 {
		return nil
	}
	return func(name string) bool {
		return c.removes(name) || slices.ContainsFunc(own, func(set string) bool { return c.same(name, set) })
	}
}

// write writes a value, "" when it couldn't be made.
func (c *changes) write(header *pipeline.Header, f *field, value string) {
	if f.how == set {
		header.DeleteFunc(func(have pipeline.Field) bool { return c.same(have.Name, f.name) })
	}
	if value == "" || f.how == setIfAbsent && c.has(header, f.name) {
		return
	}
	header.Add(f.name, value)
}

func (c *changes) has(header *pipeline.Header, name string) bool {
	for _, f := range header.Fields() {
		if c.same(f.Name, name) {
			return true
		}
	}
	return false
}

// same tells whether two names are read as one by whoever gets the message.
func (c *changes) same(a, b string) bool {
	if c.side == contract.Response {
		return pipeline.EqualFold(a, b)
	}
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if contract.FoldByte(a[i]) != contract.FoldByte(b[i]) {
			return false
		}
	}
	return true
}
