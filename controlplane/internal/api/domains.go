package api

import (
	"context"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// What the face asks of the domains. Every error that is meant to be seen is a *problem.Error;
// anything else is an internal error.
type (
	// Environments makes and finds environments.
	Environments interface {
		Create(ctx context.Context, wanted *adminv1.Environment, author access.Actor) (*adminv1.Environment, error)
		Get(ctx context.Context, idOrName string) (*adminv1.Environment, error)
		List(ctx context.Context, q listing.Query) (listing.Page[*adminv1.Environment], error)
	}

	// Publisher is the one way to write objects of either lane.
	Publisher interface {
		Apply(ctx context.Context, batch publish.Batch) (publish.Result, error)
		Rollback(ctx context.Context, environment string, to uint64, author access.Actor, message string, dryRun bool) (publish.Result, error)
	}

	// Catalog reads the configuration.
	Catalog interface {
		Get(ctx context.Context, environment, collection, key string) (catalog.Object, error)
		List(ctx context.Context, environment, collection string, q listing.Query) (listing.Page[catalog.Object], error)
		Revisions(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Revision], error)
		Revision(ctx context.Context, environment string, number uint64) (*adminv1.Revision, error)
		Diff(ctx context.Context, environment string, from, to uint64) ([]catalog.Change, error)
	}

	// Directory reads consumers, API keys and secrets, without their secret material.
	Directory interface {
		Get(ctx context.Context, environment, collection, key string) (directory.Object, error)
		List(ctx context.Context, environment, collection string, q listing.Query) (listing.Page[directory.Object], error)
	}

	// JoinTokens makes and ends join tokens.
	JoinTokens interface {
		Create(ctx context.Context, environment string, wanted *adminv1.JoinToken) (*adminv1.JoinToken, error)
		Get(ctx context.Context, environment, key string) (*adminv1.JoinToken, error)
		List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.JoinToken], error)
		Delete(ctx context.Context, environment, key string) error
	}

	// Nodes answers what people ask about nodes.
	Nodes interface {
		Get(ctx context.Context, environment, id string) (*adminv1.Node, error)
		List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Node], error)
		SetEnabled(ctx context.Context, environment, id string, enabled bool) (*adminv1.Node, error)
		Status(ctx context.Context, environment string, revision uint64) (*adminv1.RevisionStatus, error)
		// Wait returns how many live nodes have the revision and the sequence, of how many, once all
		// have answered or ctx ends.
		Wait(ctx context.Context, environment string, revision, sequence uint64) (applied, live int, err error)
	}

	// Usage counts requests.
	Usage interface {
		Query(ctx context.Context, environment string, q usage.Query) ([]*adminv1.UsageRow, error)
	}

	// Tokens makes, recognises and ends access tokens.
	Tokens interface {
		Authenticate(ctx context.Context, text string) (access.Actor, error)
		Create(ctx context.Context, wanted *adminv1.AccessToken) (*adminv1.AccessToken, error)
		Get(ctx context.Context, idOrName string) (*adminv1.AccessToken, error)
		List(ctx context.Context, q listing.Query) (listing.Page[*adminv1.AccessToken], error)
		Delete(ctx context.Context, idOrName string) error
	}
)
