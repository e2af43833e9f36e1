package access

import "testing"

func TestTheOwnerHoldsEveryPermission(t *testing.T) {
	for _, p := range permissions {
		if !Known(p) || !allows(RoleOwner, p) {
			t.Errorf("the owner doesn't hold %s", p)
		}
	}
}

func TestWhatIsNotListedIsDenied(t *testing.T) {
	for _, tt := range []struct {
		role       Role
		permission Permission
	}{
		{RoleOwner, ""},
		{RoleOwner, "environments.raed"},
		{RoleOwner, Public}, // public operations ask nobody
		{"", "environments.read"},
		{"viewer", "configuration.write"},
		{"OWNER", "environments.read"},
	} {
		if allows(tt.role, tt.permission) {
			t.Errorf("role %q holds %q", tt.role, tt.permission)
		}
	}
	if Known("") || Known("environments.raed") {
		t.Error("a permission that nobody defined is known")
	}
}

func allows(role Role, p Permission) bool {
	held, _ := BuiltIn(role)
	return held.Has(p)
}
