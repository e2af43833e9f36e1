package edgeapi

import (
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

// One beat that is lost, or late, makes no node stale.
func TestBeatsComeFarMoreOftenThanTheLeastStalenessAllows(t *testing.T) {
	settings, _ := resource.ByCollection("settings")
	enough := 3 * Times{}.orDefault().Beat
	if len(settings.Validate(&configv1.EnvironmentSettings{Name: "settings", MaxStaleness: durationpb.New(enough)})) == 0 {
		t.Errorf("an environment may allow as little as %s, three beats", enough)
	}
}
