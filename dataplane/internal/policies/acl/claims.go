package acl

import (
	"errors"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/acl"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// answer is what a claim says to a question.
type answer uint8

// The answers.
const (
	no answer = iota
	yes
	unclear // the claim has a form that isn't read: an object, or a list of other things than texts, numbers and booleans
)

func said(yesOrNo bool) answer {
	if yesOrNo {
		return yes
	}
	return no
}

// claim is what one claim must be.
type claim struct {
	at            claims.Path
	there, absent bool
	held
}

var errNothing = errors.New("says nothing of the claim")

func newClaim(config *policyv1.ClaimMatch) (claim, error) {
	c := claim{
		at: claims.NewPath(config.GetClaim()), there: config.GetExists(), absent: contract.Absent(config),
		held: held{config.GetAnyOf(), config.GetAllOf(), config.GetNoneOf()},
	}
	if !c.there && c.absent != c.empty() {
		return claim{}, errNothing
	}
	return c, nil
}

// of tells whether a token's claim is as it must be.
func (c *claim) of(told *claims.Claims) answer {
	v := told.At(c.at)
	missing := v == nil || v.Kind == jsontree.Null
	switch {
	case missing:
		return said(!c.there && len(c.some) == 0 && len(c.all) == 0)
	case c.absent:
		return no
	case c.empty():
		return yes
	case !readable(v):
		return unclear
	}
	return said((len(c.some) == 0 || claims.Holds(v, c.some)) && claims.HoldsAll(v, c.all) && !claims.Holds(v, c.none))
}

// roles are what a token's roles must be, and the claims that they are in.
type roles struct {
	in []claims.Path
	held
}

var errNowhere = errors.New("role_claims: names no claim that roles are in")

// newRoles returns nil where nothing is wanted.
func newRoles(in []string, wanted held) (*roles, error) {
	if wanted.empty() {
		return nil, nil
	}
	if len(in) == 0 {
		return nil, errNowhere // whoever must not have a role would have none
	}
	r := &roles{held: wanted}
	for _, text := range in {
		r.in = append(r.in, claims.NewPath(text))
	}
	return r, nil
}

// of tells whether a token's roles are as they must be. Those of all claims count together; if one of the claims can't be read, nothing is
// known of them.
func (r *roles) of(told *claims.Claims) answer {
	for i := range r.in {
		if v := told.At(r.in[i]); v != nil && v.Kind != jsontree.Null && !readable(v) {
			return unclear
		}
	}
	for _, role := range r.none {
		if r.has(told, role) {
			return no
		}
	}
	for _, role := range r.all {
		if !r.has(told, role) {
			return no
		}
	}
	if len(r.some) == 0 {
		return yes
	}
	for _, role := range r.some {
		if r.has(told, role) {
			return yes
		}
	}
	return no
}

func (r *roles) has(told *claims.Claims, role string) bool {
	for i := range r.in {
		if v := told.At(r.in[i]); v != nil && names(v, role) {
			return true
		}
	}
	return false
}

// names tells whether a claim that can be read names a role: it is the role, a list that has it, or a text of words apart by spaces of which
// it is one.
func names(v *jsontree.Value, role string) bool {
	if v.Kind == jsontree.Array {
		for i := range v.Items {
			if v.Items[i].Brief() == role {
				return true
			}
		}
		return false
	}
	if v.Kind != jsontree.String {
		return v.Kind != jsontree.Null && v.Brief() == role
	}
	if v.Text == role {
		return true
	}
	for rest, more := v.Text, true; more; {
		var word string
		if word, rest, more = strings.Cut(rest, " "); word == role {
			return true
		}
	}
	return false
}

// readable tells whether a claim is a text, a number, a boolean, or a list of such.
func readable(v *jsontree.Value) bool {
	if v.Kind != jsontree.Array {
		return scalar(v)
	}
	for i := range v.Items {
		if !scalar(&v.Items[i]) {
			return false
		}
	}
	return true
}

func scalar(v *jsontree.Value) bool {
	return v.Kind == jsontree.String || v.Kind == jsontree.Number || v.Kind == jsontree.Bool
}
