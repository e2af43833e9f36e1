package signin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

// secondFactorRequired is what the settings say when whoever has a role needs a second factor.
const secondFactorRequired = "required"

// What holds where the settings say nothing: the field's default, as its documentation has it.
const (
	defaultIdle     = time.Hour
	defaultLifetime = 12 * time.Hour
)

func idleTimeout(settings *adminv1.SignInSettings) time.Duration {
	return orDefault(settings.GetIdleTimeout(), defaultIdle)
}

// Lifetime is how long a session lasts, however much it is used.
func Lifetime(settings *adminv1.SignInSettings) time.Duration {
	return orDefault(settings.GetLifetime(), defaultLifetime)
}

func orDefault(d *durationpb.Duration, standard time.Duration) time.Duration {
	if d == nil {
		return standard
	}
	return d.AsDuration()
}

// Settings are how people sign in, in all environments.
type Settings struct{ store SettingsStore }

// NewSettings returns the settings of a store.
func NewSettings(store SettingsStore) *Settings { return &Settings{store: store} }

// Get returns the settings.
func (s *Settings) Get(ctx context.Context) (*adminv1.SignInSettings, error) {
	return s.store.SignInSettings(ctx)
}

// Put makes the settings what their JSON says. ifMatch are ETags, one of which they must have; "" any.
func (s *Settings) Put(ctx context.Context, body []byte, ifMatch string) (*adminv1.SignInSettings, error) {
	wanted := new(adminv1.SignInSettings)
	if err := resource.AsError(resource.Decode(body, wanted)); err != nil {
		return nil, err
	}
	violations := validate.Message(wanted)
	for pointer, d := range map[string]*durationpb.Duration{"/idle_timeout": wanted.GetIdleTimeout(), "/lifetime": wanted.GetLifetime()} {
		if d != nil && d.AsDuration()%time.Second != 0 {
			violations = append(violations, problem.Violation{Pointer: pointer, Code: problem.ViolationInvalidValue, Detail: "must be whole seconds"})
		}
	}
	if err := problem.Invalid(violations...); err != nil {
		return nil, err
	}
	err := s.store.ChangeSignInSettings(ctx, func(before *adminv1.SignInSettings) (*adminv1.SignInSettings, error) {
		if err := fresh(before, ifMatch); err != nil {
			return nil, err
		}
		audit.Note(ctx, audit.Change{
			Action: "update", Collection: "sign-in-settings", ID: "sign-in-settings", Name: "sign-in-settings", Before: before, After: proto.CloneOf(wanted),
		})
		return wanted, nil
	})
	if err != nil {
		return nil, err
	}
	return wanted, nil
}

// fresh holds the settings against If-Match (RFC 9110 section 13.1.1), strongly.
func fresh(settings *adminv1.SignInSettings, ifMatch string) error {
	if ifMatch == "" || strings.TrimSpace(ifMatch) == "*" {
		return nil
	}
	stored, err := resource.Stored(settings)
	if err != nil {
		return fmt.Errorf("etag of the settings: %w", err)
	}
	for tag := range strings.SplitSeq(ifMatch, ",") {
		if strings.TrimSpace(tag) == resource.ETag(stored) {
			return nil
		}
	}
	return problem.Errorf(problem.PreconditionFailed, "the settings are not at the version that If-Match names; read them again and reapply the change")
}
