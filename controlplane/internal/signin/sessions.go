package signin

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Collection of sessions, as the record of who did what has it.
const sessionsCollection = "sessions"

const (
	// maxSessions bounds how many sessions a user has: the oldest ends when there are more.
	maxSessions = 32
	// touchEvery is how finely it is known when a session was last used: more would be a write with each request.
	touchEvery = time.Minute
	// maxUserAgent bounds what is kept of how a browser calls itself.
	maxUserAgent = 256
)

// Sessions recognises, lists and ends sessions.
type Sessions struct {
	store    SessionStore
	accounts AccountStore
	grants   Grants
	now      func() time.Time
}

// Grants tells what users may do. It is access.Store's.
type Grants interface {
	GrantsOf(ctx context.Context, subject string) (access.Grants, error)
}

// NewSessions returns the sessions of a store.
func NewSessions(store SessionStore, accounts AccountStore, grants Grants) *Sessions {
	return &Sessions{store: store, accounts: accounts, grants: grants, now: time.Now}
}

// From is where somebody signs in from.
type From struct {
	Address   netip.Addr
	UserAgent string
}

// Admission is what comes of signing in: a session, and its text, which is shown this once.
type Admission struct {
	Session *adminv1.Session
	Text    string
	Lasts   time.Duration
}

// begin makes a session; nobody has it until it is stored.
func begin(user, provider string, secondFactor bool, from From, settings *adminv1.SignInSettings, now time.Time) (Session, string) {
	text := newSecret(sessionPrefix)
	digest, _ := parseSecret(sessionPrefix, text)
	now = now.UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
	s := Session{
		ID: id.Text(id.Session, id.New(now)), Digest: digest, User: user, Provider: provider, SecondFactor: secondFactor,
		UserAgent: printable(from.UserAgent), CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(Lifetime(settings)),
	}
	if from.Address.IsValid() {
		s.Address = from.Address.String()
	}
	return s, text
}

// printable bounds what a browser says of itself, and drops what no log should hold.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	return text[:min(len(text), maxUserAgent)]
}

// Authenticate returns who a session's text stands for, and what they may do. Whatever is wrong with the text, the error is the same
// *problem.Error (unauthenticated).
func (s *Sessions) Authenticate(ctx context.Context, text string) (access.Actor, error) {
	digest, ok := parseSecret(sessionPrefix, text)
	if !ok {
		return access.Actor{}, errSignedOut()
	}
	found, err := s.store.Credential(ctx, digest)
	if problem.CodeOf(err) == problem.NotFound {
		return access.Actor{}, errSignedOut()
	}
	if err != nil {
		return access.Actor{}, err
	}
	now := s.now()
	if !found.stands(now) {
		return access.Actor{}, errSignedOut()
	}
	if now.Sub(found.LastSeenAt) >= touchEvery {
		if err := s.store.Touch(ctx, found.ID, now.UTC().Truncate(time.Microsecond)); err != nil {
			return access.Actor{}, err
		}
	}
	return found.actor(), nil
}

// stands tells whether a session still counts.
func (c *Credential) stands(now time.Time) bool {
	switch {
	case c.Disabled, c.ProviderDisabled, c.Provider == "" && c.Settings.GetPasswordRefused():
		return false
	case !now.Before(c.ExpiresAt), !now.Before(c.CreatedAt.Add(Lifetime(c.Settings))):
		return false
	default:
		return now.Before(c.LastSeenAt.Add(idleTimeout(c.Settings)))
	}
}

// actor is whom a session stands for. Who needs a second factor and has none may do nothing but set one up.
func (c *Credential) actor() access.Actor {
	a := access.Actor{ID: c.User, Name: c.UserName, User: true, Session: c.ID, Held: c.Grants, Grants: c.Grants}
	var roles []string
	for _, g := range c.Grants {
		if !slices.Contains(roles, g.Role) {
			roles = append(roles, g.Role)
		}
	}
	a.Role = strings.Join(roles, ",")
	if c.Provider == "" && !c.SecondFactor && len(c.Grants) > 0 && c.Settings.GetSecondFactor() == secondFactorRequired {
		a.Grants, a.SecondFactorNeeded = nil, true
	}
	return a
}

// Mine returns a page of the actor's sessions, the oldest first; none of an actor who is no user.
func (s *Sessions) Mine(ctx context.Context, q listing.Query) (listing.Page[*adminv1.Session], error) {
	actor, _ := access.ActorOf(ctx)
	if !actor.User {
		_, err := q.Plan()
		return listing.Page[*adminv1.Session]{}, err
	}
	return s.page(ctx, actor.ID, q)
}

// Of returns a page of a user's sessions, the oldest first.
func (s *Sessions) Of(ctx context.Context, user string, q listing.Query) (listing.Page[*adminv1.Session], error) {
	account, err := s.accounts.Account(ctx, user)
	if err != nil {
		return listing.Page[*adminv1.Session]{}, err
	}
	return s.page(ctx, account.ID, q)
}

func (s *Sessions) page(ctx context.Context, user string, q listing.Query) (listing.Page[*adminv1.Session], error) {
	var none listing.Page[*adminv1.Session]
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	found, err := s.store.Sessions(ctx, user, plan.After, s.now(), plan.Limit+1)
	if err != nil {
		return none, err
	}
	actor, _ := access.ActorOf(ctx)
	messages := make([]*adminv1.Session, len(found))
	for i := range found {
		messages[i] = found[i].message()
		messages[i].Current = found[i].ID == actor.Session
	}
	return listing.PageOf(plan, messages, (*adminv1.Session).GetId), nil
}

// SignOut ends the session that the actor came with.
func (s *Sessions) SignOut(ctx context.Context) error {
	actor, err := insider(ctx)
	if err != nil {
		return err
	}
	return s.end(ctx, "sign-out", actor.ID, actor.Session, actor.Name)
}

// EndMine ends one of the actor's sessions.
func (s *Sessions) EndMine(ctx context.Context, session string) error {
	actor, err := insider(ctx)
	if err != nil {
		return err
	}
	return s.end(ctx, "revoke", actor.ID, session, actor.Name)
}

func (s *Sessions) end(ctx context.Context, action, user, session, name string) error {
	audit.Note(ctx, audit.Change{Action: action, Collection: sessionsCollection, ID: session, Name: name})
	return s.store.EndSession(ctx, user, session)
}

// EndAll ends all sessions of a user. Nobody ends those of somebody who may do more than they.
func (s *Sessions) EndAll(ctx context.Context, user string) error {
	account, err := s.accounts.Account(ctx, user)
	if err != nil {
		return err
	}
	if err := mayTouch(ctx, s.grants, account.ID); err != nil {
		return err
	}
	audit.Note(ctx, audit.Change{Action: "revoke", Collection: sessionsCollection, ID: account.ID, Name: account.Name})
	_, err = s.store.EndSessions(ctx, account.ID)
	return err
}

// mayTouch refuses to decide over how somebody signs in who may do more than the actor.
func mayTouch(ctx context.Context, grants Grants, user string) error {
	held, err := grants.GrantsOf(ctx, user)
	if err != nil {
		return err
	}
	if actor, _ := access.ActorOf(ctx); !actor.Grants.CoverAll(held) {
		return problem.Errorf(problem.Forbidden, "this user may do more than you may yourself")
	}
	return nil
}

// insider returns the actor, who must have come with a session: a token that leaks must not decide over how its user signs in.
func insider(ctx context.Context) (access.Actor, error) {
	actor, _ := access.ActorOf(ctx)
	if actor.Session == "" {
		return actor, problem.Errorf(problem.SessionRequired, "this is for who has signed in; an access token isn't enough")
	}
	return actor, nil
}

// message returns what may be shown of a session.
func (s *Session) message() *adminv1.Session {
	m := &adminv1.Session{
		Id: s.ID, User: s.User, Method: "password", Provider: s.Provider, SecondFactor: s.SecondFactor, Address: s.Address, UserAgent: s.UserAgent,
		CreatedAt: timestamppb.New(s.CreatedAt), LastSeenAt: timestamppb.New(s.LastSeenAt), ExpiresAt: timestamppb.New(s.ExpiresAt),
	}
	if s.Provider != "" {
		m.Method = "provider"
	}
	return m
}

func errSignedOut() error {
	return problem.Errorf(problem.Unauthenticated, "the session has ended; sign in again")
}
