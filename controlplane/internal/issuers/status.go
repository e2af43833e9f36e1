package issuers

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

// Keys returns what is known of the keys of an issuer, by id or name.
func (k *Keeper) Keys(ctx context.Context, environment, key string) (*adminv1.IssuerKeys, error) {
	object, m, err := k.configured(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	state, err := k.store.State(ctx, environment, object.ID, demand)
	if err != nil {
		return nil, err
	}
	shown := &adminv1.IssuerKeys{
		Issuer: object.ID, Name: object.Name, Source: sourceOf(m), AttemptedAt: stamp(state.AttemptedAt), FetchedAt: stamp(state.FetchedAt),
		NextAt: stamp(state.NextAt), Failures: uint32(state.Failures), Error: state.Error, Sequence: state.Sequence,
	}
	for _, key := range state.Set.Keys {
		shown.Keys = append(shown.Keys, publish.ShownKey(key))
	}
	for _, key := range slices.Backward(state.Set.Retired) {
		shown.Retired = append(shown.Retired, publish.ShownKey(key))
	}
	for _, key := range state.Set.Unusable {
		shown.Unusable = append(shown.Unusable, &adminv1.UnusableIssuerKey{Kid: key.KeyID, Reason: key.Reason})
	}
	return shown, nil
}

// RefreshKeys asks an issuer, by id or name, for its keys because somebody wants that, and returns what is known then. Keys that the
// configuration gives are all good from then on, those too that a rollback left dead.
func (k *Keeper) RefreshKeys(ctx context.Context, environment, key string) (*adminv1.IssuerKeys, error) {
	object, m, err := k.configured(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	audit.Note(ctx, audit.Change{Action: "refresh", Collection: object.Collection, ID: object.ID, Name: object.Name})
	fetched := false
	switch {
	case isInline(m):
		err = k.trustInline(ctx, environment, object.ID)
	case fetches(m):
		_, fetched, err = k.Refresh(ctx, environment, object.ID, "")
	}
	if err != nil {
		return nil, err
	}
	shown, err := k.Keys(ctx, environment, object.ID)
	if err != nil {
		return nil, err
	}
	shown.Fetched = fetched
	return shown, nil
}

func sourceOf(m *configv1.Issuer) string {
	switch {
	case isInline(m):
		return "configuration"
	case !fetches(m):
		return "edge"
	case resource.Defaulted(m).GetFetchFrom() == configv1.FetchFrom_FETCH_FROM_BOTH:
		return "both"
	}
	return "control"
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
