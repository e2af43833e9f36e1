package signin

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/validate"
)

// invitationLife is how long an invitation can be used.
const invitationLife = 72 * time.Hour

// Sealer seals under the root key. It is secrets.Sealer.
type Sealer interface {
	Seal(purpose string, plaintext []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// AccountsConfig is what Accounts need; all of it is required.
type AccountsConfig struct {
	Accounts AccountStore
	Factors  FactorStore
	Sessions SessionStore
	Settings SettingsStore
	Grants   Grants
	Sealer   Sealer
	Key      []byte // of recovery codes' digests
	Now      func() time.Time
}

// Accounts is how users sign in by themselves: with a password, and a second factor.
type Accounts struct {
	AccountsConfig

	passwords *Passwords
	throttle  *Throttle
}

// NewAccounts returns the accounts of a store.
func NewAccounts(config AccountsConfig) *Accounts {
	return &Accounts{AccountsConfig: config, passwords: NewPasswords(), throttle: NewThrottle()}
}

// TooSoonError says how long to wait until one may try again.
type TooSoonError struct{ Wait time.Duration }

// Error implements error.
func (e *TooSoonError) Error() string { return "too many attempts" }

// Unwrap returns what is shown of it.
func (e *TooSoonError) Unwrap() error {
	return problem.Errorf(problem.RateLimited, "too many attempts to sign in failed, from this address or to this account")
}

// FailedError is an attempt to sign in that failed, with whom it was to be; the zero Actor: nobody there is.
type FailedError struct {
	Who    audit.Actor
	reason *problem.Error
}

// Error implements error.
func (e *FailedError) Error() string { return e.reason.Error() }

// Unwrap returns what is shown of it.
func (e *FailedError) Unwrap() error { return e.reason }

func failed(account *Account, code problem.Code, text string) error {
	who := audit.Actor{}
	if account.ID != "" {
		who = audit.Actor{ID: account.ID, Name: account.Name}
	}
	reason := problem.Errorf(code, "%s", text)
	return &FailedError{Who: who, reason: reason}
}

// SignIn lets somebody in who knows a user's password and has their second factor. An unknown user, one without a password or disabled, and
// a wrong password are answered alike, after the same time.
func (a *Accounts) SignIn(ctx context.Context, wanted *adminv1.PasswordSignIn, from From) (*Admission, error) {
	if err := problem.Invalid(validate.Message(wanted)...); err != nil {
		return nil, err
	}
	settings, err := a.Settings.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	if settings.GetPasswordRefused() {
		return nil, problem.Errorf(problem.SignInRefused, "nobody signs in with a password here; sign in at a provider")
	}
	account, err := a.Accounts.Account(ctx, wanted.GetUser())
	if err != nil && problem.CodeOf(err) != problem.NotFound {
		return nil, err
	}
	key := account.ID
	if key == "" {
		key = wanted.GetUser()
	}
	passed, wait := a.throttle.Try(from.Address, key)
	if wait > 0 {
		return nil, &TooSoonError{wait}
	}
	digest := account.Password
	if account.Disabled {
		digest = ""
	}
	same, err := a.passwords.Verify(ctx, digest, wanted.GetPassword())
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, failed(&account, problem.SignInFailed, "the user name, the password or the code is wrong, or the user is disabled")
	}
	ctx = actingAs(ctx, &account)
	if account.hasFactor() {
		if err := a.showFactor(ctx, &account, wanted.GetCode(), true); err != nil {
			if problem.CodeOf(err) == problem.SecondFactorNeeded {
				passed() // the password was right, and no code was guessed
			}
			return nil, err
		}
	}
	passed()
	return a.admit(ctx, &account, from, settings)
}

// actingAs says that the operation under way is the account's.
func actingAs(ctx context.Context, account *Account) context.Context {
	audit.DraftOf(ctx).ActAs(audit.Actor{ID: account.ID, Name: account.Name})
	return ctx
}

func (a *Accounts) admit(ctx context.Context, account *Account, from From, settings *adminv1.SignInSettings) (*Admission, error) {
	session, text := begin(account.ID, "", account.hasFactor(), from, settings, a.Now())
	audit.Note(ctx, audit.Change{Action: "sign-in", Collection: sessionsCollection, ID: session.ID, Name: account.Name, After: session.message()})
	if err := a.Sessions.InsertSession(ctx, session, maxSessions); err != nil {
		return nil, err
	}
	shown := session.message()
	shown.Current = true
	return &Admission{Session: shown, Text: text, Lasts: Lifetime(settings)}, nil
}

// ChangePassword replaces the actor's password. Their other sessions end, and this one gets another text, which it returns.
func (a *Accounts) ChangePassword(ctx context.Context, wanted *adminv1.PasswordChange) (text string, err error) {
	if err := problem.Invalid(validate.Message(wanted)...); err != nil {
		return "", err
	}
	actor, account, err := a.proven(ctx, "/old_password", wanted.GetOldPassword())
	if err != nil {
		return "", err
	}
	if err := checkPassword("/new_password", wanted.GetNewPassword(), &account); err != nil {
		return "", err
	}
	digest, err := a.passwords.Digest(ctx, wanted.GetNewPassword())
	if err != nil {
		return "", err
	}
	text, rotation := rotate(actor, false)
	notePassword(ctx, &account, "change-password")
	return text, a.Accounts.SetPassword(ctx, account.ID, digest, a.Now(), rotation)
}

func notePassword(ctx context.Context, account *Account, action string) {
	audit.Note(ctx, audit.Change{Action: action, Collection: access.Users, ID: account.ID, Name: account.Name})
}

// rotate makes another text for the session that the actor came with.
func rotate(actor access.Actor, secondFactor bool) (string, Rotation) {
	text := newSecret(sessionPrefix)
	digest, _ := parseSecret(sessionPrefix, text)
	return text, Rotation{Session: actor.Session, Digest: digest, SecondFactor: secondFactor}
}

// proven returns the actor's account, once they have shown that they know its password.
func (a *Accounts) proven(ctx context.Context, pointer, password string) (access.Actor, Account, error) {
	actor, err := insider(ctx)
	if err != nil {
		return actor, Account{}, err
	}
	account, err := a.Accounts.Account(ctx, actor.ID)
	if err != nil {
		return actor, account, err
	}
	if account.Password == "" {
		return actor, account, problem.Errorf(problem.Conflict, "you have no password: you sign in at a provider")
	}
	passed, wait := a.throttle.Try(parseAddress(actor.Address), account.ID)
	if wait > 0 {
		return actor, account, &TooSoonError{wait}
	}
	same, err := a.passwords.Verify(ctx, account.Password, password)
	switch {
	case err != nil:
		return actor, account, err
	case !same:
		return actor, account, problem.Invalid(problem.Violation{Pointer: pointer, Code: problem.ViolationInvalidValue, Detail: "is not your password"})
	}
	passed()
	return actor, account, nil
}

// Invite makes an invitation to set a user's password, in the place of the one before. Who can be let in as the user already is invited by
// somebody alone who may become anybody, since whoever has the invitation becomes the user.
func (a *Accounts) Invite(ctx context.Context, user string) (*adminv1.Invitation, error) {
	account, err := a.Accounts.Account(ctx, user)
	if err != nil {
		return nil, err
	}
	if err := a.mayBecome(ctx, &account); err != nil {
		return nil, err
	}
	text := newSecret(invitationPrefix)
	digest, _ := parseSecret(invitationPrefix, text)
	now := a.Now().UTC().Truncate(time.Microsecond)
	notePassword(ctx, &account, "invite")
	if err := a.Accounts.Invite(ctx, account.ID, digest, now, now.Add(invitationLife)); err != nil {
		return nil, err
	}
	return &adminv1.Invitation{User: account.ID, Token: text, Path: "/invitation#" + text, ExpiresAt: timestamppb.New(now.Add(invitationLife))}, nil
}

func (a *Accounts) mayBecome(ctx context.Context, account *Account) error {
	if err := mayTouch(ctx, a.Grants, account.ID); err != nil {
		return err
	}
	actor, _ := access.ActorOf(ctx)
	if actor.Grants.Globally(access.Impersonate) {
		return nil
	}
	entered, err := a.Accounts.Entered(ctx, account.ID)
	if err == nil && entered {
		return problem.Errorf(problem.Forbidden, "this user has signed in or has access tokens; to let them in anew needs %s everywhere", access.Impersonate)
	}
	return err
}

// Accept sets the password that an invitation is for. It signs nobody in.
func (a *Accounts) Accept(ctx context.Context, wanted *adminv1.InvitationAcceptance, from From) error {
	if err := problem.Invalid(validate.Message(wanted)...); err != nil {
		return err
	}
	passed, wait := a.throttle.Try(from.Address, "")
	if wait > 0 {
		return &TooSoonError{wait}
	}
	invitation, ok := parseSecret(invitationPrefix, wanted.GetToken())
	if !ok {
		return failed(&Account{}, problem.InvitationInvalid, "the invitation is mistyped")
	}
	account, err := a.Accounts.Invited(ctx, invitation, a.Now())
	if problem.CodeOf(err) == problem.NotFound || err == nil && account.Disabled {
		return failed(&account, problem.InvitationInvalid, "the invitation has expired, was used or replaced, or its user is disabled")
	}
	if err != nil {
		return err
	}
	passed()
	if err := checkPassword("/password", wanted.GetPassword(), &account); err != nil {
		return err
	}
	digest, err := a.passwords.Digest(ctx, wanted.GetPassword())
	if err != nil {
		return err
	}
	ctx = actingAs(ctx, &account)
	notePassword(ctx, &account, "set-password")
	err = a.Accounts.Accept(ctx, account.ID, invitation, digest, a.Now())
	if problem.CodeOf(err) == problem.NotFound {
		return failed(&account, problem.InvitationInvalid, "the invitation was used just now")
	}
	return err
}
