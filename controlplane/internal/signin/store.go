package signin

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Account is a user, with what they sign in with by themselves.
type Account struct {
	ID, Name, Email string
	Disabled        bool
	Password        string    // digest; "": none
	Factor          []byte    // secret of the authenticator app, sealed; nil: none
	FactorEnabled   time.Time // zero: it isn't set up
	LastStep        int64     // of the app's last code that was taken
}

// hasFactor tells whether a second factor is asked for.
func (a *Account) hasFactor() bool { return !a.FactorEnabled.IsZero() }

// Rotation gives a session another text: what it was known by before is worth nothing any more. The zero Rotation is of none.
type Rotation struct {
	Session      string // id
	Digest       [sha256.Size]byte
	SecondFactor bool // it has shown one now
}

// AccountStore keeps what users sign in with. Errors are *problem.Error. What it writes is recorded with the operation under way.
type AccountStore interface {
	// Account returns the user of an id, name or e-mail address; problem.NotFound when there is none.
	Account(ctx context.Context, key string) (Account, error)
	// Entered tells whether somebody has been let in as the user, or can be.
	Entered(ctx context.Context, user string) (bool, error)
	// SetPassword sets a user's password, ends their invitation, and all their sessions but the rotated one.
	SetPassword(ctx context.Context, user, digest string, at time.Time, rotation Rotation) error
	// Invite replaces the user's invitation.
	Invite(ctx context.Context, user string, digest [sha256.Size]byte, at, expires time.Time) error
	// Invited returns the user of an invitation that hasn't expired; problem.NotFound when there is none.
	Invited(ctx context.Context, digest [sha256.Size]byte, now time.Time) (Account, error)
	// Accept takes the invitation and does what SetPassword does; problem.NotFound when somebody was faster.
	Accept(ctx context.Context, user string, invitation [sha256.Size]byte, digest string, at time.Time) error
}

// FactorStore keeps second factors. Errors are *problem.Error.
type FactorStore interface {
	// BeginFactor keeps the secret of an app that hasn't shown a code yet; problem.Conflict when one is set up.
	BeginFactor(ctx context.Context, user string, sealed []byte) error
	// EnableFactor sets the app up that has this secret, and replaces the recovery codes; problem.Conflict when it is another one by now.
	EnableFactor(ctx context.Context, user string, sealed []byte, step int64, at time.Time, codes [][]byte, rotation Rotation) error
	// UseStep takes a code of the app; false when that or a later one was taken already.
	UseStep(ctx context.Context, user string, step int64) (bool, error)
	// UseRecoveryCode takes a recovery code; false when there is none such, or it was taken already.
	UseRecoveryCode(ctx context.Context, user string, digest []byte, at time.Time) (bool, error)
	// RecoveryCodesLeft counts those that weren't taken.
	RecoveryCodesLeft(ctx context.Context, user string) (int, error)
	// ReplaceRecoveryCodes makes these a user's.
	ReplaceRecoveryCodes(ctx context.Context, user string, codes [][]byte) error
	// RemoveFactor ends a user's second factor, and all their sessions but one; problem.NotFound when they have none.
	RemoveFactor(ctx context.Context, user, keep string) error
}

// Session is a time for which somebody is signed in, as it is kept.
type Session struct {
	ID           string
	Digest       [sha256.Size]byte
	User         string
	Provider     string // id; "": by password
	SecondFactor bool
	Address      string
	UserAgent    string
	CreatedAt    time.Time
	LastSeenAt   time.Time
	ExpiresAt    time.Time
}

// Credential is a session with whom it is for, as one look finds it.
type Credential struct {
	Session
	UserName         string
	Disabled         bool // the user is
	ProviderDisabled bool
	Grants           access.Grants
	Settings         *adminv1.SignInSettings
}

// SessionStore keeps sessions. Errors are *problem.Error.
type SessionStore interface {
	// InsertSession begins one; of more than most of the user's the oldest end.
	InsertSession(ctx context.Context, s Session, most int) error
	// Credential returns the session of a digest; problem.NotFound when there is none.
	Credential(ctx context.Context, digest [sha256.Size]byte) (Credential, error)
	// Touch remembers when a session was used.
	Touch(ctx context.Context, id string, at time.Time) error
	// Sessions returns up to limit of a user's, in the order of their ids, after one.
	Sessions(ctx context.Context, user, after string, now time.Time, limit int) ([]Session, error)
	// EndSession ends one of a user's; problem.NotFound when there is none.
	EndSession(ctx context.Context, user, id string) error
	// EndSessions ends all of a user's, and tells how many they were.
	EndSessions(ctx context.Context, user string) (int, error)
	// Forget removes up to limit of each that has expired, and tells how many there were.
	Forget(ctx context.Context, now time.Time, limit int) (int, error)
}

// SettingsStore keeps the settings. Errors are *problem.Error.
type SettingsStore interface {
	// SignInSettings returns them.
	SignInSettings(ctx context.Context) (*adminv1.SignInSettings, error)
	// ChangeSignInSettings locks them, and makes them what f returns.
	ChangeSignInSettings(ctx context.Context, f func(before *adminv1.SignInSettings) (*adminv1.SignInSettings, error)) error
}
