package effects

import (
	"slices"
	"strings"
)

// hidden is the sentence of an effect on what its reader may not know of.
const hidden = "The change also concerns what isn't your team's."

// Masked returns effects for somebody who sees some objects alone: what they say of others is that there is something.
func Masked(all []Effect, sees func(collection, id string) bool) []Effect {
	kinds := make(map[string]bool) // of policies that aren't seen: a sentence about another of the kind may tell what they were
	for _, e := range all {
		if e.ID != "" && !sees(e.Collection, e.ID) {
			kinds[e.Kind] = true
		}
	}
	delete(kinds, "")
	masked := make([]Effect, len(all))
	for i, e := range all {
		masked[i] = e.masked(sees, kinds)
	}
	return masked
}

func (e Effect) masked(sees func(collection, id string) bool, kinds map[string]bool) Effect {
	seen := slices.DeleteFunc(slices.Clone(e.Routes), func(r Route) bool { return !sees("routes", r.ID) })
	object := e.ID == "" || sees(e.Collection, e.ID)
	words := kinds[e.Kind] && !strings.HasPrefix(e.Code, "policy_")
	if object && !words && len(seen) == e.Count {
		return e
	}
	e.Sentence, e.Fields = hidden, nil // also when not all of its routes are listed: its sentence may name any
	if !object {
		e.Collection, e.ID, e.Name = "", "", ""
	}
	e.Routes = seen
	return e
}
