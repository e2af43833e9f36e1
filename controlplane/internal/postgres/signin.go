package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/signin"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// SignIn keeps what people sign in with, and their sessions.
type SignIn struct{ db *DB }

var (
	_ signin.AccountStore    = SignIn{}
	_ signin.FactorStore     = SignIn{}
	_ signin.SessionStore    = SignIn{}
	_ signin.SettingsStore   = SignIn{}
	_ signin.ProviderStore   = SignIn{}
	_ signin.FederationStore = SignIn{}
)

// SignIn returns what people of this database sign in with.
func (db *DB) SignIn() SignIn { return SignIn{db} }

// Account implements signin.AccountStore.
func (s SignIn) Account(ctx context.Context, key string) (signin.Account, error) {
	row, err := s.db.q.SignInAccount(ctx, key)
	if err != nil {
		return signin.Account{}, orNotFound(err, "there is no user %q", key)
	}
	account := signin.Account{
		ID: row.ID, Name: row.Name, Email: orEmpty(row.Email), Disabled: row.Disabled, Password: orEmpty(row.Password), Factor: row.Factor, LastStep: row.LastStep,
	}
	if row.EnabledAt != nil {
		account.FactorEnabled = *row.EnabledAt
	}
	return account, nil
}

// Entered implements signin.AccountStore.
func (s SignIn) Entered(ctx context.Context, user string) (bool, error) {
	entered, err := s.db.q.UserEntered(ctx, user)
	return entered, translate(err)
}

// SetPassword implements signin.AccountStore.
func (s SignIn) SetPassword(ctx context.Context, user, digest string, at time.Time, rotation signin.Rotation) error {
	return s.db.recorded(ctx, "setPassword", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		return setPassword(ctx, q, user, digest, at, rotation)
	})
}

func setPassword(ctx context.Context, q *dbsqlc.Queries, user, digest string, at time.Time, rotation signin.Rotation) error {
	if err := q.UpsertPassword(ctx, dbsqlc.UpsertPasswordParams{UserID: user, Digest: digest, SetAt: at}); err != nil {
		return userGone(err)
	}
	if err := q.EndInvitation(ctx, user); err != nil {
		return fmt.Errorf("end the invitation: %w", err)
	}
	return endOthers(ctx, q, user, rotation)
}

// endOthers ends a user's sessions but one, which gets another text.
func endOthers(ctx context.Context, q *dbsqlc.Queries, user string, rotation signin.Rotation) error {
	if _, err := q.EndSessions(ctx, dbsqlc.EndSessionsParams{UserID: user, Keep: rotation.Session}); err != nil {
		return fmt.Errorf("end the other sessions: %w", err)
	}
	if rotation.Session == "" {
		return nil
	}
	_, err := q.RotateSession(ctx, dbsqlc.RotateSessionParams{ID: rotation.Session, Digest: rotation.Digest[:], SecondFactor: rotation.SecondFactor})
	return err
}

func userGone(err error) error {
	if breaksReference(err) {
		return problem.Wrap(err, problem.Conflict, "the user is just gone")
	}
	return err
}

// Invite implements signin.AccountStore.
func (s SignIn) Invite(ctx context.Context, user string, digest [sha256.Size]byte, at, expires time.Time) error {
	return s.db.recorded(ctx, "inviteUser", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		return userGone(q.UpsertInvitation(ctx, dbsqlc.UpsertInvitationParams{UserID: user, Digest: digest[:], CreatedAt: at, ExpiresAt: expires}))
	})
}

// Invited implements signin.AccountStore.
func (s SignIn) Invited(ctx context.Context, digest [sha256.Size]byte, now time.Time) (signin.Account, error) {
	row, err := s.db.q.GetInvitation(ctx, dbsqlc.GetInvitationParams{Digest: digest[:], Now: now})
	return signin.Account{ID: row.UserID, Name: row.Name, Email: orEmpty(row.Email), Disabled: row.Disabled}, orNotFound(err, "there is no such invitation")
}

// Accept implements signin.AccountStore.
func (s SignIn) Accept(ctx context.Context, user string, invitation [sha256.Size]byte, digest string, at time.Time) error {
	return s.db.recorded(ctx, "acceptInvitation", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		n, err := q.TakeInvitation(ctx, dbsqlc.TakeInvitationParams{Digest: invitation[:], UserID: user})
		if err == nil && n == 0 {
			err = problem.Errorf(problem.NotFound, "there is no such invitation")
		}
		if err != nil {
			return err
		}
		return setPassword(ctx, q, user, digest, at, signin.Rotation{})
	})
}

// BeginFactor implements signin.FactorStore.
func (s SignIn) BeginFactor(ctx context.Context, user string, sealed []byte) error {
	return s.db.recorded(ctx, "enrolMySecondFactor", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		n, err := q.BeginSecondFactor(ctx, dbsqlc.BeginSecondFactorParams{UserID: user, Sealed: sealed})
		if err == nil && n == 0 {
			err = problem.Errorf(problem.Conflict, "a second factor is set up already; remove it first")
		}
		return userGone(err)
	})
}

// EnableFactor implements signin.FactorStore.
func (s SignIn) EnableFactor(ctx context.Context, user string, sealed []byte, step int64, at time.Time, codes [][]byte, rotation signin.Rotation) error {
	return s.db.recorded(ctx, "confirmMySecondFactor", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		n, err := q.EnableSecondFactor(ctx, dbsqlc.EnableSecondFactorParams{UserID: user, Sealed: sealed, EnabledAt: &at, LastStep: step})
		if err == nil && n == 0 {
			err = problem.Errorf(problem.Conflict, "another second factor was enrolled meanwhile")
		}
		if err != nil {
			return err
		}
		if err := replaceCodes(ctx, q, user, codes); err != nil {
			return err
		}
		return endOthers(ctx, q, user, rotation)
	})
}

func replaceCodes(ctx context.Context, q *dbsqlc.Queries, user string, codes [][]byte) error {
	if err := q.RemoveRecoveryCodes(ctx, user); err != nil {
		return fmt.Errorf("remove recovery codes: %w", err)
	}
	return userGone(q.InsertRecoveryCodes(ctx, dbsqlc.InsertRecoveryCodesParams{UserID: user, Digests: codes}))
}

// UseStep implements signin.FactorStore.
func (s SignIn) UseStep(ctx context.Context, user string, step int64) (bool, error) {
	n, err := s.db.q.UseSecondFactorStep(ctx, dbsqlc.UseSecondFactorStepParams{UserID: user, Step: step})
	return n == 1, translate(err)
}

// UseRecoveryCode implements signin.FactorStore.
func (s SignIn) UseRecoveryCode(ctx context.Context, user string, digest []byte, at time.Time) (bool, error) {
	n, err := s.db.q.UseRecoveryCode(ctx, dbsqlc.UseRecoveryCodeParams{UserID: user, Digest: digest, UsedAt: &at})
	return n == 1, translate(err)
}

// RecoveryCodesLeft implements signin.FactorStore.
func (s SignIn) RecoveryCodesLeft(ctx context.Context, user string) (int, error) {
	n, err := s.db.q.CountRecoveryCodes(ctx, user)
	return int(n), translate(err)
}

// ReplaceRecoveryCodes implements signin.FactorStore.
func (s SignIn) ReplaceRecoveryCodes(ctx context.Context, user string, codes [][]byte) error {
	return s.db.recorded(ctx, "renewMyRecoveryCodes", func(_ pgx.Tx, q *dbsqlc.Queries) error { return replaceCodes(ctx, q, user, codes) })
}

// RemoveFactor implements signin.FactorStore.
func (s SignIn) RemoveFactor(ctx context.Context, user, keep string) error {
	return s.db.recorded(ctx, "removeSecondFactor", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		n, err := q.RemoveSecondFactor(ctx, user)
		if err == nil && n == 0 {
			err = problem.Errorf(problem.NotFound, "the user has no second factor")
		}
		if err != nil {
			return err
		}
		if err := q.RemoveRecoveryCodes(ctx, user); err != nil {
			return fmt.Errorf("remove recovery codes: %w", err)
		}
		_, err = q.EndSessions(ctx, dbsqlc.EndSessionsParams{UserID: user, Keep: keep})
		return err
	})
}

// InsertSession implements signin.SessionStore.
func (s SignIn) InsertSession(ctx context.Context, session signin.Session, most int) error {
	return s.db.recorded(ctx, "signIn", func(_ pgx.Tx, q *dbsqlc.Queries) error { return insertSession(ctx, q, session, most) })
}

func insertSession(ctx context.Context, q *dbsqlc.Queries, s signin.Session, most int) error {
	err := q.InsertSession(ctx, dbsqlc.InsertSessionParams{
		ID: s.ID, Digest: s.Digest[:], UserID: s.User, Provider: orNull(s.Provider), SecondFactor: s.SecondFactor, Address: s.Address, UserAgent: s.UserAgent,
		CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
	})
	if err != nil {
		return userGone(err)
	}
	return q.EndOldestSessions(ctx, dbsqlc.EndOldestSessionsParams{UserID: s.User, Most: int32(most)})
}

// Credential implements signin.SessionStore.
func (s SignIn) Credential(ctx context.Context, digest [sha256.Size]byte) (signin.Credential, error) {
	rows, err := s.db.q.SessionCredential(ctx, digest[:])
	if err != nil {
		return signin.Credential{}, translate(err)
	}
	if len(rows) == 0 {
		return signin.Credential{}, problem.Errorf(problem.NotFound, "there is no such session")
	}
	first := rows[0]
	c := signin.Credential{
		Session: session(first.Session), UserName: first.UserName, Disabled: first.UserDisabled, ProviderDisabled: first.ProviderDisabled,
		Settings: signInSettings(dbsqlc.SignInSetting{
			SecondFactor: first.SecondFactorSetting, PasswordRefused: first.PasswordRefused, IdleSeconds: first.IdleSeconds, LifetimeSeconds: first.LifetimeSeconds,
		}),
	}
	for _, r := range rows {
		if r.Binding != nil {
			c.Grants = append(c.Grants, grant(*r.Binding, r.BuiltIn, r.RoleName, r.Permissions, r.Environment, r.Team))
		}
	}
	return c, nil
}

func session(row dbsqlc.Session) signin.Session {
	return signin.Session{
		ID: row.ID, Digest: [sha256.Size]byte(row.Digest), User: row.UserID, Provider: orEmpty(row.Provider), SecondFactor: row.SecondFactor, Address: row.Address,
		UserAgent: row.UserAgent, CreatedAt: row.CreatedAt, LastSeenAt: row.LastSeenAt, ExpiresAt: row.ExpiresAt,
	}
}

// Touch implements signin.SessionStore.
func (s SignIn) Touch(ctx context.Context, id string, at time.Time) error {
	return translate(s.db.q.TouchSession(ctx, dbsqlc.TouchSessionParams{ID: id, At: at}))
}

// Sessions implements signin.SessionStore.
func (s SignIn) Sessions(ctx context.Context, user, after string, now time.Time, limit int) ([]signin.Session, error) {
	rows, err := s.db.q.SelectSessions(ctx, dbsqlc.SelectSessionsParams{UserID: user, After: after, Now: now, Most: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	sessions := make([]signin.Session, len(rows))
	for i, row := range rows {
		sessions[i] = session(row)
	}
	return sessions, nil
}

// EndSession implements signin.SessionStore.
func (s SignIn) EndSession(ctx context.Context, user, id string) error {
	return s.db.recorded(ctx, "endSession", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		n, err := q.EndSession(ctx, dbsqlc.EndSessionParams{UserID: user, ID: id})
		if err == nil && n == 0 {
			err = problem.Errorf(problem.NotFound, "there is no such session")
		}
		return err
	})
}

// EndSessions implements signin.SessionStore.
func (s SignIn) EndSessions(ctx context.Context, user string) (ended int, err error) {
	err = s.db.recorded(ctx, "endUserSessions", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		n, err := q.EndSessions(ctx, dbsqlc.EndSessionsParams{UserID: user})
		ended = int(n)
		return err
	})
	return ended, err
}

// Forget implements signin.SessionStore.
func (s SignIn) Forget(ctx context.Context, now time.Time, limit int) (int, error) {
	sessions, err1 := s.db.q.ForgetSessions(ctx, dbsqlc.ForgetSessionsParams{Now: now, Most: int32(limit)})
	returns, err2 := s.db.q.ForgetSignInReturns(ctx, dbsqlc.ForgetSignInReturnsParams{Now: now, Most: int32(limit)})
	invitations, err3 := s.db.q.ForgetInvitations(ctx, dbsqlc.ForgetInvitationsParams{Now: now, Most: int32(limit)})
	return int(sessions + returns + invitations), translate(errors.Join(err1, err2, err3))
}

// SignInSettings implements signin.SettingsStore.
func (s SignIn) SignInSettings(ctx context.Context) (*adminv1.SignInSettings, error) {
	row, err := s.db.q.GetSignInSettings(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return signInSettings(row), nil
}

func signInSettings(row dbsqlc.SignInSetting) *adminv1.SignInSettings {
	return &adminv1.SignInSettings{
		SecondFactor: row.SecondFactor, PasswordRefused: row.PasswordRefused, IdleTimeout: optionalSeconds(row.IdleSeconds), Lifetime: optionalSeconds(row.LifetimeSeconds),
		ConsoleUrl: row.ConsoleUrl,
	}
}

func optionalSeconds(n *int32) *durationpb.Duration {
	if n == nil {
		return nil
	}
	return durationpb.New(time.Duration(*n) * time.Second)
}

func inSeconds(d *durationpb.Duration) *int32 {
	if d == nil {
		return nil
	}
	n := int32(d.GetSeconds()) // #nosec G115 -- a week at most
	return &n
}

// ChangeSignInSettings implements signin.SettingsStore.
func (s SignIn) ChangeSignInSettings(ctx context.Context, f func(*adminv1.SignInSettings) (*adminv1.SignInSettings, error)) error {
	return s.db.recorded(ctx, "putSignInSettings", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		row, err := q.LockSignInSettings(ctx)
		if err != nil {
			return fmt.Errorf("lock the settings of signing in: %w", err)
		}
		after, err := f(signInSettings(row))
		if err != nil {
			return err
		}
		return q.SetSignInSettings(ctx, dbsqlc.SetSignInSettingsParams{
			SecondFactor: after.GetSecondFactor(), PasswordRefused: after.GetPasswordRefused(), IdleSeconds: inSeconds(after.GetIdleTimeout()),
			LifetimeSeconds: inSeconds(after.GetLifetime()), ConsoleUrl: after.GetConsoleUrl(),
		})
	})
}
