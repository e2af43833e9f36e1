package habits

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func sources(t *testing.T) []pkg {
	t.Helper()
	packages, err := read(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func report(t *testing.T, broken []finding) {
	t.Helper()
	for _, finding := range broken {
		t.Error(finding)
	}
}

func TestSourcesOfAllModulesAreRead(t *testing.T) {
	packages := sources(t)
	for _, want := range []string{"internal/habits", "deploy/local/postgres", "sdk", "tests"} {
		if !slices.ContainsFunc(packages, func(p pkg) bool { return p.path == want }) {
			t.Errorf("%s wasn't read", want)
		}
	}
}

func TestPlanesImportOnlyWhatTheyMay(t *testing.T) { report(t, brokenImports(sources(t), planes)) }

func TestLayersImportOnlyWhatTheyMay(t *testing.T) { report(t, brokenImports(sources(t), layers)) }

func TestEveryPackageIsDocumented(t *testing.T) { report(t, undocumented(sources(t))) }

func TestNoFileIsTooLong(t *testing.T) { report(t, tooLong(sources(t))) }

func TestNoPackageIsNamedAfterNothing(t *testing.T) { report(t, emptilyNamed(sources(t))) }

func TestNothingHappensAtImport(t *testing.T) { report(t, initFunctions(sources(t))) }

func TestNoTestSleeps(t *testing.T) { report(t, sleepingTests(sources(t))) }

func TestInterfacesStaySmall(t *testing.T) { report(t, wideInterfaces(sources(t))) }

// What the edge links, by any detour: no database driver, no admin API, nothing of the control plane.
func TestEdgeLinksNoDatabaseAndNoControlPlane(t *testing.T) {
	report(t, brokenLinks(dependencies(t, "./dataplane/..."), edgeNeverLinks))
}

// What outsiders link with the SDK.
func TestSDKLinksNothingOfTheProduct(t *testing.T) {
	for _, linked := range dependencies(t, modulePath+"/sdk/...") {
		if own, isOurs := ourPath(linked); isOurs && !matches(own, []string{"sdk"}) {
			t.Errorf("the SDK links %s", linked)
		}
	}
}

// The contract is linked by everybody: what it links, all do.
func TestContractLinksNoServerAndNoDatabase(t *testing.T) {
	report(t, brokenLinks(dependencies(t, "./proto/..."), contractNeverLinks))
}

// dependencies lists what the packages link, tests left out. Folders that aren't there link nothing.
func dependencies(t *testing.T, pattern string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", pattern)
	command.Dir = filepath.FromSlash(root)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		if strings.Contains(complaints.String(), "no such file or directory") {
			return nil
		}
		t.Fatalf("go list %s: %v\n%s", pattern, err, complaints.String())
	}
	return strings.Fields(string(output))
}
