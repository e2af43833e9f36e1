package api

import (
	"context"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/keylife"
	"github.com/sallyport/sallyport/controlplane/internal/limits"
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
		Rollback(ctx context.Context, batch publish.Batch) (publish.Result, error)
	}

	// Catalog reads the configuration.
	Catalog interface {
		Get(ctx context.Context, environment, collection, key string) (catalog.Object, error)
		List(ctx context.Context, environment, collection string, q listing.Query) (listing.Page[catalog.Object], error)
		Revisions(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Revision], error)
		Revision(ctx context.Context, environment string, number uint64) (*adminv1.Revision, error)
		Diff(ctx context.Context, environment string, from, to uint64) (catalog.Comparison, error)
		RoutePolicies(ctx context.Context, environment, key string) ([]*adminv1.RoutePolicy, error)
	}

	// Directory reads consumers, API keys, secrets and blocks, without their secret material.
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
		// Patch changes what people say of a node: a JSON merge patch of its name, labels, group.
		Patch(ctx context.Context, environment, id string, patch []byte) (*adminv1.Node, error)
		SetEnabled(ctx context.Context, environment, id string, enabled bool) (*adminv1.Node, error)
		Status(ctx context.Context, environment string, revision uint64) (*adminv1.RevisionStatus, error)
		// Wait returns how many live nodes have the revision and the sequence, of how many, once all
		// have answered or ctx ends.
		Wait(ctx context.Context, environment string, revision, sequence uint64) (applied, live int, err error)
	}

	// Denials shows that somebody is let in no more.
	Denials interface {
		Status(ctx context.Context, environment *adminv1.Environment, sequence uint64) (*adminv1.SequenceStatus, error)
		Revocation(ctx context.Context, environment *adminv1.Environment, collection, key string) (*adminv1.Revocation, error)
	}

	// Keys answers for many API keys at once, and tells how one is used.
	Keys interface {
		Use(ctx context.Context, r keylife.Request, key string) (*adminv1.ApiKeyUse, error)
		Revoke(ctx context.Context, r keylife.Request, wanted *adminv1.RevokeApiKeysRequest) (*adminv1.ApiKeysRevoked, publish.Result, error)
		Leaked(ctx context.Context, r keylife.Request, found *adminv1.LeakedApiKeysRequest) (*adminv1.ApiKeysLeaked, publish.Result, error)
		Import(ctx context.Context, r keylife.Request, wanted *adminv1.ImportApiKeysRequest) (*adminv1.ApiKeysImported, publish.Result, error)
	}

	// NodeGroups makes, changes and ends groups of nodes.
	NodeGroups interface {
		Create(ctx context.Context, environment string, wanted *adminv1.NodeGroup) (*adminv1.NodeGroup, error)
		Get(ctx context.Context, environment, key string) (*adminv1.NodeGroup, error)
		List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.NodeGroup], error)
		Patch(ctx context.Context, environment, key string, patch []byte) (*adminv1.NodeGroup, error)
		Delete(ctx context.Context, environment, key string) error
	}

	// Inquiries asks nodes.
	Inquiries interface {
		// Health returns how a node is, by its own answer; problem.NodeUnreachable when there is none.
		Health(ctx context.Context, environment, node string) (*adminv1.NodeHealth, error)
		// Healths returns that of a page of nodes. One that doesn't answer is told of in its place.
		Healths(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.NodeHealth], error)
	}

	// Usage answers what was asked of the edge. With each answer comes what it covers.
	Usage interface {
		Query(ctx context.Context, environment string, q usage.Query) ([]*adminv1.UsageRow, *adminv1.UsageCoverage, error)
		Credentials(ctx context.Context, environment string, q usage.CredentialQuery) ([]*adminv1.UsageCredentialRow, *adminv1.UsageCoverage, error)
		Requests(ctx context.Context, environment string, q usage.RequestQuery) (listing.Page[*adminv1.AnsweredRequest], *adminv1.UsageCoverage, error)
		Request(ctx context.Context, environment, requestID string) (*adminv1.AnsweredRequest, error)
		Findings(ctx context.Context, environment string, q usage.FindingQuery) (listing.Page[*adminv1.UsageFindingRow], *adminv1.UsageCoverage, error)
	}

	// Limits answers how near an environment is to what it may hold.
	Limits interface {
		Of(ctx context.Context, environment string) ([]limits.Limit, error)
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
