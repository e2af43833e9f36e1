package dataplane

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
)

// Bounds of the memory of bodies.
const (
	defaultBodyMemory = 256 << 20
	leastBodyMemory   = 1 << 20
	memoryShare       = 4 // of what GOMEMLIMIT leaves the process bodies get one in so many, if less than the default
)

// ParseBytes reads a size as GOMEMLIMIT has it written: a number of bytes, or one with KiB, MiB or GiB behind it.
func ParseBytes(text string) (int64, error) {
	number, unit := text, int64(1)
	for suffix, bytes := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if before, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = before, bytes
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, errors.New(`give a number of bytes, or one with KiB, MiB or GiB behind it ("256MiB")`)
	}
	return n * unit, nil
}

// bodyMemory returns how many bytes bodies may take that policies hold whole.
func (c *Config) bodyMemory() (int64, error) {
	switch {
	case c.BodyMemory == 0:
		return min(defaultBodyMemory, max(debug.SetMemoryLimit(-1)/memoryShare, leastBodyMemory)), nil
	case c.BodyMemory < leastBodyMemory:
		return 0, fmt.Errorf("body-memory is %d bytes; give at least %d", c.BodyMemory, leastBodyMemory)
	}
	return c.BodyMemory, nil
}

// bodySamples are of the memory of bodies.
func (n *node) bodySamples(one func(string, float64, ...string)) {
	one(admin.BodyMemory, float64(n.bodies.Used()))
	one(admin.BodyMemoryLimit, float64(n.bodies.Limit()))
	one(admin.BodyMemoryRefused, float64(n.bodies.Refused()))
}
