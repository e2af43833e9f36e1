package access_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func newTokens(t *testing.T) (*access.Tokens, *postgres.DB) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return access.NewTokens(db), db
}

func TestBootstrapMakesTheFirstTokenAndNoSecondOne(t *testing.T) {
	tokens, _ := newTokens(t)
	text, created, err := tokens.Bootstrap(t.Context())
	if err != nil || !created {
		t.Fatalf("%v, %v", created, err)
	}
	actor, err := tokens.Authenticate(t.Context(), text)
	if err != nil || actor.Role != string(access.RoleOwner) || actor.Name != "bootstrap" {
		t.Fatalf("it stands for %+v, %v", actor, err)
	}
	if text, created, err = tokens.Bootstrap(t.Context()); err != nil || created || text != "" {
		t.Fatalf("again: %q, %v, %v", text, created, err)
	}
}

func TestOfManyReplicasThatBootstrapOneDoes(t *testing.T) {
	tokens, _ := newTokens(t)
	const replicas = 8
	made := make(chan string, replicas)
	var all sync.WaitGroup
	for range replicas {
		all.Go(func() {
			if text, created, err := tokens.Bootstrap(t.Context()); err != nil {
				t.Error(err)
			} else if created {
				made <- text
			}
		})
	}
	all.Wait()
	close(made)
	if len(made) != 1 {
		t.Fatalf("%d made a token", len(made))
	}
	if _, err := tokens.Authenticate(t.Context(), <-made); err != nil {
		t.Fatal(err)
	}
}

func TestTheTextOfATokenIsNotStored(t *testing.T) {
	tokens, db := newTokens(t)
	made, err := tokens.CreateOwner(t.Context(), "ci")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := db.AccessToken(t.Context(), made.GetId())
	if err != nil {
		t.Fatal(err)
	}
	secret := made.GetToken()[strings.LastIndex(made.GetToken(), "_")+1:]
	if strings.Contains(string(stored.Digest[:]), secret) || stored.Digest == [32]byte{} {
		t.Errorf("stored is %x", stored.Digest)
	}
}

func TestAWrongSecretOfAKnownTokenIsRefused(t *testing.T) {
	tokens, _ := newTokens(t)
	first, err := tokens.CreateOwner(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	second, err := tokens.CreateOwner(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.LastIndex(first.GetToken(), "_")
	crossed := first.GetToken()[:cut] + second.GetToken()[strings.LastIndex(second.GetToken(), "_"):]
	if _, err := tokens.Authenticate(t.Context(), crossed); problem.CodeOf(err) != problem.Unauthenticated {
		t.Fatalf("the error is %v", err)
	}
}

func TestTokensAreListedByNameInPages(t *testing.T) {
	tokens, _ := newTokens(t)
	ctx := access.WithActor(t.Context(), access.System())
	for _, name := range []string{"c", "a", "b"} {
		if _, err := tokens.Create(ctx, &adminv1.AccessToken{Name: name, ExpiresAt: timestamppb.New(time.Now().Add(time.Hour))}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := tokens.List(ctx, listing.Query{Limit: 2})
	if err != nil || len(first.Items) != 2 || first.Items[0].GetName() != "a" || first.Items[0].GetExpiresAt() == nil {
		t.Fatalf("%v, %v", first, err)
	}
	rest, err := tokens.List(ctx, listing.Query{Limit: 2, Cursor: first.Next})
	if err != nil || len(rest.Items) != 1 || rest.Items[0].GetName() != "c" || rest.Next != "" {
		t.Fatalf("%v, %v", rest, err)
	}
}

func TestADatabaseThatIsGoneIsNoRefusal(t *testing.T) {
	tokens, db := newTokens(t)
	text, _, err := tokens.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := tokens.Authenticate(t.Context(), text); err == nil || problem.CodeOf(err) == problem.Unauthenticated {
		t.Fatalf("the error is %v: a caller would throw a good token away", err)
	}
}
