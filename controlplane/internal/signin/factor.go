package signin

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/validate"
)

// What authenticator apps all take: 6 digits, 30 seconds, SHA-1 (RFC 6238; a MAC is not harmed by SHA-1's collisions).
const (
	stepSeconds = 30
	stepsAside  = 1  // a clock may be off by that many
	totpSecret  = 20 // bytes, as RFC 4226 section 4 recommends
)

var totpOptions = totp.ValidateOpts{Period: stepSeconds, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// FactorSealedFor is the purpose that a user's second factor is sealed for.
func FactorSealedFor(user string) string { return "second-factor/" + user }

// stepOf returns the time step whose code this is, around now. All are compared, whichever fits.
func stepOf(secret, code string, now time.Time) (step int64, ok bool, err error) {
	current := now.Unix() / stepSeconds
	for aside := int64(-stepsAside); aside <= stepsAside; aside++ {
		wanted, err := totp.GenerateCodeCustom(secret, time.Unix((current+aside)*stepSeconds, 0), totpOptions)
		if err != nil {
			return 0, false, fmt.Errorf("compute a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(wanted), []byte(code)) == 1 {
			step, ok = current+aside, true
		}
	}
	return step, ok, nil
}

// showFactor takes a code of the account's app, or a recovery code in its place if that may be; each once.
func (a *Accounts) showFactor(ctx context.Context, account *Account, code string, recovery bool) error {
	code = strings.TrimSpace(code)
	if code == "" {
		return failed(account, problem.SecondFactorNeeded, "this user has a second factor: send a code of it too")
	}
	secret, err := a.Sealer.Open(FactorSealedFor(account.ID), account.Factor)
	if err != nil {
		return fmt.Errorf("open the second factor of %s: %w", account.ID, err)
	}
	wrong := func() error {
		return failed(account, problem.SignInFailed, "the user name, the password or the code is wrong, or the user is disabled")
	}
	step, ok, err := stepOf(string(secret), strings.ReplaceAll(code, " ", ""), a.Now())
	if err != nil {
		return err
	}
	if ok {
		taken, err := a.Factors.UseStep(ctx, account.ID, step)
		if err == nil && !taken {
			err = wrong() // somebody has seen it, and shows it again
		}
		return err
	}
	digest, ok := recoveryDigest(a.Key, account.ID, code)
	if !ok || !recovery {
		return wrong()
	}
	taken, err := a.Factors.UseRecoveryCode(ctx, account.ID, digest, a.Now())
	if err == nil && !taken {
		err = wrong()
	}
	if err == nil {
		noteFactor(ctx, account, "use-recovery-code")
	}
	return err
}

func noteFactor(ctx context.Context, account *Account, action string) {
	audit.Note(ctx, audit.Change{Action: action, Collection: "second-factors", ID: account.ID, Name: account.Name})
}

// Factor returns the state of the actor's second factor.
func (a *Accounts) Factor(ctx context.Context) (*adminv1.SecondFactor, error) {
	actor, _ := access.ActorOf(ctx)
	settings, err := a.Settings.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	state := &adminv1.SecondFactor{Demanded: settings.GetSecondFactor() == secondFactorRequired}
	if !actor.User {
		return state, nil
	}
	account, err := a.Accounts.Account(ctx, actor.ID)
	if err != nil || !account.hasFactor() {
		return state, err
	}
	left, err := a.Factors.RecoveryCodesLeft(ctx, account.ID)
	state.Enabled, state.EnabledAt, state.RecoveryCodesLeft = true, timestamppb.New(account.FactorEnabled), uint32(left)
	return state, err
}

// Enrol makes the secret of an authenticator app. It isn't asked for until a code of it was shown.
func (a *Accounts) Enrol(ctx context.Context, wanted *adminv1.PasswordProof) (*adminv1.SecondFactorEnrolment, error) {
	if err := problem.Invalid(validate.Message(wanted)...); err != nil {
		return nil, err
	}
	_, account, err := a.proven(ctx, "/password", wanted.GetPassword())
	if err != nil {
		return nil, err
	}
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: "Sallyport", AccountName: account.Name, Period: stepSeconds, SecretSize: totpSecret, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return nil, fmt.Errorf("make the secret of an app: %w", err)
	}
	sealed, err := a.Sealer.Seal(FactorSealedFor(account.ID), []byte(key.Secret()))
	if err != nil {
		return nil, err
	}
	noteFactor(ctx, &account, "enrol")
	if err := a.Factors.BeginFactor(ctx, account.ID, sealed); err != nil {
		return nil, err
	}
	return &adminv1.SecondFactorEnrolment{Url: key.URL(), Secret: key.Secret()}, nil
}

// Confirm sets the actor's app up, by its first code, and returns their recovery codes. Their other sessions, which have shown no second
// factor, end; this one gets another text, which it returns.
func (a *Accounts) Confirm(ctx context.Context, wanted *adminv1.SecondFactorProof) (codes *adminv1.RecoveryCodes, text string, err error) {
	actor, account, passed, err := a.tried(ctx, wanted)
	if err != nil {
		return nil, "", err
	}
	if account.Factor == nil || account.hasFactor() {
		return nil, "", problem.Errorf(problem.Conflict, "no second factor waits for its first code; enrol one")
	}
	secret, err := a.Sealer.Open(FactorSealedFor(account.ID), account.Factor)
	if err != nil {
		return nil, "", fmt.Errorf("open the second factor of %s: %w", account.ID, err)
	}
	step, ok, err := stepOf(string(secret), strings.ReplaceAll(wanted.GetCode(), " ", ""), a.Now())
	if err != nil {
		return nil, "", err
	}
	if !ok {
		return nil, "", wrongCode()
	}
	passed()
	shown, digests := a.newCodes(account.ID)
	text, rotation := rotate(actor, true)
	noteFactor(ctx, &account, "enable")
	if err := a.Factors.EnableFactor(ctx, account.ID, account.Factor, step, a.Now(), digests, rotation); err != nil {
		return nil, "", err
	}
	return &adminv1.RecoveryCodes{Codes: shown}, text, nil
}

func (a *Accounts) newCodes(user string) (shown []string, digests [][]byte) {
	shown = newRecoveryCodes()
	for _, code := range shown {
		digest, _ := recoveryDigest(a.Key, user, code)
		digests = append(digests, digest)
	}
	return shown, digests
}

// RenewCodes makes the actor's recovery codes anew, for a code of their app.
func (a *Accounts) RenewCodes(ctx context.Context, wanted *adminv1.SecondFactorProof) (*adminv1.RecoveryCodes, error) {
	_, account, passed, err := a.tried(ctx, wanted)
	if err != nil {
		return nil, err
	}
	if err := a.showOwn(ctx, &account, wanted.GetCode(), false); err != nil {
		return nil, err
	}
	passed()
	shown, digests := a.newCodes(account.ID)
	noteFactor(ctx, &account, "renew-recovery-codes")
	if err := a.Factors.ReplaceRecoveryCodes(ctx, account.ID, digests); err != nil {
		return nil, err
	}
	return &adminv1.RecoveryCodes{Codes: shown}, nil
}

// RemoveFactor ends the actor's second factor, for a code of it.
func (a *Accounts) RemoveFactor(ctx context.Context, wanted *adminv1.SecondFactorProof) error {
	actor, account, passed, err := a.tried(ctx, wanted)
	if err != nil {
		return err
	}
	if err := a.showOwn(ctx, &account, wanted.GetCode(), true); err != nil {
		return err
	}
	passed()
	noteFactor(ctx, &account, "remove")
	return a.Factors.RemoveFactor(ctx, account.ID, actor.Session)
}

// ResetFactor ends somebody's second factor who has lost it. It takes who may become them: what is left is their password.
func (a *Accounts) ResetFactor(ctx context.Context, user string) error {
	account, err := a.Accounts.Account(ctx, user)
	if err != nil {
		return err
	}
	if err := a.mayBecome(ctx, &account); err != nil {
		return err
	}
	noteFactor(ctx, &account, "reset")
	return a.Factors.RemoveFactor(ctx, account.ID, "")
}

// tried counts an attempt of the actor to show a code. passed takes it back.
func (a *Accounts) tried(ctx context.Context, wanted *adminv1.SecondFactorProof) (actor access.Actor, account Account, passed func(), err error) {
	if err := problem.Invalid(validate.Message(wanted)...); err != nil {
		return actor, account, nil, err
	}
	if actor, err = insider(ctx); err != nil {
		return actor, account, nil, err
	}
	if account, err = a.Accounts.Account(ctx, actor.ID); err != nil {
		return actor, account, nil, err
	}
	passed, wait := a.throttle.Try(parseAddress(actor.Address), account.ID)
	if wait > 0 {
		return actor, account, nil, &TooSoonError{wait}
	}
	return actor, account, passed, nil
}

// showOwn is showFactor for who is signed in.
func (a *Accounts) showOwn(ctx context.Context, account *Account, code string, recovery bool) error {
	if !account.hasFactor() {
		return problem.Errorf(problem.Conflict, "you have no second factor")
	}
	err := a.showFactor(ctx, account, code, recovery)
	if problem.CodeOf(err) == problem.SignInFailed {
		return wrongCode()
	}
	return err
}

func wrongCode() error {
	return problem.Invalid(problem.Violation{Pointer: "/code", Code: problem.ViolationInvalidValue, Detail: "is not a code that is good now; each is taken once"})
}

// parseAddress reads an actor's address; the zero one when there is none.
func parseAddress(text string) netip.Addr {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address
}
