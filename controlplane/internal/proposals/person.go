package proposals

import (
	"context"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// maxMakers bounds how far back is looked who made a token that made a token.
const maxMakers = 16

// person names who an actor is, whichever token they come with.
func person(actor access.Actor) string { return actor.ID }

// samePerson tells whether an actor is the person of this name. Nobody in particular is everybody: that can't be two pairs of eyes.
func samePerson(name string, actor access.Actor) bool {
	is := person(actor)
	return name == "" || is == "" || name == is
}

// refuseOwn refuses an actor who is the author, or in the same hands: a service token is used by whoever made it, so that neither it nor
// another one of theirs is a second pair of eyes. A user's token is that user, whoever made it.
func (p *Proposals) refuseOwn(ctx context.Context, author string, by access.Actor, todo string) error {
	if samePerson(author, by) {
		return problem.Errorf(problem.ProposalOwn, "you have filed this proposal: somebody else must %s it", todo)
	}
	theirs, err := p.hands(ctx, author)
	if err != nil {
		return err
	}
	mine, err := p.hands(ctx, person(by))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(mine, func(hand string) bool { return slices.Contains(theirs, hand) }) {
		return problem.Errorf(problem.ProposalOwn, "the access token that this proposal was filed with and yours are in the same hands: somebody else must %s it", todo)
	}
	return nil
}

// hands returns an actor and, of a service token, who made it, who made that, and so on, as far as the API was asked to.
func (p *Proposals) hands(ctx context.Context, actor string) ([]string, error) {
	all := []string{actor}
	for strings.HasPrefix(actor, id.AccessToken+"_") {
		if len(all) > maxMakers {
			return nil, problem.Errorf(problem.ProposalOwn, "who made this access token leads over more than %d others: use another one, or a user's", maxMakers)
		}
		maker, err := p.Store.Maker(ctx, actor)
		if err != nil {
			return nil, err
		}
		if !id.LooksLikeID(maker) {
			break // a command made it, or the control plane
		}
		actor = maker
		all = append(all, actor)
	}
	return all, nil
}
