package access

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of ROLES.md anew")

const (
	tableBegins = "<!-- The table is made by: go test ./controlplane/internal/access -run RolesPage -update -->\n"
	tableEnds   = "<!-- The table ends. -->\n"
)

// TestTheRolesPageSaysWhatTheCodeDoes holds the table of ROLES.md against the roles.
func TestTheRolesPageSaysWhatTheCodeDoes(t *testing.T) {
	page, err := os.ReadFile("ROLES.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatal("the page has no place for the table")
	}
	want := before + tableBegins + rolesTable() + tableEnds + after
	if *update {
		if err := os.WriteFile("ROLES.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Error("the table isn't what the roles are: go test ./controlplane/internal/access -run RolesPage -update")
	}
}

func rolesTable() string {
	var b strings.Builder
	b.WriteString("| permission |")
	for _, r := range builtIns {
		fmt.Fprintf(&b, " %s |", r.role)
	}
	b.WriteString("\n|---|" + strings.Repeat(":-:|", len(builtIns)) + "\n")
	for _, p := range &permissions {
		fmt.Fprintf(&b, "| `%s` |", p)
		for _, r := range builtIns {
			mark := " "
			if r.permissions.Has(p) {
				mark = " ✓ "
			}
			fmt.Fprintf(&b, "%s|", mark)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestTheRolesAreWhatTheirDescriptionsPromise(t *testing.T) {
	role := func(r Role) Set { held, _ := BuiltIn(r); return held }
	for _, p := range &permissions {
		if p.reads() != role(RoleAuditor).Has(p) {
			t.Errorf("auditor and %s: it reads everything and writes nothing", p)
		}
		if p.reads() && !role(RoleOperator).Has(p) {
			t.Errorf("the operator doesn't hold %s", p)
		}
		if !p.reads() && role(RoleViewer).Has(p) {
			t.Errorf("the viewer holds %s", p)
		}
		if owners := p == Impersonate || p == WriteRoles || p == WriteSignInProviders; owners == role(RoleAdmin).Has(p) {
			t.Errorf("admin and %s", p)
		}
	}
	for _, p := range []Permission{"secrets.write", "nodes.write", "join-tokens.write", "node-groups.write", WriteAccessTokens, WriteRoleBindings, "users.write", Rollback, WriteRawRules} {
		if role(RoleProductManager).Has(p) || role(RoleDeveloper).Has(p) {
			t.Errorf("a product manager or developer holds %s", p)
		}
	}
	if role(RoleDeveloper).Has(WriteConfiguration) {
		t.Error("a developer writes configuration")
	}
	if _, ok := BuiltIn("OWNER"); ok {
		t.Error("OWNER is a role")
	}
}
