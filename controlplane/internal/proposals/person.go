package proposals

import "github.com/sallyport/sallyport/controlplane/internal/access"

// person names who an actor is, whichever token they come with.
func person(actor access.Actor) string { return actor.ID }

// samePerson tells whether an actor is the person of this name. Nobody in particular is everybody: that can't be two pairs of eyes.
func samePerson(name string, actor access.Actor) bool {
	is := person(actor)
	return name == "" || is == "" || name == is
}
