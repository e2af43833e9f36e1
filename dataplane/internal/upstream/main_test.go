package upstream

import (
	"testing"

	"go.uber.org/goleak"
)

// No exchange leaves a goroutine behind, however it ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
