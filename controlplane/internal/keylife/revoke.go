package keylife

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// maxRevoked is how many keys are revoked at once: each has its proof and its event in one transaction.
	maxRevoked = 5000
	// revokeAttempts is how often keys are looked for anew, when one of them went away meanwhile.
	revokeAttempts = 3
)

// Revoke revokes the keys that all that is given is true of.
func (k *Keys) Revoke(ctx context.Context, r Request, wanted *adminv1.RevokeApiKeysRequest) (*adminv1.ApiKeysRevoked, publish.Result, error) {
	selection, err := k.selection(ctx, r, wanted)
	if err != nil {
		return nil, publish.Result{}, err
	}
	for attempt := 1; ; attempt++ {
		answer, result, err := k.revoke(ctx, r, selection, wanted.GetReason())
		if problem.CodeOf(err) == problem.NotFound && attempt < revokeAttempts {
			continue
		}
		return answer, result, err
	}
}

func (k *Keys) selection(ctx context.Context, r Request, wanted *adminv1.RevokeApiKeysRequest) (Wanted, error) {
	w := Wanted{Prefix: wanted.GetPrefix(), Within: r.within(), Limit: maxRevoked + 1}
	if wanted.GetCreatedBefore() != nil {
		w.CreatedBefore = wanted.GetCreatedBefore().AsTime()
	}
	if wanted.GetCreatedAfter() != nil {
		w.CreatedAfter = wanted.GetCreatedAfter().AsTime()
	}
	if wanted.GetConsumer() == "" && w.Prefix == "" && w.CreatedBefore.IsZero() && w.CreatedAfter.IsZero() {
		return w, problem.Invalid(problem.Violation{
			Pointer: "", Code: problem.ViolationRequired, Detail: "nothing says which keys are meant, and all of them are not revoked by leaving that out",
			Allowed: "consumer, prefix, created_before, created_after",
		})
	}
	if wanted.GetConsumer() == "" {
		return w, nil
	}
	consumer, err := k.consumer(ctx, r, wanted.GetConsumer())
	w.Consumer = consumer
	if problem.CodeOf(err) == problem.NotFound {
		return w, problem.Invalid(problem.Violation{
			Pointer: "/consumer", Code: problem.ViolationUnknownReference, Detail: "there is no consumer of this id or name in this environment",
			Allowed: "the id or name of a consumer",
		})
	}
	return w, err
}

// revoke makes one attempt.
func (k *Keys) revoke(ctx context.Context, r Request, w Wanted, reason string) (*adminv1.ApiKeysRevoked, publish.Result, error) {
	found, err := k.store.KeysToRevoke(ctx, r.Environment, w)
	if err != nil {
		return nil, publish.Result{}, err
	}
	answer := &adminv1.ApiKeysRevoked{DryRun: r.DryRun, More: len(found) > maxRevoked}
	found = found[:min(len(found), maxRevoked)]
	if len(found) == 0 {
		return answer, publish.Result{}, nil
	}
	result, err := k.delete(ctx, r, found, publish.CauseRevoked, reason)
	if err != nil {
		return nil, result, err
	}
	if !r.DryRun {
		answer.Sequence = &result.Sequence
	}
	answer.Revoked, err = k.revoked(ctx, r.Environment, found)
	return answer, result, err
}

// delete deletes keys for a cause.
func (k *Keys) delete(ctx context.Context, r Request, keys []Key, cause publish.Cause, reason string) (publish.Result, error) {
	operations := make([]publish.Operation, len(keys))
	for i, key := range keys {
		operations[i] = publish.Operation{Verb: publish.Delete, Collection: directory.APIKeys, Key: key.ID}
	}
	return k.publisher.Apply(ctx, publish.Batch{
		Environment: r.Environment, Author: r.Author, Message: reason, Operations: operations, DryRun: r.DryRun, Cause: cause, Prefixed: true,
	})
}

func (k *Keys) revoked(ctx context.Context, environment string, keys []Key) ([]*adminv1.RevokedApiKey, error) {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
	}
	uses, err := k.store.LastUses(ctx, environment, ids)
	if err != nil {
		return nil, err
	}
	all := make([]*adminv1.RevokedApiKey, len(keys))
	for i, key := range keys {
		all[i] = &adminv1.RevokedApiKey{Id: key.ID, Name: key.Name, Consumer: key.Consumer, Prefix: key.Prefix}
		if last, used := uses[key.ID]; used {
			all[i].LastUsedAt = timestamppb.New(last)
		}
	}
	return all, nil
}

// consumer returns the id of a consumer that the author sees.
func (k *Keys) consumer(ctx context.Context, r Request, key string) (string, error) {
	found, err := k.directory.Get(ctx, r.Environment, directory.Consumers, key)
	if err != nil {
		return "", err
	}
	consumer, ok := found.Message.(*adminv1.Consumer)
	if !ok || !r.Bounds.Sees(consumer.GetTeam()) {
		return "", problem.Errorf(problem.NotFound, "there is no consumer %q in this environment", key)
	}
	return found.ID, nil
}
