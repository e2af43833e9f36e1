package keylife

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/apikey"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// maxAddresses is how many addresses an answer lists.
const maxAddresses = 50

// Keys answers for the API keys of all environments.
type Keys struct {
	store     Store
	directory Directory
	publisher Publisher
	usage     Usage
	sealer    directory.Sealer
}

// New returns the keys in a store.
func New(store Store, directory Directory, publisher Publisher, usage Usage, sealer directory.Sealer) *Keys {
	return &Keys{store: store, directory: directory, publisher: publisher, usage: usage, sealer: sealer}
}

// Request is who asks for what in an environment.
type Request struct {
	Environment string // id
	Author      access.Actor
	Bounds      access.Bounds // for which keys the author may ask
	DryRun      bool
	Force       bool
}

// within are the teams whose keys the author may ask for; nil: whatever.
func (r Request) within() []string {
	if r.Bounds.Whole {
		return nil
	}
	return append([]string{}, r.Bounds.Teams...)
}

// Use tells how a key is used: of one that was rotated, whether anybody still needs it.
func (k *Keys) Use(ctx context.Context, r Request, key string) (*adminv1.ApiKeyUse, error) {
	found, err := k.directory.Get(ctx, r.Environment, directory.APIKeys, key)
	if err != nil {
		return nil, err
	}
	m, ok := found.Message.(*adminv1.ApiKey)
	if !ok || !r.Bounds.Sees(resource.TeamOf(found.Message)) {
		return nil, problem.Errorf(problem.NotFound, "there is no api-key %q in this environment", key)
	}
	since := found.CreatedAt
	if m.GetRotatedAt() != nil {
		since = m.GetRotatedAt().AsTime()
	}
	use, err := k.store.KeyUse(ctx, r.Environment, found.ID, since, maxAddresses+1)
	if err != nil {
		return nil, err
	}
	coverage, err := k.usage.Coverage(ctx, r.Environment, since, use.Now)
	if err != nil {
		return nil, err
	}
	answer := &adminv1.ApiKeyUse{
		ApiKey: found.ID, Name: found.Name, RotatedTo: m.GetRotatedTo(), RotatedAt: m.GetRotatedAt(), ExpiresAt: m.GetExpiresAt(),
		Requests: &use.Requests, MoreAddresses: len(use.Addresses) > maxAddresses, Coverage: coverage,
	}
	if !use.LastUsed.IsZero() {
		answer.LastUsedAt = timestamppb.New(use.LastUsed)
	}
	for _, a := range use.Addresses[:min(len(use.Addresses), maxAddresses)] {
		answer.Addresses = append(answer.Addresses, &adminv1.ApiKeyAddress{Address: a.Address, LastSeenAt: timestamppb.New(a.LastSeen)})
	}
	return answer, nil
}

// peppers returns what the environment's keys are digested with, the newest first.
func (k *Keys) peppers(ctx context.Context, environment string) ([]*apikey.Pepper, error) {
	kept, err := k.store.Peppers(ctx, environment)
	if err != nil {
		return nil, err
	}
	peppers := make([]*apikey.Pepper, len(kept))
	for i, p := range kept {
		if peppers[i], err = p.Prepare(k.sealer, environment); err != nil {
			return nil, err
		}
	}
	if len(peppers) == 0 {
		return nil, fmt.Errorf("environment %s has no pepper", environment)
	}
	return peppers, nil
}
