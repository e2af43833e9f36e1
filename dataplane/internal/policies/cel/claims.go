package cel

import (
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	contract "github.com/sallyport/sallyport/proto/policy/cel"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// tokenClaims are what the caller's token says; nothing where there is none.
type tokenClaims view

func (t *tokenClaims) find(name string) ref.Val { return (*members)(t.who.Claims.Root()).find(name) }
func (t *tokenClaims) names() []string          { return (*members)(t.who.Claims.Root()).names() }

// members are those of an object of a token.
type members jsontree.Value

func (m *members) find(name string) ref.Val {
	v := (*jsontree.Value)(m).Member(name)
	if v == nil {
		return nil
	}
	return valueOf(v)
}

func (m *members) names() []string {
	names := make([]string, len(m.Members))
	for i := range m.Members {
		names[i] = m.Members[i].Name
	}
	return names
}

// entries are those of a list of a token.
type entries jsontree.Value

func (e *entries) count() int       { return len(e.Items) }
func (e *entries) at(i int) ref.Val { return valueOf(&e.Items[i]) }

func (e *entries) has(wanted ref.Val) bool {
	text, isText := wanted.(types.String)
	for i := range e.Items {
		if isText {
			if e.Items[i].Kind == jsontree.String && e.Items[i].Text == string(text) {
				return true
			}
		} else if types.Equal(valueOf(&e.Items[i]), wanted) == types.True {
			return true
		}
	}
	return false
}

// valueOf returns the value of a claim. Objects and lists stay where they are.
func valueOf(v *jsontree.Value) ref.Val {
	switch v.Kind {
	case jsontree.String:
		return contract.Text(v.Text)
	case jsontree.Bool:
		return types.Bool(v.True)
	case jsontree.Number:
		return number(v.Text)
	case jsontree.Array:
		return &list{(*entries)(v)}
	case jsontree.Object:
		return &table{(*members)(v)}
	default:
		return types.NullValue
	}
}

// number returns an integer as it was written, which a float could not tell from its neighbours, else a float.
func number(text string) ref.Val {
	if strings.ContainsAny(text, ".eE") {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return types.Double(f)
		}
		return types.NewErr("a number out of range")
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return types.Int(i)
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return types.Uint(u)
	}
	return types.NewErr("a number out of range")
}
